package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"gopkg.in/yaml.v3"
)

const secret = "a secret of thirty-two bytes or more"

var (
	alice = strings.Repeat("a", 32)
	key1  = "integra-" + strings.Repeat("1", 32)
	key2  = "integra-" + strings.Repeat("2", 32)
)

// document is what of the OpenAPI file is compared with the program.
type document struct {
	Paths map[string]map[string]struct {
		OperationID string         `yaml:"operationId"`
		Responses   map[string]any `yaml:"responses"`
	} `yaml:"paths"`
}

func readDocument(t *testing.T) document {
	t.Helper()
	raw, err := os.ReadFile("../../billing.openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := yaml.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// client asks the program and holds every answer to the document.
type client struct {
	t   *testing.T
	url string
	doc document
}

func newClient(t *testing.T) (*client, *books) {
	t.Helper()
	b, err := openBooks(t.Context(), filepath.Join(t.TempDir(), "billing.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
	s := httptest.NewServer(newHandler(b, []byte(secret), time.Now))
	t.Cleanup(s.Close)
	if err := b.deposit(t.Context(), alice, 1000_00); err != nil {
		t.Fatal(err)
	}
	return &client{t: t, url: s.URL, doc: readDocument(t)}, b
}

func mint(t *testing.T, change func(*jwt.RegisteredClaims)) string {
	t.Helper()
	claims := jwt.RegisteredClaims{
		ID: "id", Issuer: "partnerkit-adapter", Audience: jwt.ClaimStrings{"partner-billing"}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}
	if change != nil {
		change(&claims)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (c *client) do(method, path, token, body string) (status int, answer map[string]any) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Idempotency-Key", "id")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Error(err)
		return 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Error(err)
	}
	if json.Unmarshal(raw, &answer) != nil {
		c.t.Errorf("%s %s: %s", method, path, raw)
	}
	if !c.documented(method, path, res.StatusCode) {
		c.t.Errorf("%s %s answers %d, which is not documented", method, path, res.StatusCode)
	}
	return res.StatusCode, answer
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// documented: 400 and 500 say that a side is broken, which no document promises.
func (c *client) documented(method, path string, status int) bool {
	for template, operations := range c.doc.Paths {
		if regexp.MustCompile("^" + placeholder.ReplaceAllString(template, "[^/]+") + "$").MatchString(path) {
			_, ok := operations[strings.ToLower(method)].Responses[strconv.Itoa(status)]
			return ok || status == http.StatusBadRequest || status == http.StatusInternalServerError
		}
	}
	return false
}

func (c *client) post(path, body string, want int) map[string]any {
	c.t.Helper()
	status, answer := c.do(http.MethodPost, path, mint(c.t, nil), body)
	if status != want {
		c.t.Errorf("POST %s %s = %d %v; want %d", path, body, status, answer, want)
	}
	return answer
}

func (c *client) has(available, reserved string) {
	c.t.Helper()
	_, got := c.do(http.MethodGet, "/users/"+alice+"/balance", mint(c.t, nil), "")
	if got["available"] != available || got["reserved"] != reserved || got["user"] != alice || got["currency"] != "RUB" {
		c.t.Errorf("balance %v; want %s, %s", got, available, reserved)
	}
}

func reservation(key, user, amount string) string {
	return fmt.Sprintf(`{"key":%q,"user":%q,"amount":%q,"currency":"RUB"}`, key, user, amount)
}

func TestMoves(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	if got := c.post("/reservations", reservation(key1, alice, "100.50"), 201); got["key"] != key1 || got["state"] != "reserved" {
		t.Errorf("reserved: %v", got)
	}
	c.post("/reservations", reservation(key1, alice, "100.50"), 200)
	c.has("899.50", "100.50")
	if got := c.post("/reservations", reservation(key1, alice, "100.51"), 409); got["code"] != "conflict" {
		t.Errorf("other content: %v", got)
	}
	if got := c.post("/reservations", reservation(key2, alice, "899.51"), 402); got["code"] != "not_enough_funds" {
		t.Errorf("short: %v", got)
	}
	if got := c.post("/reservations", reservation(key2, strings.Repeat("b", 32), "1.00"), 404); got["code"] != "unknown_user" {
		t.Errorf("stranger: %v", got)
	}
	for range 2 {
		c.post("/reservations/"+key1+"/capture", "{}", 200)
	}
	c.has("899.50", "0.00")
	c.post("/reservations/"+key1+"/release", "{}", 409)
	c.post("/reservations", reservation(key1, alice, "100.50"), 409)
	c.post("/reservations/"+key2+"/capture", "{}", 404)

	refund := func(key, amount string) string {
		return fmt.Sprintf(`{"key":%q,"user":%q,"amount":%q,"currency":"RUB","reservation":%q}`, key, alice, amount, key1)
	}
	c.post("/refunds", refund("integra-r", "100.51"), 409)
	c.post("/refunds", refund("integra-r", "60.50"), 201)
	c.post("/refunds", refund("integra-r", "60.50"), 200)
	c.post("/refunds", refund("integra-s", "40.01"), 409) // more than is left
	c.has("960.00", "0.00")
}

// A reservation that comes after its release finds nothing to reserve.
func TestReleasedStaysReleased(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	c.post("/reservations/"+key1+"/release", "{}", 200)
	c.post("/reservations", reservation(key1, alice, "1.00"), 409)
	c.post("/reservations", reservation(key2, alice, "2.00"), 201)
	for range 2 {
		c.post("/reservations/"+key2+"/release", "{}", 200)
	}
	c.post("/reservations", reservation(key2, alice, "2.00"), 409)
	c.has("1000.00", "0.00")
}

func TestTokens(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	other, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		ID: "id", Issuer: "partnerkit-adapter", Audience: jwt.ClaimStrings{"partner-billing"}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}).SignedString([]byte(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"none": "", "garbage": "a.b.c", "another secret": other,
		"expired":            mint(t, func(c *jwt.RegisteredClaims) { c.ExpiresAt = jwt.NewNumericDate(time.Now().Add(-2 * time.Minute)) }),
		"without an end":     mint(t, func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil }),
		"another issuer":     mint(t, func(c *jwt.RegisteredClaims) { c.Issuer = "somebody" }),
		"another audience":   mint(t, func(c *jwt.RegisteredClaims) { c.Audience = jwt.ClaimStrings{"partnerkit-api"} }),
		"another request's":  mint(t, func(c *jwt.RegisteredClaims) { c.ID = "other" }),
		"without an own id…": mint(t, func(c *jwt.RegisteredClaims) { c.ID = "" }),
	} {
		if status, answer := c.do(http.MethodPost, "/reservations", token, reservation(key1, alice, "1.00")); status != 401 || answer["code"] != "unauthorized" {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
	c.has("1000.00", "0.00")
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	c, _ := newClient(t)
	good := reservation(key1, alice, "1.00")
	for name, body := range map[string]string{
		"nothing": "", "no object": "[]", "another field": strings.Replace(good, "{", `{"x":1,`, 1),
		"a number": strings.Replace(good, `"1.00"`, "1", 1), "negative": strings.Replace(good, "1.00", "-1.00", 1),
		"zero": strings.Replace(good, "1.00", "0.00", 1), "no decimals": strings.Replace(good, `"1.00"`, `"1"`, 1),
		"too fine": strings.Replace(good, "1.00", "1.001", 1), "too much": strings.Replace(good, "1.00", "99999999999999999999.00", 1),
		"dollars": strings.Replace(good, "RUB", "USD", 1), "no key": strings.Replace(good, key1, "", 1), "short user": strings.Replace(good, "aa", "", 1),
		"a comma": strings.Replace(good, "1.00", "1,00", 1), "a leading zero": strings.Replace(good, "1.00", "01.00", 1),
	} {
		if got := c.post("/reservations", body, 400); got["code"] != "invalid" {
			t.Errorf("%s: %v", name, got)
		}
	}
	c.has("1000.00", "0.00")
}

// Whatever comes at once, the money adds up, and a key stands for one thing.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	c, b := newClient(t)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			key := fmt.Sprintf("integra-%032d", i/4) // each key four times
			ctx := context.Background()
			if _, err := b.reserve(ctx, standing{key: key, user: alice, amount: 150_00}); err != nil && !errors.Is(err, errNoFunds) && !errors.Is(err, errConflict) {
				t.Error(err)
			}
			move := b.capture
			if i%8 < 4 {
				move = b.release
			}
			if err := move(ctx, key); err != nil && !errors.Is(err, errNotThere) && !errors.Is(err, errConflict) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var sums struct{ available, reserved, spent, captured int64 }
	err := b.db.QueryRowContext(t.Context(), `SELECT available, reserved, spent, (SELECT coalesce(sum(amount), 0) FROM keys WHERE state = 'captured') FROM users`).
		Scan(&sums.available, &sums.reserved, &sums.spent, &sums.captured)
	if err != nil || sums.available+sums.reserved+sums.spent != 1000_00 || sums.spent != sums.captured {
		t.Errorf("%+v, %v", sums, err)
	}
	c.has(text(sums.available), text(sums.reserved))
}
