package integra

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// maxInput bounds a notification's query and its body, each: an ordinary one has 300 bytes.
const maxInput = 8 << 10

// Acceptor stores payments.
type Acceptor interface {
	// Accept stores p and returns nil once it is durable. For a repeat, first is false; a
	// known key with other content is adapter.ErrConflict, too many at once
	// adapter.ErrOverloaded.
	Accept(ctx context.Context, p adapter.Payment) (stored adapter.Payment, first bool, err error)
}

// ReceiverConfig is how a receiver works; zero fields take the defaults.
type ReceiverConfig struct {
	Currency money.Currency   // of the amounts; money.RUB
	Now      func() time.Time // time.Now
	Log      *slog.Logger     // slog.Default
	// Observe is told the status of every answer.
	Observe func(status int)
}

// A Receiver takes the platform's notifications, GET or POST. It answers 200 once the
// payment is stored, now or before, and otherwise says which parameter is wrong:
//
//	400 malformed            409 known id with another amount or user
//	401 no proof, or expired 413 too long
//	403 proof of another     429 too many at once: Retry-After
//	405 another verb         503 cannot be stored now: Retry-After
//
// Whatever it cannot tell is 503: the platform will ask again, and nothing is lost. It is
// safe for concurrent use.
type Receiver struct {
	payments Acceptor
	endpoint *Endpoint
	cfg      ReceiverConfig
}

// NewReceiver returns the receiver of the endpoint; mount it at the endpoint's Pattern.
func NewReceiver(payments Acceptor, endpoint *Endpoint, cfg ReceiverConfig) *Receiver {
	cfg.Currency = cmp.Or(cfg.Currency, money.RUB)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Observe == nil {
		cfg.Observe = func(int) {}
	}
	return &Receiver{payments: payments, endpoint: endpoint, cfg: cfg}
}

// Reasons for refusing a notification that belong to no parameter.
var (
	errVerb     = errors.New("want GET or POST")
	errTooLong  = errors.New("longer than 8 KiB")
	errBodyType = errors.New("the body is not application/x-www-form-urlencoded")
	errBody     = errors.New("the body broke off")
	errForeign  = errors.New("the proof is that of another user")
)

// ServeHTTP takes one notification. It does nothing slower than storing it: the platform
// waits five seconds.
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := rc.cfg.Now()
	f, p, err := rc.payment(w, r, began)
	first := false
	if err == nil {
		// Once begun it is stored, also if the platform hangs up meanwhile.
		_, first, err = rc.payments.Accept(context.WithoutCancel(r.Context()), p)
	}
	status, outcome := judge(first, err)
	answer(w, status, first, err)
	rc.cfg.Observe(status)
	rc.log(r, f, p, status, outcome, rc.cfg.Now().Sub(began), err)
}

// payment reads a notification and checks everything about it that needs no storage. The
// form is what was read until an error.
func (rc *Receiver) payment(w http.ResponseWriter, r *http.Request, at time.Time) (form, adapter.Payment, error) {
	f, err := rc.form(w, r)
	if err != nil {
		return f, adapter.Payment{}, err
	}
	// What a stranger sends is not discussed with him, so the proof comes first.
	user, err := rc.endpoint.guard.identify(strings.TrimPrefix(r.URL.Path, NotifyPath), f.token)
	if err != nil {
		return f, adapter.Payment{}, err
	}
	names := &rc.endpoint.names
	if err := checkHash(names.ID, f.id); err != nil {
		return f, adapter.Payment{}, err
	}
	if err := checkHash(names.Hash, f.hash); err != nil {
		return f, adapter.Payment{}, err
	}
	if f.amount == "" {
		return f, adapter.Payment{}, &fieldError{names.Amount, "is missing"}
	}
	amount, err := money.Parse(f.amount, rc.cfg.Currency)
	if err != nil {
		var format *money.FormatError
		errors.As(err, &format)
		return f, adapter.Payment{}, &fieldError{names.Amount, string(format.Fault)}
	}
	if user != "" && subtle.ConstantTimeCompare([]byte(user), []byte(f.hash)) != 1 {
		return f, adapter.Payment{}, errForeign
	}
	p, err := adapter.NewPayment(adapter.Key{Platform: adapter.PlatformIntegra, ID: f.id}, adapter.TopUp, f.hash, amount, at)
	if err != nil { // the amount is all that is left to be wrong
		return f, adapter.Payment{}, &fieldError{names.Amount, string(money.FaultRange)}
	}
	return f, p, nil
}

