package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/adapter"
)

// Requests remembers what was asked for under which key, and the answers.
type Requests interface {
	// BeginRequest stores r and holds it for a while, or returns the known one with its answer.
	// Another request under the key is adapter.ErrConflict, one that somebody works on
	// adapter.ErrUnderWay.
	BeginRequest(ctx context.Context, r adapter.Request, hold time.Duration) (known adapter.Request, begun bool, err error)
	// EndRequest stores the answer, or without one lets the request be begun anew. It returns
	// the answer that counts: the first.
	EndRequest(ctx context.Context, r adapter.Request) (adapter.Request, error)
}

// hold is how long a request may be worked on before its process is taken for dead: longer
// than anything here takes, the calls to a platform included.
const hold = 30 * time.Second

// Keyed is the header of every POST that changes something.
type Keyed struct {
	Key string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" pattern:"^[ -~]+$" patternDescription:"printable ASCII" doc:"Your name for this request: repeated under the same key it is done once, and the first answer is given again"`
}

// result is the answer to a keyed request.
type result[B any] struct {
	Status   int    `json:"-"`
	Location string `json:"location,omitempty" header:"Location"`
	Replayed string `json:"-" header:"Idempotency-Replayed" doc:"true if the request was answered before"`
	Body     B      `json:"body"`
}

// once sees to it that a request is carried out once, whatever is repeated, by whomever, and
// wherever a process dies:
//
//   - The request is stored under its key before anything is done. The key with another content
//     is refused from then on.
//   - The transaction that has its effect says so beside the key (adapter.ForRequest), and what
//     moves money bears the key itself: the transfer of a deposit, the payment. A request that was
//     cut short is carried out again and finds its effect there.
//   - The answer is stored before it is given, be it a yes or a no, and every repeat gets it. What
//     decided nothing (409, 429, 5xx) is not kept, and the request may be made again; an answer
//     that cannot be stored is not given, for another could be given later.
type once struct {
	requests Requests
	now      func() time.Time
	log      *slog.Logger
}

// perform carries out one request. operation and asked, which is written as JSON, make its
// fingerprint. do goes on when the caller hangs up; done says that its effect is there already,
// of a time that was cut short, and only the answer is to be made.
func perform[B any](ctx context.Context, o once, key, operation string, asked any, do func(ctx context.Context, done bool) (result[B], error)) (*result[B], error) {
	content, err := json.Marshal(asked)
	if err != nil {
		return nil, explain(ctx, o.log, err)
	}
	print := sha256.Sum256(append([]byte(operation+"\n"), content...))
	grant, _ := ctx.Value(grantKey{}).(Grant)
	ctx = context.WithoutCancel(ctx)
	r := adapter.Request{Key: key, Operation: operation, Fingerprint: hex.EncodeToString(print[:16]), By: grant.Name, At: o.now()}
	known, begun, err := o.requests.BeginRequest(ctx, r, hold)
	switch {
	case errors.Is(err, adapter.ErrConflict):
		return nil, keyReused(known.Operation+" with other content", key)
	case errors.Is(err, adapter.ErrUnderWay):
		return nil, retryable(typed(ProblemUnderWay, http.StatusConflict, "the same request is being worked on; ask again in a moment"), "1")
	case err != nil:
		return nil, explain(ctx, o.log, err)
	case !begun:
		return replay[B](ctx, o.log, known)
	}
	got, err := do(adapter.ForRequest(ctx, key), known.Done)
	if err != nil {
		err = explain(ctx, o.log, err)
	}
	r.Status, r.Answer = record(got, err)
	stored, failed := o.requests.EndRequest(ctx, r)
	switch {
	case failed != nil: // the effect is stored under the key, so a repeat will find it
		return nil, explain(ctx, o.log, fmt.Errorf("store the answer to %s under key %q: %w", operation, key, failed))
	case stored.Status != 0 && string(stored.Answer) != string(r.Answer): // who took over was faster
		return replay[B](ctx, o.log, stored)
	}
	if err != nil {
		return nil, err
	}
	return &got, nil
}

// keyReused is the problem of a key that somebody used for something else.
func keyReused(what, key string) error {
	return typed(ProblemKeyReused, http.StatusUnprocessableEntity, "the idempotency key was used before: "+what,
		&huma.ErrorDetail{Location: "header.Idempotency-Key", Message: "was used before, for something else", Value: key})
}

// record is an answer as it is kept; status 0 if it decided nothing.
func record[B any](got result[B], err error) (status int, answer []byte) {
	if err == nil {
		answer, err = json.Marshal(got)
		if err != nil {
			return 0, nil
		}
		return got.Status, answer
	}
	var problem *huma.ErrorModel
	if !errors.As(err, &problem) || problem.Status >= http.StatusInternalServerError ||
		problem.Status == http.StatusConflict || problem.Status == http.StatusTooManyRequests {
		return 0, nil
	}
	answer, err = json.Marshal(problem)
	if err != nil {
		return 0, nil
	}
	return problem.Status, answer
}

// replay gives a stored answer again.
func replay[B any](ctx context.Context, log *slog.Logger, r adapter.Request) (*result[B], error) {
	if r.Status >= http.StatusBadRequest {
		var problem huma.ErrorModel
		if err := json.Unmarshal(r.Answer, &problem); err != nil {
			return nil, explain(ctx, log, fmt.Errorf("answer stored under key %q: %w", r.Key, err))
		}
		return nil, huma.ErrorWithHeaders(&problem, http.Header{"Idempotency-Replayed": {"true"}})
	}
	got := result[B]{Status: r.Status, Replayed: "true"}
	if err := json.Unmarshal(r.Answer, &got); err != nil {
		return nil, explain(ctx, log, fmt.Errorf("answer stored under key %q: %w", r.Key, err))
	}
	return &got, nil
}
