package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
)

// nameTraces lets problems say which trace they belong to.
func nameTraces(traceID func(context.Context) string) huma.Transformer {
	return func(ctx huma.Context, _ string, v any) (any, error) {
		if p, ok := v.(*huma.ErrorModel); ok {
			nameTrace(ctx.Context(), traceID, p)
		}
		return v, nil
	}
}

// nameTrace says in a problem which trace it belongs to, if it belongs to one.
func nameTrace(ctx context.Context, traceID func(context.Context) string, p *huma.ErrorModel) {
	if traceID == nil {
		return
	}
	if id := traceID(ctx); id != "" {
		p.Instance = "urn:trace:" + id
	}
}
