package outcall

import (
	"context"
	"fmt"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
)

// Watch is what surrounds every call to a system outside: whether it may be made, a span, and
// who is told of its outcome. All of it is optional.
type Watch struct {
	Breaker *Breaker
	// Span begins a span of that name; what it returns ends it, with what went wrong.
	Span func(ctx context.Context, name string) (context.Context, func(error))
	// Observe is told of every call that was made.
	Observe func(method string, o adapter.Outcome)
	Now     func() time.Time // time.Now
}

// Call makes a call, if the other side is not left alone, in which case the outcome is
// adapter.Held. It adds how long the call took and makes its detail fit to be shown.
func (w Watch) Call(ctx context.Context, method string, call func(context.Context) adapter.Outcome) adapter.Outcome {
	done, ok := w.Breaker.Enter()
	if !ok {
		return adapter.Outcome{Verdict: adapter.Held, Detail: "too many calls had no answer, no more is made for a while"}
	}
	end := func(error) {}
	if w.Span != nil {
		ctx, end = w.Span(ctx, method)
	}
	now := w.Now
	if now == nil {
		now = time.Now
	}
	began := now()
	o := call(ctx)
	o.Took = now().Sub(began)
	o.Detail = Clean(o.Detail)
	done(o.Verdict == adapter.Accepted || o.Verdict == adapter.Refused)
	if o.Verdict == adapter.Accepted {
		end(nil)
	} else {
		end(fmt.Errorf("%s: %d %s", o.Verdict, o.Code, o.Detail))
	}
	if w.Observe != nil {
		w.Observe(method, o)
	}
	return o
}
