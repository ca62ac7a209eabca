package contract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/recording"
)

// A DriftReport is what a replay of a recording found: where a stand-in answers otherwise
// than the platform did.
type DriftReport struct {
	Exchanges   int               `json:"exchanges"`         // in the recording
	Compared    int               `json:"compared"`          // of them
	Differences []Difference      `json:"differences"`       // in the order of the recording
	Skipped     []SkippedExchange `json:"skipped,omitempty"` // that were not replayed
	Notes       []string          `json:"notes,omitempty"`   // what was assumed
}

// A Difference is one field of one answer, or of one notification.
type Difference struct {
	Seq      uint64 `json:"seq"` // of the exchange in the recording
	Protocol string `json:"protocol"`
	Method   string `json:"method"`
	Path     string `json:"path"`     // data.messages[0].title; (status), (content-type), (body), (location) or (notification) for what has no name
	Recorded string `json:"recorded"` // as JSON; Absent for nothing
	StandIn  string `json:"stand_in"` // likewise, with the recording's ids in place of the stand-in's
}

// Absent stands in a Difference for a field that is not there.
const Absent = "absent"

// A SkippedExchange was not replayed.
type SkippedExchange struct {
	Seq      uint64 `json:"seq"`
	Protocol string `json:"protocol"`
	Method   string `json:"method"`
	Why      string `json:"why"`
}

// ExitCode is that of `contract drift`: 0 without differences, else 1.
func (r *DriftReport) ExitCode() int {
	if len(r.Differences) > 0 {
		return 1
	}
	return 0
}

// DriftOptions are how a recording is replayed.
type DriftOptions struct {
	Ignore []string // patterns of paths: see DriftRules
	Seed   uint64   // of the ids that are made up
}

// ErrNothingToCompare is a recording of which nothing could be replayed.
var ErrNothingToCompare = errors.New("nothing of the recording can be compared")

// Drift replays a recording against a stand-in and says where the two differ.
//
// Exchanges are replayed in the order in which they began, at the stand-in's own time, which
// is set to that of the recording for as long as it takes. Calls are made with partners, users,
// merchants and shops that Drift makes at the stand-in and with keys of their own: no key of
// the real platform is needed. Ids are mapped both ways, so that the same id has to come back
// wherever it came back in the recording.
//
// What happened without a call, Drift brings about through the control API: it presses the
// button for a top-up that was announced or confirmed, and gives an order the status of which
// a callback told.
func Drift(ctx context.Context, exchanges []*recording.Exchange, at StandIn, o DriftOptions) (_ *DriftReport, err error) {
	rules, err := driftRules(o.Ignore)
	if err != nil {
		return nil, err
	}
	r := &replay{
		control: newControl(at.Control), client: newClient(), platform: strings.TrimRight(at.URL, "/"),
		dice: &dice{rng: rand.New(rand.NewPCG(o.Seed, 1))}, //nolint:gosec // chance to be repeated
		ids:  idMap{there: map[string]string{}, back: map[string]string{}}, rules: rules,
		report: &DriftReport{Exchanges: len(exchanges), Differences: []Difference{}},
		logins: map[string]string{}, amounts: map[string]string{},
		partners: map[string]*Partner{}, users: map[string]*replayUser{}, heard: map[string]int{}, merchants: map[string]*replayMerchant{}, shops: map[string]string{}, owners: map[string]string{}, labels: map[string]string{},
	}
	defer r.control.close()
	defer r.client.CloseIdleConnections()
	if r.inbox, err = newInbox(); err != nil {
		return nil, err
	}
	defer r.inbox.close()
	putBack, err := r.takeClock(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, putBack()) }()
	r.lookAhead(exchanges)
	ordered := slices.Clone(exchanges)
	slices.SortStableFunc(ordered, func(a, b *recording.Exchange) int { return cmp.Compare(a.RealMS, b.RealMS) })
	for _, x := range ordered {
		if err := r.exchange(ctx, x); err != nil {
			return nil, fmt.Errorf("exchange %d, %s: %w", x.Seq, x.Method, err)
		}
	}
	r.unheard(ordered)
	slices.SortStableFunc(r.report.Differences, func(a, b Difference) int { return cmp.Compare(a.Seq, b.Seq) })
	if r.report.Compared == 0 {
		return r.report, ErrNothingToCompare
	}
	return r.report, nil
}

