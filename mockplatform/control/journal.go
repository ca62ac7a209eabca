package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// addJournal declares the operations on the journal.
func (a *api) addJournal(h huma.API) {
	add(h, http.MethodGet, "/journal", "Every exchange that matches, the oldest first", a.getJournal)
	add(h, http.MethodDelete, "/journal", "Forget every exchange", a.clearJournal)
	add(h, http.MethodGet, "/journal/expect", "Wait for exchanges that match; 417 with what came instead", a.expect)
	add(h, http.MethodGet, "/journal/{seq}", "One exchange, with a command that repeats it", a.getExchange)
	add(h, http.MethodGet, "/journal.har", "Every exchange that matches as HTTP Archive 1.2, for the network tab of a browser", a.getHAR)
}

// JournalQuery chooses exchanges. It is exported for huma, which looks into no other kind of
// embedded struct.
type JournalQuery struct {
	Protocol  string            `query:"protocol" enum:"integra,anymoney,robokassa"`
	Method    string            `query:"method" example:"confirmPayment"`
	Direction journal.Direction `query:"direction" enum:"in,out"`
	Partner   string            `query:"partner" doc:"Hash of a partner, lid of a merchant, login of a shop"`
	User      string            `query:"user" doc:"Hash"`
	Payment   string            `query:"payment" doc:"Id at the platform of the exchange"`
	Trace     string            `query:"trace" doc:"What an exchange says as trace: all that belongs to one payment, over all platforms"`
	Outcome   journal.Outcome   `query:"outcome" enum:"ok,refused,faulty" doc:"faulty: a rule did something to it"`
	Check     string            `query:"check" doc:"What refused it"`
	Status    int               `query:"status" minimum:"-1" maximum:"999" doc:"HTTP status; -1 for none"`
	Since     uint64            `query:"since" doc:"Only exchanges after the one with this seq"`
	Limit     int               `query:"limit" minimum:"0" doc:"At most so many, the newest ones; 0 for all"`
}

type journalAnswer struct {
	Body struct {
		Exchanges []exchange `json:"exchanges"`
	}
}

// maxWithin bounds how long an expectation may wait.
const maxWithin = 10 * time.Minute

type expectQuery struct {
	JournalQuery
	Count  int   `query:"count" minimum:"0" maximum:"100000" default:"1" doc:"At least so many; 0 for none at all"`
	Exact  bool  `query:"exact" doc:"Not one more: the answer comes when the time is over"`
	Within int64 `query:"within" minimum:"0" maximum:"600000" default:"5000" doc:"Milliseconds of real time"`
}

// expect answers as soon as it is sure. Nothing at all, and no more than so many, it can only
// be sure of at the end.
func (a *api) expect(ctx context.Context, in *expectQuery) (*journalAnswer, error) {
	exact := in.Exact || in.Count == 0
	wait := in.Count
	if exact {
		wait++ // one more, which is not to come
	}
	within, cancel := context.WithTimeout(ctx, min(time.Duration(in.Within)*time.Millisecond, maxWithin))
	defer cancel()
	filter := journal.Filter(in.JournalQuery)
	filter.Limit = 0
	found, err := a.Journal.Await(within, filter, wait)
	if ctx.Err() != nil {
		return nil, ctx.Err() // the caller is gone
	}
	if late := err != nil; late != exact || exact && len(found) != in.Count {
		return nil, huma.NewError(http.StatusExpectationFailed,
			fmt.Sprintf("expected %s %d, there were %d", orMore(exact), in.Count, len(found)), a.instead(in.JournalQuery)...)
	}
	answer := &journalAnswer{}
	answer.Body.Exchanges = exchangesOf(found)
	return answer, nil
}

func orMore(exact bool) string {
	if exact {
		return "exactly"
	}
	return "at least"
}

// instead lists the latest exchanges, whatever they are, for whoever wonders.
func (a *api) instead(in JournalQuery) []error {
	var all []error
	for _, e := range a.Journal.List(journal.Filter{Since: in.Since, Limit: 10}) {
		v := e.Redacted().Verdict
		what := fmt.Sprintf("%s %s %s %s: %d", e.Direction, e.Protocol, e.Method, e.Payment, e.Status)
		if !v.OK {
			what += " " + v.Check + ": " + v.Detail
		}
		if e.Fault != "" {
			what += " [" + e.Fault + "]"
		}
		all = append(all, &huma.ErrorDetail{Location: fmt.Sprintf("journal/%d", e.Seq), Message: what})
	}
	return all
}

type (
	exchangeQuery struct {
		Seq uint64 `path:"seq" minimum:"1"`
	}
	exchangeAnswer struct {
		Body struct {
			exchange
			Curl string `json:"curl" doc:"For bash; secrets are masked"`
		}
	}
)

func (a *api) getExchange(_ context.Context, in *exchangeQuery) (*exchangeAnswer, error) {
	e := a.Journal.Get(in.Seq)
	if e == nil {
		return nil, huma.Error404NotFound(fmt.Sprintf("the journal does not keep exchange %d", in.Seq))
	}
	answer := &exchangeAnswer{}
	answer.Body.exchange = exchangeOf(e.Redacted())
	answer.Body.Curl = e.Curl()
	return answer, nil
}

