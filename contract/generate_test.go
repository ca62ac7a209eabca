package contract_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/mockplatform"
)

// before puts a layer before a stand-in that answers by itself what spoils says, from the
// address or the body.
func before(t *testing.T, platform *mockplatform.Server, spoils func(path, text string) (answer string, status int)) *contract.Target {
	t.Helper()
	behind, err := url.Parse(platform.PlatformURL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	layer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if answer, status := spoils(r.URL.Path, r.URL.RawQuery+string(body)); status != 0 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, answer)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(layer.Close)
	target := standIn(platform)
	target.Platform.Integra.URL = layer.URL
	target.Platform.AnyMoney.URL = layer.URL + "/anymoney/"
	target.Platform.Robokassa.URL = layer.URL + "/robokassa"
	return target
}

// A platform that goes wrong at some value is found out, the value is cut down to what is
// wrong with it, the report says how to do it again, and equal seeds find the same.
func TestGeneratedValuesFindAndShrink(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, check string
		spoils      func(path, text string) (string, int)
		want        string // of the failure
		command     string // in the curl command
	}{
		{
			"Any.Money fails at a long amount", "PA-INPUT-02", func(_, text string) (string, int) {
				if m := regexp.MustCompile(`"amount":"([^"\\]*)"`).FindStringSubmatch(text); m != nil && len(m[1]) > 11 {
					return "", http.StatusInternalServerError
				}
				return "", 0
			}, `an answer of the protocol to amount = "000000000000", cut down from`, `"amount":"000000000000"`,
		},
		{
			"Any.Money takes whatever begins with a plus", "PA-INPUT-02", func(_, text string) (string, int) {
				if strings.Contains(text, `"amount":"+`) {
					return `{"jsonrpc":"2.0","result":{},"id":"1"}`, http.StatusOK
				}
				return "", 0
			}, `a refusal of amount = "+", cut down from "+100.5"`, `"amount":"+"`,
		},
		{
			"Robokassa takes a number with a letter", "PR-INPUT-01", func(_, text string) (string, int) {
				if m := regexp.MustCompile(`InvId=([^&]*)`).FindStringSubmatch(text); m != nil && strings.ContainsAny(m[1], "xe") {
					return `{"invoiceID":"x","errorCode":0,"errorMessage":null}`, http.StatusOK
				}
				return "", 0
			}, `a refusal of InvID = "`, `InvId=`,
		},
		{
			"Integra breaks at long arguments", "PI-INPUT-01", func(path, text string) (string, int) {
				if strings.HasSuffix(path, "/hello") && len(text) > 3000 {
					return "", http.StatusBadGateway
				}
				return "", 0
			}, `an answer of the protocol to name = "0000`, `hello?k=zaa`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var first string
			for range 2 {
				target := before(t, mockplatform.Start(t), tt.spoils)
				report, err := contract.Run(t.Context(), target, contract.Options{Only: []string{tt.check}, Seed: 3})
				if err != nil {
					t.Fatal(err)
				}
				r := report.Results[0]
				if r.Failure == nil || !strings.HasPrefix(r.Failure.Want, tt.want) {
					t.Fatalf("%s %+v: %v; want a failure with %q", r.Outcome, r.Why, r.Failure, tt.want)
				}
				if i := r.Failure.Exchange; i < 0 || !strings.Contains(r.Exchanges[i].Curl, tt.command) {
					t.Errorf("exchange %d of %+v; want its command with %q", i, r.Exchanges, tt.command)
				}
				if first == "" {
					first = r.Failure.Want
				} else if r.Failure.Want != first {
					t.Errorf("the same seed found %q, then %q", first, r.Failure.Want)
				}
			}
		})
	}
}
