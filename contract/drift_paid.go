package contract

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/partnerkit/partnerkit/contract/recording"
	"github.com/partnerkit/partnerkit/contract/robokassa"
)

// What a shop does with a payment at Robokassa comes after what its buyer did, and that is in no
// recording. So the buyer pays at the stand-in as soon as the recording shows that he had paid.

// What recordings call the calls of the Refund API, and where that is.
const (
	methodRefund      = "Refund/Create"
	methodRefundState = "Refund/GetState"
	refundService     = "/RefundService/"
)

// refundHeader stands for that of a refund's token.
const refundHeader = `{"alg":"HS256","typ":"JWT"}`

// wrongPassword signs what was refused for its signature.
const wrongPassword = "drift-no-password"

var (
	stateOf = regexp.MustCompile(`<State>\s*<Code>(?:20|50|60|80|100)</Code>`)
	labelOf = regexp.MustCompile(`<IncCurrLabel>([^<]+)</IncCurrLabel>`)
)

// robokassaAhead gathers which shop has an operation of a number, and how it was paid.
func (r *replay) robokassaAhead(x *recording.Exchange) {
	if x.Protocol != recording.Robokassa || x.Payment == "" {
		return
	}
	if owner, known := r.owners[x.Payment]; x.Partner != "" && known && owner != x.Partner {
		r.owners[x.Payment] = "" // a message to ResultURL does not say whose it is
	} else if x.Partner != "" {
		r.owners[x.Payment] = x.Partner
	}
	label := textMembers(x.Args)["IncCurrLabel"]
	if found := labelOf.FindStringSubmatch(x.Response); found != nil {
		label = found[1]
	}
	if label != "" && x.Direction == recording.Out {
		r.labels["/"+x.Payment] = label
	} else if label != "" && x.Method != "Index.aspx" {
		r.labels[x.Partner+"/"+x.Payment] = label
	}
}

// wasPaid tells whether a call was answered as only one about a paid operation is.
func wasPaid(x *recording.Exchange) bool {
	m, err := recording.ParseResponse(x.Response)
	if err != nil {
		return false
	}
	switch strings.ToLower(x.Method) {
	case "confirm", "cancel":
		return m.Body == robokassa.HoldAnswer(true)
	case strings.ToLower(methodRefund):
		accepted, _ := readJSON([]byte(m.Body)).(map[string]any)
		return accepted["success"] == true
	case "opstate", "opstateext":
		return stateOf.MatchString(m.Body)
	}
	return false
}

// isUnknownRefund tells whether somebody asked for a refund that there is not.
func isUnknownRefund(x *recording.Exchange) bool {
	return x.Method == methodRefundState && strings.Contains(x.Response, robokassa.RefundUnknownID)
}

// An operation as the stand-in's control API shows it.
type standInOperation struct {
	State int
	OpKey string `json:"op_key"`
}

func operationPath(number string) string { return "/robokassa/operations/" + url.PathEscape(number) }

// operation asks for an operation of the stand-in's.
func (r *replay) operation(ctx context.Context, login, number string) (o standInOperation, err error) {
	err = r.control.do(ctx, http.MethodGet, operationPath(number)+"?shop="+url.QueryEscape(login), nil, &o)
	var refused *controlError
	if errors.As(err, &refused) {
		return o, skip("the recording does not show how its operation began")
	}
	return o, err
}

// pay lets the buyer pay an operation, as he did in the recording, if he has not yet.
func (r *replay) pay(ctx context.Context, shop, login, number string) error {
	o, err := r.operation(ctx, login, number)
	if err != nil || o.State > int(robokassa.StateCancelled) {
		return err
	}
	body := map[string]string{"shop": login}
	for _, of := range []string{shop + "/" + number, "/" + number} {
		if label := r.labels[of]; label != "" && body["method"] == "" {
			body["method"] = label
		}
	}
	err = r.control.do(ctx, http.MethodPost, operationPath(number)+"/pay", body, nil)
	var refused *controlError
	if errors.As(err, &refused) && body["method"] != "" {
		r.note("the stand-in's Robokassa does not take %s: operation %s is paid otherwise", body["method"], number)
		delete(body, "method")
		err = r.control.do(ctx, http.MethodPost, operationPath(number)+"/pay", body, nil)
	}
	if err != nil {
		return err
	}
	return r.control.advance(ctx, 0)
}

// withOpKey is the payload of a refund with the OpKey of the stand-in's operation: that of the
// recording is masked.
func (r *replay) withOpKey(ctx context.Context, login, number string, payload []byte) ([]byte, error) {
	o, err := r.operation(ctx, login, number)
	if err != nil {
		return nil, err
	}
	object, ok := readJSON(payload).(map[string]any)
	if _, named := object["OpKey"]; !ok || !named {
		return payload, nil
	}
	object["OpKey"] = o.OpKey
	return json.Marshal(object)
}

// robokassaResult lets the buyer pay the operation of which a message to ResultURL told, and
// compares the stand-in's message with it. The shop answers as it did.
func (r *replay) robokassaResult(ctx context.Context, x *recording.Exchange) error {
	shop := r.owners[x.Payment]
	login := r.shops[shop]
	if shop == "" || login == "" {
		return skip("nothing was recorded of its operation before")
	}
	of := login + "/" + x.Payment
	n := r.heard[of]
	r.heard[of]++
	if m, err := recording.ParseResponse(x.Response); err == nil {
		r.inbox.answerResultWith(m.Body)
	}
	r.inbox.answerWith(x.Status)
	defer r.inbox.answerWith(http.StatusOK)
	defer r.inbox.answerResultWith("")
	got := r.inbox.get(of, n)
	if got == nil {
		if err := r.pay(ctx, shop, login, x.Payment); err != nil {
			return err
		}
		got = r.inbox.get(of, n)
	}
	if got == nil {
		r.differ(x, "(notification)", "sent", Absent)
		return nil
	}
	form, err := url.ParseQuery(string(got.body))
	if err != nil {
		return err
	}
	recorded, standIn := map[string]any{}, map[string]any{}
	for name, value := range textMembers(x.Args) {
		recorded[name] = value
	}
	for name := range form {
		standIn[name] = form.Get(name)
	}
	r.compare(x, "", recorded, standIn)
	return nil
}
