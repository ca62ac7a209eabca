package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/mux"
)

// handler answers the adapter.
type handler struct {
	books  *books
	secret []byte
	now    func() time.Time
}

func newHandler(b *books, secret []byte, now func() time.Time) http.Handler {
	h := &handler{b, secret, now}
	r := mux.NewRouter()
	r.HandleFunc("/reservations", h.reserve).Methods(http.MethodPost)
	r.HandleFunc("/reservations/{key}/capture", h.capture).Methods(http.MethodPost)
	r.HandleFunc("/reservations/{key}/release", h.release).Methods(http.MethodPost)
	r.HandleFunc("/refunds", h.refund).Methods(http.MethodPost)
	r.HandleFunc("/users/{hash}/balance", h.balance).Methods(http.MethodGet)
	r.Use(h.guard)
	return r
}

// guard lets pass what carries a fresh token of the adapter's.
func (h *handler) guard(next http.Handler) http.Handler {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer("partnerkit-adapter"), jwt.WithAudience("partner-billing"),
		jwt.WithExpirationRequired(), jwt.WithLeeway(time.Minute), jwt.WithTimeFunc(h.now))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		var claims jwt.RegisteredClaims
		_, err := parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return h.secret, nil })
		if err != nil || !strings.EqualFold(scheme, "bearer") {
			refuse(w, http.StatusUnauthorized, "unauthorized", "the token is missing, expired or not of the adapter")
			return
		}
		if r.Method == http.MethodPost && (claims.ID == "" || claims.ID != r.Header.Get("Idempotency-Key")) {
			refuse(w, http.StatusUnauthorized, "unauthorized", "the token is another request's")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		next.ServeHTTP(w, r)
	})
}

// order is a request to reserve or to refund.
type order struct {
	Key         string `json:"key"`
	User        string `json:"user"`
	Amount      string `json:"amount"`
	Currency    string `json:"currency"`
	Reservation string `json:"reservation"`
}

func readOrder(r *http.Request) (standing, error) {
	var o order
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return standing{}, fmt.Errorf("%w: %w", errBadRequest, err)
	}
	amount, err := parseAmount(o.Amount)
	switch {
	case err != nil:
		return standing{}, err
	case o.Key == "" || len(o.Key) > 100:
		return standing{}, fmt.Errorf("%w: key must have 1 to 100 characters", errBadRequest)
	case !isName(o.User):
		return standing{}, fmt.Errorf("%w: user must be 32 letters or digits", errBadRequest)
	case o.Currency != "RUB":
		return standing{}, fmt.Errorf("%w: currency must be RUB", errBadRequest)
	}
	return standing{key: o.Key, user: o.User, amount: amount, reservation: o.Reservation}, nil
}

func (h *handler) reserve(w http.ResponseWriter, r *http.Request) {
	want, err := readOrder(r)
	again := false
	if err == nil {
		again, err = h.books.reserve(r.Context(), want)
	}
	answer(w, want.key, reserved, again, http.StatusCreated, err)
}

func (h *handler) refund(w http.ResponseWriter, r *http.Request) {
	want, err := readOrder(r)
	again := false
	if err == nil {
		again, err = h.books.refund(r.Context(), want)
	}
	answer(w, want.key, refunded, again, http.StatusCreated, err)
}

func (h *handler) capture(w http.ResponseWriter, r *http.Request) {
	key := mux.Vars(r)["key"]
	answer(w, key, captured, false, http.StatusOK, h.books.capture(r.Context(), key))
}

func (h *handler) release(w http.ResponseWriter, r *http.Request) {
	key := mux.Vars(r)["key"]
	answer(w, key, released, false, http.StatusOK, h.books.release(r.Context(), key))
}

func (h *handler) balance(w http.ResponseWriter, r *http.Request) {
	user := mux.Vars(r)["hash"]
	available, set, err := h.books.balance(r.Context(), user)
	if err != nil {
		answer(w, "", "", false, 0, err)
		return
	}
	write(w, http.StatusOK, "application/json", map[string]string{"user": user, "available": text(available), "reserved": text(set), "currency": "RUB"})
}

// answer says what stands under the key now, or why not.
func answer(w http.ResponseWriter, key, state string, again bool, status int, err error) {
	switch {
	case err == nil && again:
		status = http.StatusOK
	case err == nil:
	case errors.Is(err, errNoFunds):
		refuse(w, http.StatusPaymentRequired, "not_enough_funds", err.Error())
		return
	case errors.Is(err, errNoUser):
		refuse(w, http.StatusNotFound, "unknown_user", err.Error())
		return
	case errors.Is(err, errNotThere):
		refuse(w, http.StatusNotFound, "unknown_reservation", err.Error())
		return
	case errors.Is(err, errConflict):
		refuse(w, http.StatusConflict, "conflict", err.Error())
		return
	case errors.Is(err, errBadRequest):
		refuse(w, http.StatusBadRequest, "invalid", err.Error())
		return
	default:
		refuse(w, http.StatusInternalServerError, "internal", "this cannot be done now")
		return
	}
	write(w, status, "application/json", map[string]string{"key": key, "state": state})
}

func refuse(w http.ResponseWriter, status int, code, detail string) {
	write(w, status, "application/problem+json", map[string]any{"status": status, "title": http.StatusText(status), "code": code, "detail": detail})
}

func write(w http.ResponseWriter, status int, contentType string, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
