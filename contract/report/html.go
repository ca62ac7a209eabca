package report

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/internal/page"
)

//go:embed page
var files embed.FS

var site = page.New(page.Config{Files: files, Dir: "page"})

// HTML is how a report is written as one page: a file that needs no other and no server.
type HTML struct {
	Lang string // en or ru: which of the two is shown first; both are in the file
	File string // the target's file, for the command that runs a check again
}

// Sizes of a page, so that a report of five hundred checks stays small: how much it shows of
// a message, and how many exchanges, of a check that passed and of one that did not.
const (
	briefly     = 400
	atLength    = 8 << 10
	brieflyMany = 12
	atLengthAll = 48
	maxOpened   = 20 // checks that are open at first
)

// Write writes the page.
func (o HTML) Write(w io.Writer, r *contract.Report) error {
	first, second := page.EN, page.RU
	if o.Lang == "ru" {
		first, second = second, first
	}
	var pages [2][]byte
	for i, lang := range []page.Lang{first, second} {
		var err error
		if pages[i], err = site.HTML(lang, "report", o.document(lang, r)); err != nil {
			return err
		}
	}
	doc, err := inBoth(first, pages[0], second, pages[1])
	if err != nil {
		return err
	}
	return doc.write(w, page.Stylesheet()+asset("report.css"), page.Script()+asset("report.js"))
}

func asset(name string) string {
	body, err := files.ReadFile("page/" + name)
	if err != nil {
		panic(err) // what is embedded can be read
	}
	return string(body)
}

// document is the page's data in one language.
type document struct {
	page.View
	Report     *contract.Report
	Target     string
	Ended      string
	Problems   []string
	Waited     string
	Role       page.Role
	Started    time.Time
	Took       time.Duration
	Bad        int // checks that broke the agreement
	States     []choice
	Severities []choice
	Protocols  []choice
	Wrong      []check // what a reader came for: all that is not as it should be
	Skipped    []reason
	Areas      []area
}

// A choice is something to filter by, with how many checks have it.
type choice struct {
	Name  string
	Role  page.Role
	Count int
}

// A reason is why checks were skipped.
type reason struct {
	Why string
	IDs []string
}

type area struct {
	ID, Title   string
	Passed, All int
	Checks      []check
}

type check struct {
	*contract.Result
	Role            page.Role
	Protocol        string
	Title, Reason   string
	Clause          string
	Want, Got       string // of a failure
	Matters, Mend   string
	Again           string
	Curl, CurlShown string // as it is, and as it can be shown
	Took            time.Duration
	Open            bool
	Diagram         page.Diagram
	Left            int // exchanges that are not drawn
}

// roles are the outcomes in the order in which a filter offers them.
var roles = []choice{
	{Name: string(contract.Failed), Role: page.Bad},
	{Name: string(contract.Errored), Role: page.Bad},
	{Name: string(contract.Advice), Role: page.Doubt},
	{Name: string(contract.Accepted), Role: page.Doubt},
	{Name: string(contract.Passed), Role: page.OK},
	{Name: string(contract.Skipped), Role: page.Ended},
	{Name: string(contract.NotRun), Role: page.Neutral},
}

func (o HTML) document(lang page.Lang, r *contract.Report) *document {
	d := &document{
		View: page.View{Lang: lang}, Report: r, Target: page.Printable(r.Target), Ended: page.Printable(r.EndedIn(string(lang))), Started: r.Started.UTC(), Took: time.Duration(r.TookMS) * time.Millisecond, Bad: r.Counts.Failed,
		Role: map[contract.Verdict]page.Role{contract.Kept: page.OK, contract.Broken: page.Bad}[r.Verdict],
	}
	d.Role = cmp.Or(d.Role, page.Doubt)
	for _, problem := range r.ProblemsIn(string(lang)) {
		d.Problems = append(d.Problems, page.Printable(problem))
	}
	if r.Waited != nil {
		d.Waited = r.Waited.Text().In(string(lang))
	}
	opened, n := 0, 0
	for results := range groups(r) {
		about := contract.AreaOf(results[0].ID)
		a := area{ID: results[0].Area, Title: cmp.Or(about.Title.In(string(lang)), results[0].Area), All: len(results)}
		for i := range results {
			n++
			c := o.check(lang, r, &results[i], n)
			if c.Outcome == contract.Passed {
				a.Passed++
			}
			if c.Failure != nil && c.Outcome != contract.Accepted {
				opened++
				c.Open = opened <= maxOpened
			}
			switch c.Outcome {
			case contract.Skipped:
				d.skip(c)
			case contract.Failed, contract.Advice, contract.Accepted, contract.Errored:
				d.Wrong = append(d.Wrong, c)
			}
			a.Checks = append(a.Checks, c)
			d.States = count(d.States, string(c.Outcome))
			d.Severities = count(d.Severities, string(c.Severity))
			d.Protocols = count(d.Protocols, c.Protocol)
		}
		d.Areas = append(d.Areas, a)
	}
	order := func(name string) int {
		return slices.IndexFunc(roles, func(c choice) bool { return c.Name == name })
	}
	for i := range d.States {
		d.States[i].Role = roleOf(contract.Outcome(d.States[i].Name))
	}
	slices.SortStableFunc(d.Wrong, func(a, b check) int { return cmp.Compare(order(string(a.Outcome)), order(string(b.Outcome))) })
	slices.SortFunc(d.States, func(a, b choice) int { return cmp.Compare(order(a.Name), order(b.Name)) })
	return d
}

