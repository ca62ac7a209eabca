package billing

import (
	"encoding/json"
	"testing"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/outcall"
)

// Whatever comes back, it is accepted only if it names the payment and the state, and a
// reservation is refused only with the contract's code of that status.
func FuzzJudge(f *testing.F) {
	f.Add(201, []byte(`{"key":"k","state":"reserved"}`))
	f.Add(402, []byte(`{"code":"not_enough_funds"}`))
	f.Add(404, []byte(`{"code":"unknown_user","title":"Not Found"}`))
	f.Add(409, []byte(`{"code":"conflict"}`))
	f.Add(500, []byte(`{"key":"k","state":"reserved"}`))
	f.Add(200, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		o := judge(outcall.Answer{Status: status, Body: body}, adapter.Reserve, "k", "reserved")
		var said struct{ Key, State, Code string }
		err := json.Unmarshal(body, &said)
		switch o.Verdict {
		case adapter.Accepted:
			if err != nil || said.Key != "k" || said.State != "reserved" || status != 200 && status != 201 {
				t.Errorf("%d %q is accepted", status, body)
			}
		case adapter.Refused:
			own, decides := map[int]string{402: "not_enough_funds", 404: "unknown_user"}[status] // what declines
			if err != nil || said.Code == "" || status < 400 || status > 499 || decides && said.Code != own {
				t.Errorf("%d %q is refused", status, body)
			}
		case adapter.Unknown:
		default:
			t.Errorf("%d %q is %s", status, body, o.Verdict)
		}
	})
}
