package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/api"
)

func TestWritingCallsAreAudited(t *testing.T) {
	t.Parallel()
	var got []string
	var logged bytes.Buffer
	full := false
	h := api.New(api.Config{
		Payins: &fake{}, Store: &fake{}, Log: slog.New(slog.NewTextHandler(&logged, nil)),
		Verify: func(name string) (api.Grant, error) {
			if name == "guest" {
				return api.Grant{Name: name, Scopes: []string{api.ScopePayinsRead}}, nil
			}
			return api.Grant{Name: name, Scopes: []string{api.ScopePayinsRead, api.ScopePayinsWrite}}, nil
		},
		Act: func(ctx context.Context, a adapter.Action, do func(context.Context) error) error {
			err := do(ctx)
			got = append(got, fmt.Sprintf("%s %s %s %s %s: %v", a.Who, a.Via, a.What, a.On, a.Detail, err))
			if full {
				err = errors.Join(err, errors.New("disk is full"))
			}
			return err
		},
	})
	body := func(externalID string) string {
		return `{"user":"` + user + `","amount":"115","in_curr":"UAH","payway":"visamc","externalid":"` + externalID + `"}`
	}
	call(h, "GET", "/v1/payins", "Bearer panel", "", "")
	call(h, "POST", "/v1/payins/calc", "Bearer panel", "", `{"amount":"1","in_curr":"UAH","payway":"visamc"}`)
	call(h, "POST", "/v1/payins", "", "", body("x"))
	call(h, "POST", "/v1/payins", "Bearer panel", "button 7", body("x"))
	call(h, "POST", "/v1/payins", "Bearer panel", "", body("conflict"))
	call(h, "POST", "/v1/payins", "Bearer panel", "", body("broken"))
	call(h, "POST", "/v1/payins", "Bearer guest", "", body("x"))
	want := []string{
		"panel api create-payin payins key button 7: <nil>",
		"panel api create-payin payins : invalid: answered 422 Unprocessable Entity",
		"panel api create-payin payins : answered 503 Service Unavailable",
		"guest api create-payin payins : invalid: answered 403 Forbidden",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audited (-want +got):\n%s", diff)
	}
	if strings.Contains(logged.String(), "audit log") {
		t.Errorf("complains without a reason: %s", &logged)
	}
	full = true
	call(h, "POST", "/v1/payins", "Bearer panel", "", body("conflict"))
	if !strings.Contains(logged.String(), "missing in the audit log") {
		t.Errorf("keeps silent about a line that is missing: %s", &logged)
	}
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice := w.user(t, 1, 0)
	w.post("accounts/"+alice+"/deposits", "one", `{"amount":"5"}`)
	w.post("accounts/"+alice+"/deposits", "two", `{"amount":"-5"}`)
	get := func(query string) (list []api.Action, next int64) {
		t.Helper()
		r := call(w, "GET", "/v1/audit"+query, "Bearer admin", "", "")
		var answer struct {
			Actions []api.Action
			Next    int64
		}
		if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || r.StatusCode != 200 {
			t.Fatal(r.StatusCode, err)
		}
		return answer.Actions, answer.Next
	}
	newest, next := get("?limit=1&via=api&what=deposit")
	older, end := get(fmt.Sprintf("?limit=1&before=%d", next))
	if len(newest) != 1 || len(older) != 1 || end != 0 {
		t.Fatalf("pages: %+v, %+v, then %d", newest, older, end)
	}
	for i, want := range []string{"refused key two", "done key one"} {
		a := append(newest, older...)[i]
		if a.Who != "panel of admin" || a.On != "accounts/"+alice+"/deposits" || !strings.HasPrefix(a.Result+" "+a.Detail, want) {
			t.Errorf("%+v; want %s", a, want)
		}
	}
	for query, field := range map[string]string{"?via=post": "query.via", "?before=x": "query.before", "?from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z": "query.to"} {
		if r := call(w, "GET", "/v1/audit"+query, "Bearer admin", "", ""); r.StatusCode != 422 || !strings.Contains(text(t, r), field) {
			t.Errorf("%s: %d; want %s", query, r.StatusCode, field)
		}
	}
}
