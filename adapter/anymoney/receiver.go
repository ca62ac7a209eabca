package anymoney

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	wire "github.com/partnerkit/partnerkit/contract/anymoney"
)

// CallbackPath is where the Receiver is mounted.
const CallbackPath = "/anymoney/callback"

// maxCallback bounds a callback's body: an ordinary one has 1.5 KiB.
const maxCallback = 64 << 10

// Teller is told what callbacks say; see Payins.Told.
type Teller interface {
	Told(ctx context.Context, externalID string, o adapter.PayinOrder) (news bool, err error)
}

// ReceiverConfig is how a receiver works; zero fields take the defaults.
type ReceiverConfig struct {
	Merchant string           // lid; required
	Key      wire.Key         // its API key, which signs callbacks; required
	Window   time.Duration    // how old a callback may be, or how far ahead; 60 s
	Now      func() time.Time // time.Now
	Log      *slog.Logger     // slog.Default
	// Observe is told the status of every answer.
	Observe func(status int)
}

// A Receiver takes the platform's callbacks. It answers 200 once what it was told is stored,
// now or before; the platform repeats everything else:
//
//	400 malformed                   409 contradicts what is known: noted, not believed
//	403 not signed by the platform, 413 too long
//	    or too old                  503 cannot be stored or looked into now
//	404 nobody has such an order    405 another verb
//
// The signature covers the values as they were written, so it is checked on the text that came,
// before anything in it is believed. It is safe for concurrent use.
type Receiver struct {
	teller Teller
	cfg    ReceiverConfig
}

// NewReceiver returns a receiver; mount it at CallbackPath.
func NewReceiver(teller Teller, cfg ReceiverConfig) *Receiver {
	cfg.Window = cmp.Or(cfg.Window, time.Minute)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Observe == nil {
		cfg.Observe = func(int) {}
	}
	return &Receiver{teller: teller, cfg: cfg}
}

// Reasons for refusing a callback. What a stranger sends is not discussed with him.
var (
	errVerb      = errors.New("want POST")
	errTooLong   = errors.New("longer than 64 KiB")
	errBroken    = errors.New("the body broke off")
	errMalformed = errors.New("malformed")
	errForeign   = errors.New("it is not for this merchant")
	errStale     = errors.New("it is too old, or from the future")
)

// ServeHTTP takes one callback. The platform waits five seconds.
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := rc.cfg.Now()
	externalID, order, err := rc.read(w, r, began)
	news := false
	if err == nil {
		// Once begun it is stored, also if the platform hangs up meanwhile.
		news, err = rc.teller.Told(context.WithoutCancel(r.Context()), externalID, order)
	}
	status, outcome := judge(news, err)
	answer(w, status, news, err)
	rc.cfg.Observe(status)
	rc.log(r, externalID, order, status, outcome, rc.cfg.Now().Sub(began), err)
}

// read reads a callback and checks everything about it that needs no storage.
func (rc *Receiver) read(w http.ResponseWriter, r *http.Request, at time.Time) (externalID string, o adapter.PayinOrder, err error) {
	if r.Method != http.MethodPost {
		return "", o, errVerb
	}
	h, refusal := wire.ReadHeaders(r.Header.Get)
	switch {
	case refusal != nil:
		return "", o, fmt.Errorf("%w: %w", errMalformed, refusal)
	case h.Merchant != rc.cfg.Merchant:
		return "", o, errForeign
	case !h.Within(rc.cfg.Window.Milliseconds(), at.UnixMilli()):
		return "", o, errStale
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallback))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return "", o, errTooLong
	case err != nil:
		return "", o, errBroken
	}
	object, err := wire.ParseObject(body)
	if err != nil {
		return "", o, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if err := rc.cfg.Key.Verify(object, h.UTCNowMS, h.Signature); err != nil {
		return "", o, err
	}
	order, err := wire.ReadOrder(object)
	if err == nil {
		o, err = readOrder(order, rc.cfg.Merchant, time.UnixMilli(h.Millis).UTC())
	}
	if err != nil {
		return order.ExternalID, o, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return order.ExternalID, o, nil
}

// judge alone turns errors into statuses and names the outcome for the log.
func judge(news bool, err error) (status int, outcome string) {
	switch {
	case err == nil && news:
		return http.StatusOK, "stored"
	case err == nil:
		return http.StatusOK, "repeated"
	case errors.Is(err, errVerb):
		return http.StatusMethodNotAllowed, "malformed"
	case errors.Is(err, errTooLong):
		return http.StatusRequestEntityTooLarge, "malformed"
	case errors.Is(err, errMalformed), errors.Is(err, errBroken):
		return http.StatusBadRequest, "malformed"
	case errors.Is(err, wire.ErrSignature), errors.Is(err, errForeign), errors.Is(err, errStale):
		return http.StatusForbidden, "forbidden"
	case errors.Is(err, adapter.ErrNotFound):
		return http.StatusNotFound, "unknown"
	case errors.Is(err, adapter.ErrConflict):
		return http.StatusConflict, "conflict"
	}
	return http.StatusServiceUnavailable, "unavailable"
}

// answer writes status and a short JSON object that says what is wrong.
func answer(w http.ResponseWriter, status int, news bool, err error) {
	body := map[string]any{"stored": true}
	switch {
	case status == http.StatusServiceUnavailable: // what ails us is told to the log alone
		body = map[string]any{"error": "the callback cannot be stored now"}
		w.Header().Set("Retry-After", "5")
	case err != nil:
		body = map[string]any{"error": err.Error()}
	case !news:
		body["repeated"] = true
	}
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who hung up gets nothing; what is stored stays
}

// log writes the one line of a callback.
func (rc *Receiver) log(r *http.Request, externalID string, o adapter.PayinOrder, status int, outcome string, took time.Duration, err error) {
	level := slog.LevelInfo
	switch {
	case status >= http.StatusInternalServerError, status == http.StatusConflict:
		level = slog.LevelError
	case status != http.StatusOK:
		level = slog.LevelWarn
	}
	if len(externalID) > 80 { // bounds what a stranger can put into the log
		externalID = externalID[:80] + "…"
	}
	line := []slog.Attr{slog.String("outcome", outcome), slog.Int("status", status), slog.Duration("took", took)}
	if externalID != "" {
		line = append(line, slog.String("payin", externalID), slog.String("says", string(o.Status)))
	}
	if err != nil {
		line = append(line, slog.String("from", r.RemoteAddr), slog.String("err", err.Error()))
	}
	rc.cfg.Log.LogAttrs(r.Context(), level, "callback", line...)
}
