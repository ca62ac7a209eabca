package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how a run goes. The zero Options run every check, with seed 0.
type Options struct {
	Only, Skip []string      // patterns, see Select
	Seed       uint64        // of all chance
	FailFast   bool          // start no further check once one has failed
	Parallel   int           // checks at once; 8 if 0
	Timeout    time.Duration // of the whole run; none if 0
	// Observe, if not nil, is told of every check that has ended, in the order in which they
	// end, one at a time.
	Observe func(r *Result, done, all int)
	// Now is the day on which accepted deviations are judged; time.Now if nil.
	Now func() time.Time

	checks []Check // instead of Checks(): for tests of the runner itself
}

// ErrSetUp is a run that could not begin: what ails the target, the hook or the stand-in is
// in the error around it.
var ErrSetUp = errors.New("the run could not begin")

// env is what the checks of one run share.
type env struct {
	target    *Target
	limits    Limits
	notifyURL string // filled in, but for the placeholders of the protocol
	platform  string // address of the platform's Integra
	partner   Partner
	control   *control // nil without
	hook      Hook     // of an adapter
	process   Process  // nil without
	client    *http.Client
	sinks     *sinks // of a platform
	waits     waits
	faults    bool   // the stand-in misbehaves on demand
	prefix    string // of logins: no two runs share one
	logins    atomic.Int64
}

func (e *env) hasProof() bool { return strings.Contains(e.notifyURL, "{proof}") }

// login returns a login that nobody has.
func (e *env) login(t *T) string {
	return fmt.Sprintf("%s-%s-%d", e.prefix, strings.ToLower(t.check.ID), e.logins.Add(1))
}

// Run carries out the checks that opts select. Its error wraps ErrSetUp, or says what is
// wrong with opts; what went wrong later is in the report. A ctx that is cancelled ends the
// run early, with a report of what was found until then.
func Run(ctx context.Context, target *Target, opts Options) (*Report, error) {
	if faults := target.faults(); len(faults) > 0 {
		return nil, &TargetError{File: target.Name, Faults: faults}
	}
	all := opts.checks
	if all == nil {
		all = Checks()
	}
	checks, err := Select(all, opts.Only, opts.Skip)
	if err != nil {
		return nil, err
	}
	checks = slices.DeleteFunc(checks, func(c Check) bool { return c.needs(NeedAdapter) != (target.Adapter != nil) })
	if len(checks) == 0 {
		return nil, errors.New("nothing is left to check: the chosen checks are for another kind of target")
	}
	if opts.Parallel <= 0 {
		opts.Parallel = 8
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, opts.Timeout, errorf("the run's time is over (--timeout %s)", opts.Timeout))
		defer cancel()
	}
	r := &runner{opts: opts, checks: checks, report: newReport(target, checks, opts.Seed)}
	if err := r.begin(ctx, target); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSetUp, errors.Join(err, r.end(ctx)))
	}
	r.run(ctx)
	r.report.problem(r.end(ctx))
	r.hide()
	r.report.Money = r.money()
	r.report.Waited = r.env.waits.report(r.env.limits.Settle)
	r.report.close(ctx)
	return r.report, nil
}

// runner is one run.
type runner struct {
	opts   Options
	env    *env
	checks []Check
	report *Report
	before json.RawMessage // the stand-in's settings as they were
	folder string          // for the adapter's files
	ts     []*T            // by check; nil for one that is not run

	mu     sync.Mutex
	done   int
	failed atomic.Bool // a check has failed, and opts.FailFast
}