// replay is one Drift on its way.
type replay struct {
	control  *control
	client   *http.Client
	platform string
	dice     *dice
	ids      idMap
	rules    []driftRule
	inbox    *inbox
	report   *DriftReport
	now      int64 // of the stand-in, Unix milliseconds

	logins    map[string]string          // of users of the recording, by hash, as far as any exchange names them
	amounts   map[string]string          // of payments of the recording that were there, by id; "" if none names it
	partners  map[string]*Partner        // by hash in the recording; by path, where that is all that is known
	users     map[string]*replayUser     // by hash in the recording
	heard     map[string]int             // notifications in the recording so far, by payment
	merchants map[string]*replayMerchant // by lid in the recording
	shops     map[string]string          // logins, by those in the recording
	owners    map[string]string          // shops of the recording by InvId; "" where several have one of that number
	labels    map[string]string          // how operations were paid, by shop/InvId of the recording
}

// skip is why an exchange is not replayed.
type skip string

func (s skip) Error() string { return string(s) }

// takeClock stops the stand-in's clock, and returns how to let it go on as if nothing had
// happened.
func (r *replay) takeClock(ctx context.Context) (putBack func() error, err error) {
	var was struct {
		NowMS  int64 `json:"now_ms"`
		Frozen bool  `json:"frozen"`
		Rate   int   `json:"rate"`
	}
	if err := r.control.do(ctx, http.MethodGet, "/clock", nil, &was); err != nil {
		return nil, err
	}
	began := time.Now()
	return func() error {
		if !was.Frozen {
			was.NowMS += time.Since(began).Milliseconds() * int64(max(was.Rate, 1))
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return r.control.do(ctx, http.MethodPut, "/clock", was, nil)
	}, nil
}

// moveTo brings the stand-in's clock to a time of the recording, and lets fall due what does.
func (r *replay) moveTo(ctx context.Context, ms int64) error {
	if ms <= r.now {
		return nil
	}
	r.now = ms
	return r.control.do(ctx, http.MethodPut, "/clock", map[string]any{"now_ms": ms, "frozen": true}, nil)
}

// exchange replays one exchange, compares, and notes what came of it.
func (r *replay) exchange(ctx context.Context, x *recording.Exchange) error {
	if err := r.moveTo(ctx, x.RealMS); err != nil {
		return err
	}
	err := r.play(ctx, x)
	var why skip
	var refused *controlError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &why):
		r.report.Skipped = append(r.report.Skipped, SkippedExchange{x.Seq, x.Protocol, x.Method, string(why)})
		return nil
	case errors.As(err, &refused): // the stand-in knows no such state
		r.differ(x, "(notification)", "sent", "refused: "+refused.text)
	case err != nil:
		return err
	}
	r.report.Compared++
	return nil
}

func (r *replay) play(ctx context.Context, x *recording.Exchange) error {
	if x.Direction == recording.Out {
		switch x.Protocol + " " + x.Method {
		case recording.Integra + " " + recording.Notify:
			return r.integraNotify(ctx, x)
		case recording.AnyMoney + " callback":
			return r.anyMoneyCallback(ctx, x)
		case recording.Robokassa + " ResultURL":
			return r.robokassaResult(ctx, x)
		}
		return skip("a notification that is not understood")
	}
	switch {
	case x.Status == 0:
		return skip("it was not answered: " + cmp.Or(x.Verdict.Detail, "nobody knows what came of it"))
	case x.Status >= 500:
		return skip(fmt.Sprintf("it was answered with %d: nobody knows what came of it", x.Status))
	}
	m, err := recording.ParseRequest(x.Request)
	if err != nil {
		return skip("its request: " + err.Error())
	}
	target, err := url.ParseRequestURI(m.Target)
	if err != nil {
		return skip("its address cannot be read")
	}
	var req *http.Request
	switch x.Protocol {
	case recording.Integra:
		req, err = r.integraCall(ctx, x, m, target)
	case recording.AnyMoney:
		req, err = r.anyMoneyCall(ctx, x, m)
	case recording.Robokassa:
		req, err = r.robokassaCall(ctx, x, m, target)
	default:
		err = skip("it belongs to no protocol that is known")
	}
	if err != nil {
		return err
	}
	got := r.send(req)
	r.compareAnswer(x, got)
	if x.Protocol == recording.Integra {
		r.learn(x, got)
	}
	return nil
}

// send makes a call to the stand-in.
func (r *replay) send(req *http.Request) answer {
	ctx, cancel := context.WithTimeout(req.Context(), time.Minute)
	defer cancel()
	res, err := r.client.Do(req.WithContext(ctx)) //nolint:bodyclose // closed below
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = res.Body.Close() }()
	body, err := readAll(res.Body)
	return answer{status: res.StatusCode, header: res.Header, body: body, err: err}
}

