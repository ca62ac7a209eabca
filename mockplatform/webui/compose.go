package webui

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
)

// composePage makes a request as a partner would, shows it sealed, and sends it.
type composePage struct {
	frame
	Methods  []wire.Method
	Partners []integra.Partner
	Users    []integra.User
	Method   string
	Hash     string
	Args     string // as it was typed
	URL      string
	Curl     string
	Status   int // of the answer, once it was sent
	Answer   page.Code
	Problem  *problem
}

// maxShown is how much of an answer is shown.
const maxShown = 64 << 10

// examples are arguments to begin with.
var examples = map[wire.Method]string{
	wire.Hello:               `{"name": "World"}`,
	wire.CreateUser:          `{"username": "alice", "hash": "` + exampleHash + `"}`,
	wire.CryptLogin:          `{"login": "alice", "hash": "` + exampleHash + `", "paymentNotifyUrl": "http://127.0.0.1:8080/integra/notify?id={id}&amount={amount}&hash={hash}"}`,
	wire.DoPayment:           `{"paymentSum": "100", "paymentHash": "` + exampleHash + `", "userLogin": "alice"}`,
	wire.ConfirmPayment:      `{"amount": "100", "transactionId": "` + exampleHash + `"}`,
	wire.DeclinePayment:      `{"transactionId": "` + exampleHash + `", "errorCode": 402, "errorMessage": "not enough funds"}`,
	wire.GetFinSummaryByDate: `{"date": "2026-03-14"}`,
	wire.ChangeURL:           `{"url": "https://example.com"}`,
	wire.AttachCounter:       `{"counterId": "12345", "accessToken": "token"}`,
}

const exampleHash = "202cb962ac59075b964b07152d234b70"

// Example is the arguments of a method to begin with.
func (composePage) Example(m string) string {
	if text, ok := examples[wire.Method(m)]; ok {
		return text
	}
	return "{}"
}

func (h *handler) compose(w http.ResponseWriter, r *http.Request) {
	p := &composePage{
		frame: h.frame(h.view(w, r), "compose"), Methods: wire.Methods(), Partners: h.Integra.Partners(), Users: h.Integra.Users(),
	}
	p.Method, p.Hash = p.Get("method"), p.Get("hash")
	if p.Method == "" {
		p.Method = string(wire.Hello)
	}
	if r.Method == http.MethodPost {
		form, why := readForm(w, r)
		if p.Problem = why; why == nil {
			p.Method, p.Hash, p.Args = form.Get("method"), form.Get("hash"), form.Get("args")
			p.Problem = h.send(r, p, form.Get("do") == "send")
		}
	}
	if p.Args == "" {
		p.Args = p.Example(p.Method)
	}
	h.render(w, p.Problem, "compose", p)
}

// send seals the request of a form and, if really is set, lets the platform answer it.
func (h *handler) send(r *http.Request, p *composePage, really bool) *problem {
	if !json.Valid([]byte(p.Args)) {
		return &problem{Status: http.StatusUnprocessableEntity, Detail: "the arguments are not JSON"}
	}
	var made struct{ URL, Curl string }
	request := map[string]any{"method": p.Method, "hash": p.Hash, "args": json.RawMessage(p.Args)}
	if why := h.call(r.Context(), http.MethodPost, "/integra/compose", request, &made); why != nil {
		return why
	}
	p.URL, p.Curl = made.URL, made.Curl
	if !really {
		return nil
	}
	answer := ask(r.Context(), h.Platform, http.MethodPost, strings.TrimPrefix(made.URL, h.PlatformURL), nil)
	p.Status = answer.status
	body := answer.body.Bytes()
	p.Answer = page.Code{ID: "answer"}
	if text := indented(body); text != "" {
		p.Answer.Tabs = append(p.Answer.Tabs, page.Tab{Name: site.Text(p.Lang, "tab.body"), Text: text})
	}
	p.Answer.Tabs = append(p.Answer.Tabs, page.Tab{
		Name: site.Text(p.Lang, "tab.raw"), Text: "HTTP " + strconv.Itoa(answer.status) + "\n\n" + string(body[:min(len(body), maxShown)]),
	})
	return nil
}
