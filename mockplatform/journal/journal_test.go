package journal_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

func seqs(found []*journal.Exchange) []uint64 {
	var all []uint64
	for _, e := range found {
		all = append(all, e.Seq)
	}
	return all
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	j := journal.New(journal.Config{})
	for _, e := range []*journal.Exchange{
		{Protocol: "integra", Method: "hello", Direction: journal.In},
		{Protocol: "integra", Method: "notify", Direction: journal.Out, User: "u1", Payment: "p1"},
		{Protocol: "integra", Method: "confirmPayment", Direction: journal.In, User: "u1", Payment: "p1"},
		{Protocol: "integra", Method: "notify", Direction: journal.Out, User: "u2", Payment: "p2"},
		{Protocol: "other", Method: "notify", Direction: journal.Out, User: "u1", Payment: "p3"},
	} {
		j.Record(e)
	}
	tests := []struct {
		name   string
		filter journal.Filter
		want   []uint64
	}{
		{"all", journal.Filter{}, []uint64{1, 2, 3, 4, 5}},
		{"protocol", journal.Filter{Protocol: "other"}, []uint64{5}},
		{"method", journal.Filter{Method: "notify"}, []uint64{2, 4, 5}},
		{"direction", journal.Filter{Direction: journal.In}, []uint64{1, 3}},
		{"user", journal.Filter{User: "u1"}, []uint64{2, 3, 5}},
		{"payment", journal.Filter{Payment: "p1"}, []uint64{2, 3}},
		{"since", journal.Filter{Since: 3}, []uint64{4, 5}},
		{"since the last", journal.Filter{Since: 5}, nil},
		{"since the future", journal.Filter{Since: 99}, nil},
		{"limit gives the newest", journal.Filter{Limit: 2}, []uint64{4, 5}},
		{"all at once", journal.Filter{Protocol: "integra", Method: "notify", Direction: journal.Out, User: "u2", Payment: "p2", Since: 1, Limit: 9}, []uint64{4}},
		{"nothing", journal.Filter{Method: "nope"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, seqs(j.List(tt.filter))); diff != "" {
				t.Errorf("seqs (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever is recorded, the journal holds the newest exchanges within both bounds, in order.
func TestBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 20).Draw(t, "exchanges")
		const overhead = 512
		size := rapid.IntRange(overhead, 20*overhead).Draw(t, "bytes")
		j := journal.New(journal.Config{MaxExchanges: most, MaxBytes: size})
		var model []*journal.Exchange
		var seq uint64
		t.Repeat(map[string]func(*rapid.T){
			"record": func(t *rapid.T) {
				e := &journal.Exchange{Request: make([]byte, rapid.IntRange(0, 2000).Draw(t, "length"))}
				j.Record(e)
				seq++
				if e.Seq != seq {
					t.Fatalf("seq %d, want %d", e.Seq, seq)
				}
				model = append(model, e)
			},
			"clear": func(*rapid.T) {
				j.Clear()
				model = nil
			},
			"reset": func(*rapid.T) {
				j.Reset()
				model, seq = nil, 0
			},
			"": func(t *rapid.T) {
				total := func() (n int) {
					for _, e := range model {
						n += overhead + len(e.Request)
					}
					return n
				}
				for len(model) > 1 && (len(model) > most || total() > size) {
					model = model[1:]
				}
				if diff := cmp.Diff(seqs(model), seqs(j.List(journal.Filter{}))); diff != "" {
					t.Fatalf("kept (-want +got):\n%s", diff)
				}
				if j.Len() != len(model) {
					t.Fatalf("Len %d, want %d", j.Len(), len(model))
				}
			},
		})
	})
}

func TestLongExchangesAreCut(t *testing.T) {
	t.Parallel()
	j := journal.New(journal.Config{})
	j.Record(&journal.Exchange{Request: bytes.Repeat([]byte("x"), journal.MaxRaw+1), Response: []byte("short")})
	j.Record(&journal.Exchange{Request: bytes.Repeat([]byte("x"), journal.MaxRaw)})
	found := j.List(journal.Filter{})
	if e := found[0]; len(e.Request) != journal.MaxRaw || !e.Cut || string(e.Response) != "short" {
		t.Errorf("kept %d bytes, cut %v, response %q", len(e.Request), e.Cut, e.Response)
	}
	if e := found[1]; len(e.Request) != journal.MaxRaw || e.Cut {
		t.Errorf("kept %d bytes, cut %v", len(e.Request), e.Cut)
	}
}

// A watcher is told of any number of changes at once, and finds all of them.
func TestWatch(t *testing.T) {
	t.Parallel()
	j := journal.New(journal.Config{})
	changed, stop := j.Watch()
	var last uint64
	for _, burst := range []int{1, 5, 100} {
		for range burst {
			j.Record(&journal.Exchange{})
		}
		<-changed
		found := j.List(journal.Filter{Since: last})
		if len(found) != burst {
			t.Fatalf("found %d, want %d", len(found), burst)
		}
		last = found[burst-1].Seq
		select {
		case <-changed:
			t.Fatal("told again of the same changes")
		default:
		}
	}
	j.Clear()
	<-changed
	stop()
	j.Record(&journal.Exchange{})
	select {
	case <-changed:
		t.Fatal("told after stop")
	default:
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	j := journal.New(journal.Config{MaxExchanges: 100})
	changed, stop := j.Watch()
	defer stop()
	const writers, each = 4, 500
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				j.Record(&journal.Exchange{Request: []byte("x")})
			}
		})
	}
	go func() {
		all.Wait()
		j.Record(&journal.Exchange{Method: "last"})
	}()
	for last := uint64(0); ; {
		<-changed
		for _, e := range j.List(journal.Filter{Since: last}) {
			if e.Seq <= last {
				t.Fatalf("seq %d after %d", e.Seq, last)
			}
			last = e.Seq
			if e.Method == "last" {
				if e.Seq != writers*each+1 {
					t.Errorf("last seq %d, want %d", e.Seq, writers*each+1)
				}
				return
			}
		}
	}
}

