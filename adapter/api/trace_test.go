package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter/api"
)

// Every problem, whoever writes it, says to which trace it belongs.
func TestEveryProblemNamesItsTrace(t *testing.T) {
	t.Parallel()
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	b := &breaking{}
	w := newWorld(t, func(c *api.Config) {
		c.TraceID = func(context.Context) string { return trace }
		c.Rate, c.Burst = 1, 20
		b.Requests, c.Requests = c.Requests, b
	})
	alice := w.user(t, 1, 100_00)
	post := func(path, key, body string) *http.Response { return w.post(path, key, body) }
	get := func(path, authorization string) *http.Response {
		return call(w, "GET", "/v1/"+path, authorization, "", "")
	}
	for _, tt := range []struct {
		status int
		answer func() *http.Response
	}{
		{400, func() *http.Response { return post("payments", "k1", `{"user":`) }},
		{401, func() *http.Response { return get("payments", "") }},
		{401, func() *http.Response { return get("payments", "Basic x") }},
		{403, func() *http.Response { return get("payments", "Bearer users:write") }},
		{404, func() *http.Response { return get("payments/7", "Bearer admin") }},
		{404, func() *http.Response { return get("nothing", "Bearer admin") }},
		{405, func() *http.Response { return call(w, "PUT", "/v1/payments", "Bearer admin", "", "") }},
		{413, func() *http.Response { return post("payments", "k2", `{"user":"`+strings.Repeat("x", 17<<10)+`"}`) }},
		{422, func() *http.Response { return post("payments", "k3", `{}`) }},
		{422, func() *http.Response { return post("accounts/"+alice+"/withdrawals", "k4", `{"amount":"1000"}`) }},
		{422, func() *http.Response { return post("accounts/"+alice+"/withdrawals", "k4", `{"amount":"1000"}`) }}, // given again
		{502, func() *http.Response { return post("users", "k5", `{"login":"silent"}`) }},
		{503, func() *http.Response {
			b.broken.Store(true)
			defer b.broken.Store(false)
			return post("accounts/"+alice+"/deposits", "k6", `{"amount":"1"}`)
		}},
		{409, func() *http.Response { return post("accounts/"+alice+"/deposits", "k6", `{"amount":"1"}`) }},
		{429, func() *http.Response {
			for range 50 {
				if r := get("payments", "Bearer admin"); r.StatusCode == 429 {
					return r
				}
			}
			return get("payments", "Bearer admin")
		}},
	} {
		r := tt.answer()
		if got := text(t, r); r.StatusCode != tt.status || !strings.Contains(got, `"instance":"urn:trace:`+trace+`"`) {
			t.Errorf("%d %s; want %d with the trace", r.StatusCode, got, tt.status)
		}
	}
	w.clock.Advance(time.Minute)
	w.clean(t)
}
