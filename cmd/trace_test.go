package cmd_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// One trace leads from the notification through the reservation to the platform's answer; its
// number stands in the log and in the answer; no span holds a token or a sealed request.
func TestTraces(t *testing.T) {
	var mu sync.Mutex
	var spans []*tracepb.Span
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var export collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &export); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range export.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				spans = append(spans, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer sink.Close()
	w := newWorld(t, sqlite(t))
	w.start("OTEL_EXPORTER_OTLP_ENDPOINT=" + sink.URL)
	id := w.topUp(w.user, "100")
	w.await(id, "confirmed")
	res, err := http.Get(w.adapter.URL + "/v1/nothing") //nolint:noctx // the test's end ends it
	must(t, err)
	body, err := io.ReadAll(res.Body)
	must(t, err)
	_ = res.Body.Close()
	if trace := res.Header.Get("Trace-Id"); len(trace) != 32 {
		t.Errorf("a problem came with the trace %q: %s", trace, body)
	}
	must(t, w.adapter.Stop(time.Minute)) // it sends what is left

	mu.Lock()
	defer mu.Unlock()
	byName := map[string]*tracepb.Span{}
	for _, s := range spans {
		byName[s.Name] = s
		if text := s.String(); strings.Contains(text, "token=") || strings.Contains(text, "k=") || strings.Contains(text, "eyJ") {
			t.Errorf("a span holds a secret: %s", text)
		}
	}
	root := byName["GET /integra/notify"]
	if root == nil {
		t.Fatalf("no span of the notification among %d", len(spans))
	}
	for _, name := range []string{"work on payment", "write reserved", "confirmPayment", "write confirmed"} {
		if s := byName[name]; s == nil || string(s.TraceId) != string(root.TraceId) {
			t.Errorf("%s: %v; want it in the notification's trace", name, s)
		}
	}
	if log := w.adapter.Log(); strings.Count(log, `"trace_id"`) < 3 {
		t.Errorf("the log names no trace:\n%s", log)
	}
}

// Without the environment there are no traces.
func TestNoTracesUnlessWanted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlite(t))
	w.start()
	res, err := http.Get(w.adapter.URL + "/healthz") //nolint:noctx // the test's end ends it
	must(t, err)
	_ = res.Body.Close()
	if trace := res.Header.Get("Trace-Id"); trace != "" {
		t.Errorf("a trace that nobody asked for: %s", trace)
	}
}