// begin sets the scene: the stand-in, the adapter, its hook, users.
func (r *runner) begin(ctx context.Context, target *Target) (err error) {
	e := &env{target: target, limits: target.Limits.withDefaults(), client: newClient(), prefix: fmt.Sprintf("c%x", time.Now().UnixNano())}
	r.env = e
	if target.Adapter != nil {
		e.control, e.platform = newControl(target.StandIn.Control), strings.TrimRight(target.StandIn.URL, "/")
		if target.StandIn.Control == "" {
			return errorf("stand_in.control: is missing: an adapter needs a platform to talk to")
		}
	} else if target.Platform.Control != "" {
		e.control = newControl(target.Platform.Control)
	}
	if p := target.Platform; p != nil && p.Integra != nil {
		e.platform, e.partner = strings.TrimRight(p.Integra.URL, "/"), p.Integra.Partner
	}
	if e.control != nil {
		if err := e.control.do(ctx, http.MethodGet, "/healthz", nil, nil); err != nil {
			return err
		}
		var now struct{ Integra json.RawMessage }
		if err := e.control.do(ctx, http.MethodGet, "/settings", nil, &now); err != nil {
			return err
		}
		r.before = now.Integra
		e.faults = e.control.do(ctx, http.MethodGet, "/faults", nil, nil) == nil
	}
	if target.Adapter != nil {
		if err := r.adapter(ctx, target.Adapter); err != nil {
			return err
		}
	} else if err := target.Platform.reachable(ctx); err != nil {
		return err
	} else if e.sinks, err = newSinks(target.Platform.Through); err != nil {
		return err
	}
	r.choose()
	if err := r.scene(ctx, nil); err != nil {
		return err
	}
	return r.people(ctx)
}

// adapter starts the adapter under test and makes its hook.
func (r *runner) adapter(ctx context.Context, a *AdapterTarget) (err error) {
	e := r.env
	e.partner = a.Partner
	if e.partner == (Partner{}) {
		e.partner = standInPartner
	} else if err := e.control.partner(ctx, e.partner); err != nil {
		return err
	}
	if r.folder, err = os.MkdirTemp("", "contract-"); err != nil {
		return err
	}
	variables := map[string]string{
		"platform_url": e.platform, "partner_path": e.partner.Path, "partner_hash": e.partner.Hash,
		"partner_key": e.partner.Key, "cipher": e.partner.cipher(), "folder": r.folder,
	}
	if a.Start != nil {
		if variables["listen"], err = freeAddress(); err != nil {
			return err
		}
	}
	fill := func(s string) string {
		for name, value := range variables {
			s = strings.ReplaceAll(s, "${"+name+"}", value)
		}
		return s
	}
	environment := os.Environ()
	for name, value := range variables {
		environment = append(environment, "CONTRACT_"+strings.ToUpper(name)+"="+value)
	}
	if a.Start != nil {
		for name, value := range a.Start.Env {
			environment = append(environment, name+"="+fill(value))
		}
	}
	folder := r.env.target.Folder
	e.notifyURL = fill(a.NotifyURL)
	if _, err := parseTemplate(e.notifyURL); err != nil {
		return fmt.Errorf("adapter.notify_url: %w", err)
	}
	e.hook = a.Reach
	if e.hook == nil {
		e.hook = &targetHook{
			HookTarget: a.Hook, fill: fill, env: environment, folder: folder,
			limit: e.limits.Hook, client: e.client, places: make(chan struct{}, 8),
		}
	}
	e.process = a.Process
	if e.process == nil && a.Start != nil {
		e.process = &command{
			Start0: a.Start, stop: a.Stop, kill: a.Kill, notifyURL: a.NotifyURL,
			fill: fill, env: environment, folder: folder, limit: e.limits.Start, client: e.client,
		}
	}
	if e.process != nil {
		if err := e.process.Start(ctx); err != nil {
			return err
		}
	}
	if e.process == nil {
		if err := reachable(ctx, "adapter.notify_url", e.notifyURL); err != nil {
			return err
		}
	}
	if e.hook.Has(opReset) {
		_, err = e.hook.Do(ctx, opReset, nil)
	}
	return err
}

// choose finds out which checks the target cannot do, and makes a T for each of the others.
func (r *runner) choose() {
	r.ts = make([]*T, len(r.checks))
	for i := range r.checks {
		c := &r.checks[i]
		for _, need := range c.Needs {
			if why := r.env.lacks(need); why != (Text{}) {
				r.finish(i, Skipped, nil, why, nil, 0)
				break
			}
		}
		if r.report.Results[i].Outcome == NotRun {
			sum := fnv.New64a()
			_, _ = sum.Write([]byte(c.ID))
			r.ts[i] = &T{env: r.env, check: c, dice: &dice{rng: rand.New(rand.NewPCG(r.opts.Seed, sum.Sum64()))}} //nolint:gosec // chance to be repeated
		}
	}
}

