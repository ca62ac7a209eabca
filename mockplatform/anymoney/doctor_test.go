package anymoney_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

func macHex(h func() hash.Hash, key, text string) string {
	return hex.EncodeToString(macRaw(h, key, text))
}

func macRaw(h func() hash.Hash, key, text string) []byte {
	m := hmac.New(h, []byte(key))
	m.Write([]byte(text))
	return m.Sum(nil)
}

// Every mistake that is known to be made with a signature is found out and named.
func TestSignatureDoctor(t *testing.T) {
	t.Parallel()
	const api, sci, other = "mock-api-key-of-merchant-37", "mock-sci-key-of-merchant-37", "mock-api-key-of-merchant-38"
	s := mockplatform.Start(t, func(cfg *mockplatform.Config) { cfg.Clock.Frozen = true })
	now := strconv.FormatInt(s.Clock().Now().UnixMilli(), 10)
	const params = `{"payway":"visamc","in_curr":"UAH","amount":"100.50","externalid":"O1"}`
	// By name: amount, externalid, in_curr, payway.
	right := "100.50o1uahvisamc" + now
	tests := []struct {
		name, signature string
		cause           journal.Cause
		hint, got       string
	}{
		{"SCI key", macHex(sha512.New, sci, right), journal.CauseWrongKey, "SCI key", right},
		{"key of another merchant", macHex(sha512.New, other, right), journal.CauseWrongKey, "merchant 38", right},
		{"line end in the key", macHex(sha512.New, api+"\n", right), journal.CauseWrongKey, "line end", right},
		{"order of the request", macHex(sha512.New, api, "visamcuah100.50o1"+now), journal.CauseOrder, "order of the request", "visamcuah100.50o1" + now},
		{"case", macHex(sha512.New, api, "100.50O1UAHvisamc"+now), journal.CauseCase, "lower case", "100.50O1UAHvisamc" + now},
		{"trailing zero", macHex(sha512.New, api, "100.5o1uahvisamc"+now), journal.CauseTrailingZero, "without the zeros", "100.5o1uahvisamc" + now},
		{"more decimals", macHex(sha512.New, api, "100.500o1uahvisamc"+now), journal.CauseTrailingZero, "with 3 decimals", "100.500o1uahvisamc" + now},
		{"decimal comma", macHex(sha512.New, api, "100,50o1uahvisamc"+now), journal.CauseDecimalForm, "comma", "100,50o1uahvisamc" + now},
		{"names too", macHex(sha512.New, api, "amount100.50externalido1in_curruahpaywayvisamc"+now), journal.CauseParts, "names", ""},
		{"separators", macHex(sha512.New, api, "100.50:o1:uah:visamc:"+now), journal.CauseSeparator, `":"`, ""},
		{"no time", macHex(sha512.New, api, "100.50o1uahvisamc"), journal.CauseTime, "not signed", "100.50o1uahvisamc"},
		{"seconds", macHex(sha512.New, api, "100.50o1uahvisamc"+now[:len(now)-3]), journal.CauseTime, "seconds", ""},
		{"SHA-256", macHex(sha256.New, api, right), journal.CauseAlgorithm, "SHA-256", right},
		{"base64", base64.StdEncoding.EncodeToString(macRaw(sha512.New, api, right)), journal.CauseAlgorithm, "base64", right},
		{"two at once", strings.ToUpper(macHex(sha512.New, sci, "100.5o1uahvisamc"+now)), journal.CauseTrailingZero, "SCI key", "100.5o1uahvisamc" + now},
		{"nobody knows", macHex(sha512.New, "x", "y"), journal.CauseUnknown, "no known mistake", ""},
	}
	for _, tt := range tests {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.PlatformURL()+"/anymoney/",
			strings.NewReader(fmt.Sprintf(`{"jsonrpc":"2.0","id":"1","method":"payin.create","params":%s}`, params)))
		r.Header = http.Header{"X-Merchant": {"37"}, "X-Utc-Now-Ms": {now}, "X-Signature": {tt.signature}}
		post(t, r)
		d := diagnosis(t, s)
		if d.Cause != tt.cause || !strings.Contains(d.Hint, tt.hint) || d.Want != right || tt.got != "" && d.Got != tt.got {
			t.Errorf("%s: %+v", tt.name, d)
		}
		if all := fmt.Sprintf("%+v", d); strings.Contains(all, api) || strings.Contains(all, sci) || strings.Contains(all, other) {
			t.Errorf("%s: a key is shown: %s", tt.name, all)
		}
	}
}

func TestFormDoctor(t *testing.T) {
	t.Parallel()
	const api, sci = "mock-api-key-of-merchant-37", "mock-sci-key-of-merchant-37"
	s := mockplatform.Start(t)
	for _, tt := range []struct {
		name, sign string
		cause      journal.Cause
		hint       string
	}{
		{"API key", macHex(sha512.New, api, "100.50o1uah37"), journal.CauseWrongKey, "API key"},
		{"order of the form", macHex(sha512.New, sci, "37uaho1100.50"), journal.CauseOrder, "order of the request"},
		{"trailing zero", macHex(sha512.New, sci, "100.5o1uah37"), journal.CauseTrailingZero, "zeros"},
	} {
		body := "merchant=37&in_curr=UAH&externalid=O1&amount=100.50&sign=" + url.QueryEscape(tt.sign)
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.PlatformURL()+"/anymoney-sci/invoice", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		post(t, r)
		if d := diagnosis(t, s); d.Cause != tt.cause || !strings.Contains(d.Hint, tt.hint) || d.Want != "100.50o1uah37" {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
}

func post(t *testing.T, r *http.Request) {
	t.Helper()
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
}

func diagnosis(t *testing.T, s *mockplatform.Server) journal.Diagnosis {
	t.Helper()
	e := s.Journal().List(journal.Filter{Limit: 1})
	if len(e) == 0 || e[0].Diagnosis == nil {
		t.Fatal("no diagnosis in the journal")
	}
	return *e[0].Redacted().Diagnosis
}