// request is a call to the stand-in with a recorded body and the type that it had.
func (r *replay) request(ctx context.Context, m recording.Message, path, body string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, m.Verb, path, strings.NewReader(body))
	if err != nil {
		return nil, skip("its address cannot be called")
	}
	for _, name := range []string{"Content-Type", "Accept", "Accept-Language"} {
		if value := m.Header(name); value != "" {
			req.Header.Set(name, value)
		}
	}
	return req, nil
}

func (r *replay) note(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
}

// differ notes a difference, unless a rule says that it does not matter.
func (r *replay) differ(x *recording.Exchange, path, recorded, standIn string) {
	if recorded == standIn || r.ruleOf(x, path) == driftVolatile {
		return
	}
	r.report.Differences = append(r.report.Differences, Difference{x.Seq, x.Protocol, x.Method, path, oneLine(recorded, 200), oneLine(standIn, 200)})
}

// unheard notes notifications that the stand-in sent and the platform did not, of payments of
// which a notification is recorded.
func (r *replay) unheard(exchanges []*recording.Exchange) {
	last := map[string]*recording.Exchange{}
	for _, x := range exchanges {
		if x.Direction == recording.Out && x.Protocol == recording.Integra {
			last[x.Payment] = x
		}
	}
	for _, payment := range slices.Sorted(maps.Keys(last)) {
		if more := r.inbox.count(r.ids.there[payment]) - r.heard[payment]; more > 0 {
			r.differ(last[payment], "(notification)", Absent, fmt.Sprintf("%d more", more))
		}
	}
}

// idMap are the ids of the recording and of the stand-in that stand for each other.
type idMap struct{ there, back map[string]string }

// bind lets two ids stand for each other. ok is false if one of them stands for another
// already.
func (m idMap) bind(recorded, standIn string) (ok bool) {
	there, known := m.there[recorded]
	back, taken := m.back[standIn]
	switch {
	case known || taken:
		return there == standIn && back == recorded
	}
	m.there[recorded], m.back[standIn] = standIn, recorded
	return true
}

// shortestID is the length of the shortest id that is looked for within a text.
const shortestID = 6

// asRecorded is a text of the stand-in with the ids of the recording.
func (m idMap) asRecorded(text string) string {
	if recorded, ok := m.back[text]; ok {
		return recorded
	}
	for standIn, recorded := range m.back {
		if len(standIn) >= shortestID {
			text = strings.ReplaceAll(text, standIn, recorded)
		}
	}
	return text
}

// lookAhead gathers what a recording that begins in the middle says only later: users' logins,
// and the payments that must have been announced.
func (r *replay) lookAhead(exchanges []*recording.Exchange) {
	for _, x := range exchanges {
		r.robokassaAhead(x)
	}
	for _, x := range exchanges {
		if x.Protocol != recording.Integra {
			continue
		}
		args := textMembers(x.Args)
		if login := cmp.Or(args["login"], args["userLogin"]); login != "" && x.User != "" && x.Verdict.OK {
			r.logins[x.User] = login
		}
		payment, amount := args["transactionId"], args["amount"]
		if x.Method == recording.Notify {
			payment = args["id"]
		}
		if payment != "" && x.Verdict.OK {
			r.amounts[payment] = cmp.Or(r.amounts[payment], amount)
		}
	}
}

// partner returns the partner who stands for one of the recording: by hash, or by path where
// the hash is not known.
func (r *replay) partner(ctx context.Context, hash string, s *recording.Sealed) (*Partner, error) {
	byPath := "path " + s.Path
	for _, key := range []string{hash, byPath} {
		if p := r.partners[key]; p != nil && (key == hash || hash == "" || r.ids.bind(hash, p.Hash)) {
			return p, nil
		}
	}
	p := &Partner{Hash: r.dice.token(integra.HashLen), Key: r.dice.token(51), Path: "drift-" + r.dice.token(8), Cipher: s.Cipher}
	body := map[string]string{"key": p.Key, "path": p.Path, "cipher": p.Cipher}
	if err := r.control.do(ctx, http.MethodPut, "/integra/partners/"+p.Hash, body, nil); err != nil {
		return nil, err
	}
	if hash != "" {
		r.ids.bind(hash, p.Hash)
		r.partners[hash] = p
	}
	if r.partners[byPath] == nil {
		r.partners[byPath] = p
	}
	return p, nil
}
