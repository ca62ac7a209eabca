package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/cmd/internal/program"
)

// tracing follows a notification through reservation and call. It is switched on, and set up, by
// OpenTelemetry's standard environment; without that it is nil and costs nothing.
type tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	accepted *lru.Cache[adapter.Key, trace.SpanContext] // the notifications of payments that are worked on
}

// tracesWanted reports whether the environment asks for traces.
func tracesWanted(env func(string) string) bool {
	if env("OTEL_SDK_DISABLED") == "true" || env("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return env("OTEL_TRACES_EXPORTER") == "otlp" || env("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

func newTracing(ctx context.Context, log *slog.Logger) (*tracing, error) {
	if !tracesWanted(os.Getenv) {
		return nil, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := os.Getenv(name); p != "" && p != "http/protobuf" {
			return nil, refuse([]error{fmt.Errorf("%s: %q is not spoken, http/protobuf is", name, p)})
		}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "partnerkit-adapter"), attribute.String("service.version", program.Version())), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are lost", "err", err) }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	cache, err := lru.New[adapter.Key, trace.SpanContext](4096)
	if err != nil {
		return nil, err
	}
	return &tracing{provider: provider, tracer: provider.Tracer("github.com/partnerkit/partnerkit/cmd/adapter"), accepted: cache}, nil
}

// providerOf is the provider as web takes it; nil for none.
func (t *tracing) providerOf() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// close sends what is left.
func (t *tracing) close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// acceptor is what the receiver hands notifications to.
type acceptor interface {
	Accept(ctx context.Context, p adapter.Payment) (adapter.Payment, bool, error)
}

// remember lets the work on a payment go on in the trace of its notification.
func (t *tracing) remember(next acceptor) acceptor {
	if t == nil {
		return next
	}
	return remembering{next, t}
}

type remembering struct {
	acceptor
	*tracing
}

// Accept notes the trace, and accepts.
func (r remembering) Accept(ctx context.Context, p adapter.Payment) (adapter.Payment, bool, error) {
	if sc := trace.SpanContextFromContext(ctx); sc.IsSampled() {
		r.accepted.Add(p.Key, sc)
	}
	return r.acceptor.Accept(ctx, p)
}

// span returns what begins a span about a payment; nil without tracing.
func (t *tracing) span() func(ctx context.Context, name string, p adapter.Payment) (context.Context, func(error)) {
	if t == nil {
		return nil
	}
	return func(ctx context.Context, name string, p adapter.Payment) (context.Context, func(error)) {
		if !trace.SpanContextFromContext(ctx).IsValid() { // the work begins
			if sc, ok := t.accepted.Get(p.Key); ok {
				ctx = trace.ContextWithSpanContext(ctx, sc)
			}
		}
		ctx, span := t.tracer.Start(ctx, name, trace.WithAttributes(
			attribute.String("payment.id", p.Key.ID), attribute.String("payment.kind", string(p.Kind)),
			attribute.String("payment.state", string(p.State)), attribute.Int("payment.attempt", p.Attempt)))
		return ctx, ends(span)
	}
}

// calls returns what begins a span about a call to another system; nil without tracing.
func (t *tracing) calls() func(ctx context.Context, name string) (context.Context, func(error)) {
	if t == nil {
		return nil
	}
	return func(ctx context.Context, name string) (context.Context, func(error)) {
		ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
		return ctx, ends(span)
	}
}

func ends(span trace.Span) func(error) {
	return func(err error) {
		if err != nil && !errors.Is(err, adapter.ErrLost) {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}
