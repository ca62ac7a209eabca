package adapter

import (
	"context"
	"errors"
	"time"
)

// A Request is one call that may change something, known by the idempotency key that its
// caller gave it, and, once there is one, its answer. It is stored before anything is done:
// what is done is named by the same key, so a call that was cut short is done again without
// doing it twice.
type Request struct {
	Key         string // unique among all callers: a token that is replaced doubles nothing
	Operation   string // what was called
	Fingerprint string // of all that was asked for: tells a repeat from another request
	By          string // who asked first
	At          time.Time
	Done        bool   // its effect is written, though its answer may not be
	Status      int    // of the answer, as HTTP has it; 0 as long as there is none
	Answer      []byte // its body
}

type requestKey struct{}

// ForRequest is ctx for carrying out the request with an idempotency key: the first transaction
// that a store writes with it says that the request is done.
func ForRequest(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, requestKey{}, key)
}

// RequestOf is the key that ForRequest gave; "" if there is none.
func RequestOf(ctx context.Context) string {
	key, _ := ctx.Value(requestKey{}).(string)
	return key
}

// ErrUnderWay says that the same request is being worked on. Whoever asks again later gets
// its answer.
var ErrUnderWay = errors.New("the same request is under way")

// A Token is an API token as the store remembers it, by its id alone: the token itself is
// never stored.
type Token struct {
	ID        string // jti
	Name      string // the program or person that holds it; "" if it was minted elsewhere
	Scopes    []string
	MintedAt  time.Time // zero if it was minted elsewhere
	ExpiresAt time.Time // zero if that is not known
	RevokedAt time.Time // zero as long as it is good
	Reason    string    // why it was revoked
}