func roleOf(o contract.Outcome) page.Role {
	for _, c := range roles {
		if c.Name == string(o) {
			return c.Role
		}
	}
	return page.Neutral
}

func count(choices []choice, name string) []choice {
	for i := range choices {
		if choices[i].Name == name {
			choices[i].Count++
			return choices
		}
	}
	return append(choices, choice{Name: name, Count: 1})
}

func (d *document) skip(c check) {
	for i := range d.Skipped {
		if d.Skipped[i].Why == c.Reason {
			d.Skipped[i].IDs = append(d.Skipped[i].IDs, c.ID)
			return
		}
	}
	d.Skipped = append(d.Skipped, reason{c.Reason, []string{c.ID}})
}

func (o HTML) check(lang page.Lang, r *contract.Report, result *contract.Result, n int) check {
	in := string(lang)
	why, mend := contract.Mend(result.ID)
	c := check{
		Result: result, Role: roleOf(result.Outcome), Title: result.Title.In(in), Reason: page.Printable(result.Why.In(in)),
		Matters: why.In(in), Mend: mend.In(in), Took: time.Duration(result.TookMS) * time.Millisecond,
		Again: fmt.Sprintf("contract run --target %s --only %s --seed %d", quote(cmp.Or(o.File, "FILE")), result.ID, r.Seed),
	}
	c.Protocol, _, _ = strings.Cut(result.Clause, " §")
	if f := result.Failure; f != nil {
		want, got := f.In(in)
		c.Want, c.Got = page.Printable(want), page.Printable(got)
		if f.Exchange >= 0 && f.Exchange < len(result.Exchanges) {
			c.Curl = result.Exchanges[f.Exchange].Curl
		}
	}
	c.Clause = contract.ClauseIn(in, result.Clause)
	c.CurlShown = page.Printable(c.Curl)
	c.Diagram, c.Left = draw(lang, result, n)
	return c
}

// quote quotes for a shell what needs it.
func quote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// lanes are the parties in the order in which a diagram has them, and their names where
// languages differ.
var lanes = []struct{ party, key string }{
	{contract.PartySuite, "lane.suite"}, {contract.PartyIntegra, ""}, {contract.PartyMoney, ""}, {contract.PartyRobo, ""}, {contract.PartyPartner, "lane.partner"},
}

// draw makes the diagram of a check, of the exchanges around the one that matters where there
// are many, and tells how many were left out. n is the check's number on the page.
func draw(lang page.Lang, r *contract.Result, n int) (d page.Diagram, left int) {
	from, matters, most := 0, -1, brieflyMany
	if r.Failure != nil {
		matters, most = r.Failure.Exchange, atLengthAll
	}
	all := r.Exchanges
	for from < len(all)-1 && from != matters && setsUp(&all[from]) {
		from++
	}
	if len(all)-from > most && matters >= 0 {
		from = min(max(matters-most/2, from), len(all)-most)
	}
	drawn := all[from:min(from+most, len(all))]
	at := map[string]int{}
	for _, lane := range lanes {
		if slices.ContainsFunc(drawn, func(x contract.Exchange) bool { return x.From == lane.party || x.To == lane.party }) {
			at[lane.party] = len(d.Lanes)
			name := lane.party
			if lane.key != "" {
				name = site.Text(lang, lane.key)
			}
			d.Lanes = append(d.Lanes, name)
		}
	}
	if lane, there := at[contract.PartyPartner]; there {
		for _, e := range r.Events {
			if len(drawn) < len(all)-from && e.At.After(drawn[len(drawn)-1].At) {
				break // what it led to is not drawn either
			}
			d.Notes = append(d.Notes, page.Note{Lane: lane, At: e.At, Text: e.Text().In(string(lang)), Role: happened[e.What]})
		}
	}
	tries := map[string]int{}
	for i := range drawn {
		x := &drawn[i]
		lane, known := at[x.From]
		to, knownTo := at[x.To]
		if !known || !knownTo || lane == to {
			continue // of a party that no diagram has
		}
		out := exchange(lang, x, fmt.Sprintf("%d-%d", n, from+i+1), lane, to, r.Failure != nil, from+i == matters)
		line, _, _ := strings.Cut(x.Request, "\n")
		key := x.From + x.Method + cmp.Or(x.Args, line)
		tries[key]++
		out.Try = tries[key]
		if from+i == matters {
			d.Open = out.ID
		}
		d.Exchanges = append(d.Exchanges, out)
	}
	if r.Failure != nil && d.Open == "" { // none is to blame alone: the last one that did not go well
		for _, x := range d.Exchanges {
			if x.Role != page.OK || d.Open == "" {
				d.Open = x.ID
			}
		}
	}
	return d, len(r.Exchanges) - len(d.Exchanges)
}