type harAnswer struct {
	Disposition string `header:"Content-Disposition"`
	Body        json.RawMessage
}

func (a *api) getHAR(_ context.Context, in *JournalQuery) (*harAnswer, error) {
	text, err := json.Marshal(journal.NewHAR(a.Journal.List(journal.Filter(*in)), a.Version))
	if err != nil {
		return nil, errors.New("the archive could not be written")
	}
	return &harAnswer{Disposition: `attachment; filename="journal.har"`, Body: text}, nil
}

type exchange struct {
	Seq       uint64            `json:"seq" doc:"Order of completion"`
	Protocol  string            `json:"protocol"`
	Method    string            `json:"method" doc:"The protocol's word; notify for a notification, topUp for the page's button"`
	Direction journal.Direction `json:"direction" enum:"in,out"`
	Partner   string            `json:"partner,omitempty"`
	User      string            `json:"user,omitempty"`
	Payment   string            `json:"payment,omitempty"`
	Trace     string            `json:"trace,omitempty" doc:"The payment that it is part of, over all platforms: Integra's id of a top-up or payment, also where Robokassa collects it; merchant/externalid or shop/InvId of any other"`
	Attempt   int               `json:"attempt,omitempty" doc:"Of a notification, from 1"`
	AtMS      int64             `json:"at_ms" doc:"Start, virtual time"`
	RealMS    int64             `json:"real_ms" doc:"Start, real time"`
	TookUS    int64             `json:"took_us" doc:"Real microseconds"`
	Status    int               `json:"status" doc:"HTTP status; 0 without an answer"`
	Request   string            `json:"request" doc:"As received or sent; see request_base64 where it is not UTF-8"`
	Response  string            `json:"response" doc:"As sent or received; see response_base64 where it is not UTF-8"`
	RawReq    []byte            `json:"request_base64,omitempty" doc:"Only where request is not UTF-8"`
	RawResp   []byte            `json:"response_base64,omitempty" doc:"Only where response is not UTF-8"`
	Args      string            `json:"args,omitempty" doc:"The arguments, decrypted"`
	Verdict   verdict           `json:"verdict"`
	Diagnosis *diagnosis        `json:"diagnosis,omitempty" doc:"Why a key, a signature or a form is not right"`
	Scheme    string            `json:"scheme,omitempty" enum:"http,https"`
	Fault     string            `json:"fault,omitempty" doc:"Which rule did what to it"`
	Cut       bool              `json:"cut,omitempty" doc:"Request or response was too long to keep whole"`
}

type verdict struct {
	OK     bool   `json:"ok"`
	Check  string `json:"check,omitempty" doc:"What refused it"`
	Code   int    `json:"code" doc:"The protocol's own"`
	Detail string `json:"detail,omitempty"`
}

type diagnosis struct {
	Cause journal.Cause `json:"cause" enum:"wrong_key,other_mode,order,case,encoding,decimal_form,trailing_zero,parts,separator,time,algorithm,missing,unknown" doc:"Which part differs"`
	Hint  string        `json:"hint" doc:"What was done, for people"`
	Got   string        `json:"got,omitempty" doc:"What was signed or encrypted, as far as it was found out; secrets are masked"`
	Want  string        `json:"want,omitempty" doc:"What should have been"`
}

func (a *api) getJournal(_ context.Context, in *JournalQuery) (*journalAnswer, error) {
	answer := &journalAnswer{}
	answer.Body.Exchanges = exchangesOf(a.Journal.List(journal.Filter(*in)))
	return answer, nil
}

func exchangesOf(found []*journal.Exchange) []exchange {
	all := make([]exchange, len(found))
	for i, e := range found {
		all[i] = exchangeOf(e.Redacted())
	}
	return all
}

func exchangeOf(e *journal.Exchange) exchange {
	x := exchange{
		Seq: e.Seq, Protocol: e.Protocol, Method: e.Method, Direction: e.Direction,
		Partner: e.Partner, User: e.User, Payment: e.Payment, Trace: e.Trace, Attempt: e.Attempt,
		AtMS: e.At.UnixMilli(), RealMS: e.Real.UnixMilli(), TookUS: e.Took.Microseconds(), Status: e.Status,
		Request: string(e.Request), Response: string(e.Response), Args: string(e.Args),
		Verdict: verdict(e.Verdict), Scheme: e.Scheme, Fault: e.Fault, Cut: e.Cut,
	}
	if e.Diagnosis != nil {
		x.Diagnosis = new(diagnosis(*e.Diagnosis))
	}
	if !utf8.Valid(e.Request) {
		x.RawReq = e.Request
	}
	if !utf8.Valid(e.Response) {
		x.RawResp = e.Response
	}
	return x
}

func (a *api) clearJournal(context.Context, *none) (*none, error) {
	a.Journal.Clear()
	return nil, nil
}