func TestRedacted(t *testing.T) {
	t.Parallel()
	const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.sig+na/ture"
	e := &journal.Exchange{
		Request:  []byte("GET /n?token=" + token + "&again=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.sig%2Bna%2Fture HTTP/1.1\r\n\r\n"),
		Args:     []byte(`{"paymentNotifyUrl":"https:\/\/p\/n?token=` + strings.ReplaceAll(token, "/", `\/`) + `"}`),
		Response: []byte(`{"data":{"cryptKey":"c4zw42fve9dptsmncamky4xu3fe7e2ta0uufnvblaxsasohbhgw"}}`),
		Verdict:  journal.Verdict{Detail: "no good: " + token},
		Secrets:  []string{token, "", "c4zw42fve9dptsmncamky4xu3fe7e2ta0uufnvblaxsasohbhgw"},
	}
	before := fmt.Sprintf("%s%s%s", e.Request, e.Args, e.Response)
	view := e.Redacted()
	want := &journal.Exchange{
		Request:  []byte("GET /n?token=eyJh***&again=eyJh*** HTTP/1.1\r\n\r\n"),
		Args:     []byte(`{"paymentNotifyUrl":"https:\/\/p\/n?token=eyJh***"}`),
		Response: []byte(`{"data":{"cryptKey":"c4zw***"}}`),
		Verdict:  journal.Verdict{Detail: "no good: eyJh***"},
	}
	if diff := cmp.Diff(want, view); diff != "" {
		t.Errorf("redacted (-want +got):\n%s", diff)
	}
	if after := fmt.Sprintf("%s%s%s", e.Request, e.Args, e.Response); after != before {
		t.Error("the original was changed")
	}
}

func TestRedactedShowsLittleOfAShortSecret(t *testing.T) {
	t.Parallel()
	e := &journal.Exchange{Args: []byte(`{"accessToken":"abc"}`), Secrets: []string{"abc"}}
	if got, want := string(e.Redacted().Args), `{"accessToken":"***"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func BenchmarkRecord(b *testing.B) {
	j := journal.New(journal.Config{})
	request, response := make([]byte, 400), make([]byte, 200)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			j.Record(&journal.Exchange{Request: request, Response: response})
		}
	})
}