// form reads the parameters from the query and, with POST, from the body as well.
func (rc *Receiver) form(w http.ResponseWriter, r *http.Request) (f form, err error) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return f, errVerb
	}
	if len(r.URL.RawQuery) > maxInput {
		return f, errTooLong
	}
	if err := f.read(r.URL.RawQuery, &rc.endpoint.names); err != nil {
		return f, err
	}
	if r.Method == http.MethodGet || r.Body == http.NoBody {
		return f, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxInput))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return f, errTooLong
	case err != nil:
		return f, errBody
	case len(body) == 0:
		return f, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return f, errBodyType
	}
	return f, f.read(string(body), &rc.endpoint.names)
}

// checkHash checks an id or a user's hash.
func checkHash(name, value string) error {
	switch {
	case value == "":
		return &fieldError{name, "is missing"}
	case !integra.ValidHash(value):
		return &fieldError{name, "is not 32 letters or digits"}
	}
	return nil
}

// judge alone turns errors into statuses and names the outcome for the log.
func judge(first bool, err error) (status int, outcome string) {
	var field *fieldError
	switch {
	case err == nil && first:
		return http.StatusOK, "stored"
	case err == nil:
		return http.StatusOK, "repeated"
	case errors.Is(err, errNoProof), errors.Is(err, errBadProof):
		return http.StatusUnauthorized, "unauthorized"
	case errors.Is(err, errForeign):
		return http.StatusForbidden, "forbidden"
	case errors.Is(err, errTooLong):
		return http.StatusRequestEntityTooLarge, "malformed"
	case errors.Is(err, errVerb):
		return http.StatusMethodNotAllowed, "malformed"
	case errors.As(err, &field), errors.Is(err, errForm), errors.Is(err, errBody), errors.Is(err, errBodyType), errors.Is(err, adapter.ErrInvalid):
		return http.StatusBadRequest, "malformed"
	case errors.Is(err, adapter.ErrConflict):
		return http.StatusConflict, "conflict"
	case errors.Is(err, adapter.ErrOverloaded):
		return http.StatusTooManyRequests, "overloaded"
	}
	return http.StatusServiceUnavailable, "unavailable"
}

// The commonest answers, and headers that are shared and never changed.
var (
	storedBody   = []byte(`{"stored":true}` + "\n")
	repeatedBody = []byte(`{"stored":true,"repeated":true}` + "\n")
	jsonType     = []string{"application/json"}
)

// answer writes status and a short JSON object that says what is wrong.
func answer(w http.ResponseWriter, status int, first bool, err error) {
	h := w.Header()
	h["Content-Type"] = jsonType
	body := storedBody
	switch {
	case status != http.StatusOK:
		body = explain(status, err)
	case !first:
		body = repeatedBody
	}
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="notifications"`)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", "GET, POST")
	case http.StatusTooManyRequests:
		h.Set("Retry-After", "1")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // who hung up gets nothing; the payment is stored all the same
}

// explain is the body of a refusal.
func explain(status int, err error) []byte {
	var refusal struct {
		Error string `json:"error"`
		Field string `json:"field,omitempty"`
	}
	refusal.Error = err.Error()
	var field *fieldError
	if errors.As(err, &field) {
		refusal.Field = field.field
	}
	if status == http.StatusServiceUnavailable { // what ails the storage is told to the log alone
		refusal.Error = "the notification cannot be stored now"
	}
	body, _ := json.Marshal(refusal) // two strings always marshal
	return append(body, '\n')
}

// log writes the one line of a notification. The token is in none of its parts.
func (rc *Receiver) log(r *http.Request, f form, p adapter.Payment, status int, outcome string, took time.Duration, err error) {
	level := slog.LevelInfo
	switch {
	case status >= http.StatusInternalServerError:
		level = slog.LevelError
	case status != http.StatusOK:
		level = slog.LevelWarn
	}
	ctx := r.Context()
	if !rc.cfg.Log.Enabled(ctx, level) {
		return
	}
	var attrs [8]slog.Attr
	line := append(attrs[:0], slog.String("outcome", outcome), slog.Int("status", status))
	if p.Key.ID != "" {
		line = append(line, slog.String("payment", p.Key.String()), slog.String("user", p.User), slog.String("amount", p.Amount.String()))
	} else { // as it came, cut to what can be meant
		line = append(line, slog.String("id", cut(f.id)), slog.String("user", cut(f.hash)), slog.String("amount", cut(f.amount)))
	}
	line = append(line, slog.Duration("took", took))
	if err != nil {
		line = append(line, slog.String("from", r.RemoteAddr), slog.String("err", err.Error()))
	}
	rc.cfg.Log.LogAttrs(ctx, level, "notification", line...)
}

// cut bounds what a stranger can put into the log.
func cut(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
