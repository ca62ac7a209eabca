package api_test

import (
	"bytes"
	"context"
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
	want := []string{
		"panel api create-payin payins key button 7: <nil>",
		"panel api create-payin payins : invalid: answered 422 Unprocessable Entity",
		"panel api create-payin payins : answered 503 Service Unavailable",
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
