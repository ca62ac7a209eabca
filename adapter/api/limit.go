package api

import (
	"math"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	throttle "golang.org/x/time/rate"
)

// limitedTokens bounds the tokens that are counted at once. One that is pushed out begins with
// a full burst again.
const limitedTokens = 10_000

// limit answers 429 to a token that asks more often than it may.
func limit(cfg Config) func(huma.Context, func(huma.Context)) {
	if cfg.Rate <= 0 {
		return func(ctx huma.Context, next func(huma.Context)) { next(ctx) }
	}
	burst := cfg.Burst
	if burst == 0 {
		burst = int(math.Ceil(cfg.Rate))
	}
	limiters, err := lru.New[string, *throttle.Limiter](limitedTokens)
	if err != nil { // only for a size that is not positive
		panic(err)
	}
	return func(ctx huma.Context, next func(huma.Context)) {
		grant, _ := ctx.Context().Value(grantKey{}).(Grant)
		limiter, ok := limiters.Get(grant.ID)
		if !ok {
			fresh := throttle.NewLimiter(throttle.Limit(cfg.Rate), burst)
			if known, raced, _ := limiters.PeekOrAdd(grant.ID, fresh); raced {
				limiter = known
			} else {
				limiter = fresh
			}
		}
		now := cfg.Now()
		if limiter.AllowN(now, 1) {
			next(ctx)
			return
		}
		wait := math.Ceil((1 - limiter.TokensAt(now)) / cfg.Rate)
		ctx.SetHeader("Retry-After", strconv.Itoa(int(max(wait, 1))))
		answer(ctx, cfg.TraceID, typed(ProblemTooManyCalls, http.StatusTooManyRequests, "the token makes too many requests"))
	}
}