// lacks says why the target has not what a check needs; nothing if it has.
func (e *env) lacks(need Need) Text {
	has := func(op string, why Text) Text {
		if e.hook != nil && e.hook.Has(op) {
			return Text{}
		}
		return why
	}
	p := e.target.Platform
	switch need {
	case NeedAdapter:
		return Text{}
	case NeedKill:
		if e.process == nil {
			return Text{"the target has no adapter.start, so the adapter cannot be killed and started again", "в цели нет adapter.start, поэтому адаптер нельзя убить и запустить снова"}
		}
	case NeedProof:
		if !e.hasProof() {
			return Text{"adapter.notify_url has no {proof}, so nothing there could be forged", "в adapter.notify_url нет {proof}, подделывать там нечего"}
		}
	case NeedExpired:
		return has(opExpiredProof, Text{"the hook has no operation expired_proof", "у hook нет операции expired_proof"})
	case NeedLink:
		return has(opLink, Text{"the hook has no operation link", "у hook нет операции link"})
	case NeedPay:
		return has(opPay, Text{"the hook has no operation pay: direct payments are not offered", "у hook нет операции pay: прямых платежей не предлагают"})
	case NeedRefund:
		return has(opRefund, Text{"the hook has no operation refund: refunds are not offered", "у hook нет операции refund: возвратов не предлагают"})
	case NeedControl, NeedClock:
		if e.control == nil {
			return Text{"the platform has no control API (platform.control)", "у платформы нет управляющего API (platform.control)"}
		}
	case NeedFaults:
		if e.control == nil || !e.faults {
			return Text{"the stand-in has no faults in its control API", "в управляющем API стенда нет сбоев"}
		}
	case NeedWrite:
		if p != nil && p.ReadOnly {
			return Text{"the target is read-only, and this check changes something", "цель открыта только для чтения, а проверка что-то меняет"}
		}
	case NeedIntegra:
		if p == nil || p.Integra == nil {
			return Text{"the target has no platform.integra", "в цели нет platform.integra"}
		}
	case NeedAnyMoney:
		if p == nil || p.AnyMoney == nil {
			return Text{"the target has no platform.anymoney", "в цели нет platform.anymoney"}
		}
	case NeedSCI:
		if p == nil || p.AnyMoney == nil || p.AnyMoney.SCIURL == "" {
			return Text{"the target has no platform.anymoney.sci_url", "в цели нет platform.anymoney.sci_url"}
		}
	case NeedRobo:
		if p == nil || p.Robokassa == nil {
			return Text{"the target has no platform.robokassa", "в цели нет platform.robokassa"}
		}
	}
	return Text{}
}

// people makes the users of all checks, several at a time.
func (r *runner) people(ctx context.Context) error {
	places := make(chan struct{}, r.opts.Parallel)
	var all sync.WaitGroup
	for _, t := range r.ts {
		if t == nil || len(t.check.Users) == 0 {
			continue
		}
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			var done sync.WaitGroup
			t.ctx = ctx
			done.Go(func() { // its own goroutine, which ends where the scene cannot be set
				for _, balance := range t.check.Users {
					t.newUser(balance)
				}
			})
			done.Wait()
		})
	}
	all.Wait()
	for _, t := range r.ts {
		if t != nil && t.broken != nil {
			return errorf("users of %s: %w", t.check.ID, t.broken)
		}
	}
	return r.books(ctx)
}

// books asks whether the hook shows what it was given: with a hook that lies, every check
// would fail, and none of them would say why.
func (r *runner) books(ctx context.Context) error {
	for _, t := range r.ts {
		if t == nil || len(t.users) == 0 || t.users[0].funds.IsZero() {
			continue
		}
		u := t.users[0]
		available, reserved, err := u.balance(ctx)
		if err == nil && (available != u.funds || !reserved.IsZero()) {
			err = errorf("hook balance: %s available and %s reserved of a new user who was given %s by the hook's deposit", available.Text(), reserved.Text(), u.funds.Text())
		}
		return err
	}
	return nil
}

// run carries the checks out, those with the same scene together.
func (r *runner) run(ctx context.Context) {
	var order []string
	scenes := map[string][]int{}
	for i, t := range r.ts {
		if t == nil {
			continue
		}
		key, err := json.Marshal(t.check.Scene) // the keys of a map are sorted
		if err != nil {
			r.finish(i, Errored, nil, textOf(err), nil, 0)
			continue
		}
		if scenes[string(key)] == nil {
			order = append(order, string(key))
		}
		scenes[string(key)] = append(scenes[string(key)], i)
	}
	for _, key := range order {
		if ctx.Err() != nil || r.failed.Load() {
			break
		}
		members := scenes[key]
		if err := r.scene(ctx, r.checks[members[0]].Scene); err != nil {
			for _, i := range members {
				r.finish(i, Errored, nil, textOf(err), nil, 0)
			}
			continue
		}
		r.together(ctx, members)
	}
	if r.env.control != nil && ctx.Err() == nil {
		if err := r.scene(ctx, nil); err != nil {
			r.report.problem(err)
		}
	}
	r.quiet(ctx)
	r.lookAgain(ctx)
}

