package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
)

// nameTraces lets problems say which trace they belong to.
func nameTraces(traceID func(context.Context) string) huma.Transformer {
	return func(ctx huma.Context, _ string, v any) (any, error) {
		if p, ok := v.(*huma.ErrorModel); ok {
			if id := traceID(ctx.Context()); id != "" {
				p.Instance = "urn:trace:" + id
			}
		}
		return v, nil
	}
}
