package web

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traceHeader tells the caller which trace its request is.
const traceHeader = "Trace-Id"

// traced makes a span of every request, named after its route. Callers are strangers: what they
// say of a trace of theirs becomes a link, not the parent. Queries, which hold tokens, are not
// recorded.
func traced(router *mux.Router, tracers trace.TracerProvider) http.Handler {
	router.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			span := trace.SpanFromContext(r.Context())
			if route := mux.CurrentRoute(r); route != nil {
				if template, err := route.GetPathTemplate(); err == nil {
					span.SetName(r.Method + " " + template)
					span.SetAttributes(attribute.String("http.route", template))
				}
			}
			if id := TraceID(r.Context()); id != "" {
				w.Header().Set(traceHeader, id)
			}
			next.ServeHTTP(w, r)
		})
	})
	return otelhttp.NewHandler(router, "request", otelhttp.WithTracerProvider(tracers),
		otelhttp.WithPropagators(propagation.TraceContext{}), otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }))
}

// TraceID is the trace that ctx belongs to; "" if it is none.
func TraceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		return sc.TraceID().String()
	}
	return ""
}

// LogTraces adds trace_id and span_id to the lines that belong to a trace.
func LogTraces(h slog.Handler) slog.Handler { return traceHandler{h} }

type traceHandler struct{ slog.Handler }

// Handle is part of slog.Handler.
func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs is part of slog.Handler.
func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup is part of slog.Handler.
func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}