// together runs checks of one scene: side by side, then those that must be alone.
func (r *runner) together(ctx context.Context, members []int) {
	places := make(chan struct{}, r.opts.Parallel)
	var all sync.WaitGroup
	for _, i := range members {
		if r.checks[i].alone() {
			continue
		}
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			r.one(ctx, i)
		})
	}
	all.Wait()
	for _, i := range members {
		if r.checks[i].alone() {
			r.one(ctx, i)
		}
	}
}

// one carries out one check.
func (r *runner) one(ctx context.Context, i int) {
	if ctx.Err() != nil || r.failed.Load() {
		return // it stays not run
	}
	t := r.ts[i]
	began := time.Now()
	own, cancel := context.WithTimeoutCause(ctx, r.env.limits.Check, errCheckTime)
	defer cancel()
	t.ctx = own
	var done sync.WaitGroup
	done.Go(func() { // its own goroutine, which T's methods can end
		t.check.Run(t)
		t.afterwards()
	})
	done.Wait()
	for _, undo := range slices.Backward(t.undo) {
		undo(context.WithoutCancel(ctx))
	}
	if ctx.Err() != nil { // nothing that was seen then says anything
		return
	}
	r.revive(ctx, t)
	if err := r.evidence(ctx, t); err != nil && t.broken == nil && t.failure == nil {
		t.broken = err
	}
	switch e, took := t.ending(), time.Since(began); {
	case e.failure != nil:
		r.finish(i, Failed, e.failure, Text{}, e.exchanges, took)
	case e.fault != nil:
		r.finish(i, Errored, nil, e.why, e.exchanges, took)
	case e.skipped != (Text{}):
		r.finish(i, Skipped, nil, e.skipped, nil, took)
	default:
		r.finish(i, Passed, nil, Text{}, e.exchanges, took)
	}
}

// evidence adds what the platform's journal knows.
func (r *runner) evidence(ctx context.Context, t *T) error {
	if r.env.target.Adapter == nil {
		return nil
	}
	return t.journalled(ctx)
}

// afterwards is what every check of an adapter ends with: the money is counted, and nothing
// was both confirmed and declined.
func (t *T) afterwards() {
	for _, u := range t.users {
		u.conserve()
		u.onceOnly()
	}
}

// onceOnly fails if a payment was answered both ways, or twice with other amounts.
func (u *User) onceOnly() {
	all, err := u.t.env.control.journal(u.t.ctx, u.hash)
	u.t.set(err)
	said := map[string]string{} // by payment
	for _, e := range all {
		if e.Direction != "in" || !e.Verdict.OK || (e.Method != "confirmPayment" && e.Method != "declinePayment") {
			continue
		}
		word := e.Method + " " + e.arg("amount")
		id := e.arg("transactionId")
		if said[id] != "" && said[id] != word {
			u.t.fail(say("a payment confirmed or declined, and nothing else afterwards"), say("payment %s: %s, then %s", id, said[id], word))
		}
		said[id] = word
	}
}

// revive starts an adapter that has ended by itself, which is a failure of the check that
// noticed it.
func (r *runner) revive(ctx context.Context, t *T) {
	if r.env.process == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.env.process.Died()
	if err == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, Event{time.Now().UTC(), Died})
	t.failure = failure(len(t.exchanges)-1, say("an adapter that goes on serving, whatever it is sent"), textOf(err))
	err = r.env.process.Kill(ctx) // what it left behind
	if err == nil {
		t.events = append(t.events, Event{time.Now().UTC(), Started})
		err = r.env.process.Start(ctx)
	}
	if err != nil {
		r.report.problem(err)
	}
}

// still is how long an adapter says nothing that has nothing more to say.
const still = 300 * time.Millisecond