// happened is how events look.
var happened = map[contract.Happening]page.Role{contract.Killed: page.Doubt, contract.Stopped: page.Doubt, contract.Died: page.Bad, contract.Started: page.OK}

// setsUp tells whether an exchange only made the check's users known to the platform.
func setsUp(x *contract.Exchange) bool {
	return x.From == contract.PartyPartner && slices.Contains([]string{"createUser", "cryptLogin", "iframe"}, x.Method)
}

func exchange(lang page.Lang, x *contract.Exchange, id string, from, to int, long, matters bool) page.Exchange {
	most := briefly
	if long {
		most = atLength
	}
	text := func(s string) string { return cut(lang, s, most) }
	out := page.Exchange{
		ID: id, From: from, To: to, Label: page.Printable(strings.TrimSpace(x.Method + " " + amountOf(x))), Answer: page.Printable(answer(x)),
		Role: page.OK, Start: x.At, End: x.At.Add(time.Duration(x.TookUS) * time.Microsecond),
		Request: page.Code{ID: "q-" + id, Tabs: []page.Tab{{Name: "HTTP", Text: text(x.Request)}}},
	}
	if x.Args != "" {
		out.Request.Tabs = append(out.Request.Tabs, page.Tab{Name: "JSON", Text: text(pretty(x.Args))})
	}
	if x.Curl != "" && long {
		out.Request.Tabs = append(out.Request.Tabs, page.Tab{Name: "curl", Text: text(x.Curl)})
	}
	if x.Response != "" {
		out.Reply = page.Code{ID: "r-" + id, Tabs: []page.Tab{{Name: "HTTP", Text: text(x.Response)}}}
	}
	switch {
	case matters:
		out.Role = page.Bad
	case x.Status/100 != 2 || strings.Contains(out.Answer, " "):
		out.Role = page.Doubt
	}
	if x.Status == 0 {
		out.Fate, out.Answer = page.LostAnswer, page.Printable(x.Err)
	}
	if x.Err != "" && x.Status != 0 { // what came broke off
		out.Facts = []page.Fact{{Name: site.Text(lang, "fact.error"), Value: page.Printable(x.Err)}}
	}
	return out
}

// cut is the beginning of a long text, with how much is missing.
func cut(lang page.Lang, s string, most int) string {
	if len(s) <= most {
		return s
	}
	head := strings.ToValidUTF8(s[:most], "")
	return head + "\n" + site.Text(lang, "cut", len(s)-len(head))
}

// pretty indents JSON; what is none stays as it is.
func pretty(s string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(s), "", "  ") != nil {
		return s
	}
	return b.String()
}

// amountOf is the sum that an exchange is about, as it was written; "" if there is none.
func amountOf(x *contract.Exchange) string {
	var args struct {
		Amount     json.RawMessage `json:"amount"`
		PaymentSum json.RawMessage `json:"paymentSum"`
	}
	if x.Args != "" && json.Unmarshal([]byte(x.Args), &args) == nil {
		return strings.Trim(string(cmp.Or(string(args.Amount), string(args.PaymentSum))), `"`)
	}
	if x.Method != "notify" {
		return ""
	}
	_, query, _ := strings.Cut(x.Request, "?")
	query, _, _ = strings.Cut(query, " ")
	values, _ := url.ParseQuery(query)
	return values.Get("amount")
}

// answer is what stands on the answer's arrow: the status, and a refusal within.
func answer(x *contract.Exchange) string {
	status := fmt.Sprint(x.Status)
	_, body, _ := strings.Cut(x.Response, "\r\n\r\n")
	var envelope struct {
		Status struct {
			Code json.Number `json:"code"`
		} `json:"status"`
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal([]byte(body), &envelope) != nil {
		return status
	}
	var refusal struct {
		Code    json.Number `json:"code"`
		Message string      `json:"message"`
	}
	switch {
	case string(envelope.Error) == "true":
		return status + " · " + envelope.Status.Code.String()
	case json.Unmarshal(envelope.Error, &refusal) == nil && refusal.Code != "":
		return status + " · " + refusal.Message
	}
	return status
}