// quiet waits until the platform has heard nothing new for a while, or the time to settle is
// over: what the adapter has begun before the last check ended is seen by lookAgain.
func (r *runner) quiet(ctx context.Context) {
	if !slices.ContainsFunc(r.ts, func(t *T) bool { return t != nil && len(t.later) > 0 }) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.env.limits.Settle)
	defer cancel()
	for last := uint64(math.MaxUint64); ; { // no exchange has that number
		seq, err := r.env.control.newest(ctx)
		if err != nil || seq == last {
			return // whoever comes next meets the error
		}
		last = seq
		select {
		case <-time.After(still):
		case <-ctx.Done():
			return
		}
	}
}

// lookAgain asks once more whether what must never happen has happened late.
func (r *runner) lookAgain(ctx context.Context) {
	var all sync.WaitGroup
	for i, t := range r.ts {
		if t == nil || r.report.Results[i].Outcome != Passed {
			continue
		}
		all.Go(func() {
			for _, look := range t.later {
				if ctx.Err() != nil {
					return
				}
				if failure := look(ctx); failure != nil {
					_ = t.journalled(ctx) // as much evidence as there is
					t.failure = failure
					e := t.ending()
					r.finish(i, Failed, e.failure, Text{}, e.exchanges, r.report.Results[i].took())
					return
				}
			}
		})
	}
	all.Wait()
}

// money sums up the books that were counted; nil where there are none.
func (r *runner) money() *Money {
	var users int
	in, charged, reserved, credited := rub("0"), rub("0"), rub("0"), rub("0")
	for _, t := range r.ts {
		if t == nil {
			continue
		}
		for _, u := range t.users {
			if u.counted == nil {
				continue
			}
			users++
			in, charged = plus(in, u.funds), plus(charged, u.counted.charged)
			reserved, credited = plus(reserved, u.counted.reserved), plus(credited, u.counted.credited)
		}
	}
	if users == 0 {
		return nil
	}
	return &Money{Users: users, In: in.Text(), Charged: charged.Text(), Reserved: reserved.Text(), Credited: credited.Text()}
}

// finish notes the outcome of a check and tells the observer.
func (r *runner) finish(i int, o Outcome, f *Failure, why Text, exchanges []Exchange, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := &r.report.Results[i]
	again := res.Outcome != NotRun
	res.settle(o, f, why, exchanges, took, r.env.target.Accept, r.opts.Now())
	if exchanges != nil {
		res.Events = r.ts[i].events
	}
	if r.opts.FailFast && (res.Outcome == Failed || res.Outcome == Errored) {
		r.failed.Store(true)
	}
	if !again {
		r.done++
	}
	if r.opts.Observe != nil {
		r.opts.Observe(res, r.done, len(r.checks))
	}
}

// scene sets how the platform behaves: the defaults, changed by s.
func (r *runner) scene(ctx context.Context, s Scene) error {
	if r.env.control == nil {
		return nil
	}
	settings := map[string]any{
		"confirm_repeated": "success", "confirm_other_amount": "refuse", "payment_hash_reused": "refuse",
		"payment_expiry_ms": 24 * time.Hour.Milliseconds(), "lost_answers": "none", "refund_beyond_balance": "refuse",
	}
	notify := map[string]any{
		"timeout_ms": r.env.limits.Answer.Milliseconds(), "retries": 5, "first_retry_ms": 10_000, "schedule_ms": []int64{}, "delay_ms": 0,
		"duplicates": 0, "duplicate_after_ms": 0, "reorder_ms": 0, "amount": "short",
	}
	for name, value := range s {
		if more, ok := value.(map[string]any); ok && name == "notify" {
			maps.Copy(notify, more)
			continue
		}
		settings[name] = value
	}
	settings["notify"] = notify
	return r.env.control.settings(ctx, settings)
}

// end releases everything. It goes on where ctx is over: what was started must not stay.
func (r *runner) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	var errs []error
	if r.env.process != nil {
		errs = append(errs, r.env.process.Stop(ctx))
	}
	if r.env.control != nil {
		if r.before != nil {
			errs = append(errs, r.env.control.do(ctx, http.MethodPatch, "/settings", map[string]any{"integra": r.before}, nil))
		}
		r.env.control.close()
	}
	if r.folder != "" {
		errs = append(errs, os.RemoveAll(r.folder))
	}
	if r.env.sinks != nil {
		r.env.sinks.close()
	}
	r.env.client.CloseIdleConnections()
	return errors.Join(errs...)
}
