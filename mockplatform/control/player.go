package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// A Player plays a scenario: it sets the state of the start and carries out the steps of the
// timeline when the virtual clock reaches them, one at a time and in order, so that they mix
// with all else that falls due. Advancing the clock over a step waits for it.
//
// A step that is refused (the order is not there yet) is noted and changes nothing; the next
// ones go on.
type Player struct {
	api *api
	log *slog.Logger

	running chan struct{} // holds one token, for whoever carries out a step or the start

	mu       sync.Mutex    // guards what follows
	stopped  chan struct{} // closed when the timeline ends; steps that wait for the token give up
	scenario *Scenario
	moments  []moment
	results  []result          // of the moments so far
	payments map[string]string // ids of top-ups by the names that steps gave
	due      time.Time         // of the next moment
	timer    *clock.Timer      // for it; nil while a step is carried out
	ran      uint64            // steps since ever
}

// result is what became of a step.
type result struct {
	At    time.Time // virtual
	Error string
}

// NewPlayer returns a player without a scenario for what cfg controls.
func NewPlayer(cfg Config, log *slog.Logger) *Player {
	return &Player{api: &api{cfg}, log: log, running: make(chan struct{}, 1)}
}

// Play sets the state of the scenario's start on top of the one that is there, which is that
// of a reset, and begins with the timeline. A nil scenario is one of nothing. Its error is a
// *yamldoc.Error; the timeline does not begin then.
func (p *Player) Play(s *Scenario) (err error) {
	p.Stop()
	if s == nil {
		return nil
	}
	p.Between(func() {
		if err = p.set(s); err != nil {
			err = s.located(err)
			return
		}
		due := p.api.Clock.Now()
		moments := s.moments(new(problems))
		if len(moments) > 0 {
			due = due.Add(moments[0].at)
		}
		p.begin(s, moments, nil, map[string]string{}, due)
	})
	return err
}

// begin lets the timeline go on from where it is.
func (p *Player) begin(s *Scenario, moments []moment, results []result, payments map[string]string, due time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scenario, p.moments, p.results, p.payments, p.due = s, moments, results, payments, due
	p.stopped = make(chan struct{})
	p.wait()
}

// Stop ends the timeline; a step that is being carried out is waited for.
func (p *Player) Stop() {
	p.mu.Lock()
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.scenario != nil {
		close(p.stopped)
	}
	p.scenario, p.moments, p.results, p.payments, p.timer = nil, nil, nil, nil, nil
	p.mu.Unlock()
	p.Between(func() {})
}

// Scenario is the one that is played, nil for none.
func (p *Player) Scenario() *Scenario {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.scenario
}

// Ran is how many steps were carried out since ever.
func (p *Player) Ran() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ran
}

// Between calls f while no step is carried out.
func (p *Player) Between(f func()) {
	p.running <- struct{}{}
	defer func() { <-p.running }()
	f()
}

// wait sets the timer for the next moment. It wants mu held.
func (p *Player) wait() {
	if len(p.results) >= len(p.moments) {
		p.timer = nil
		return
	}
	// The step is work and no timer's function: it may wait for calls that change the state,
	// and a reset, during which they stop, waits for timers. So it gives up where it is stopped.
	s, n, stopped := p.scenario, len(p.results), p.stopped
	c := p.api.Clock
	p.timer = c.At(p.due, func() {
		c.Go(func() {
			select {
			case <-stopped:
			case p.running <- struct{}{}:
				p.play(s, n)
				<-p.running
			}
		})
	})
}

// play carries out a moment, unless it is of a scenario that was stopped.
func (p *Player) play(s *Scenario, n int) {
	p.mu.Lock()
	if p.scenario != s || len(p.results) != n {
		p.mu.Unlock()
		return
	}
	// A snapshot that the step takes goes on with the next one.
	m, at := p.moments[n], p.timer.Due() // the clock may have been set back
	p.timer = nil
	p.results = append(p.results, result{At: p.api.Clock.Now()})
	if n+1 < len(p.moments) {
		p.due = at.Add(p.moments[n+1].at - m.at)
	}
	p.mu.Unlock()
	step := &s.Timeline[m.step]
	err := p.act(context.Background(), step)
	if err != nil {
		p.log.Warn("a step of the scenario was refused", "scenario", s.Name, "step", stepPath(m.step), "err", describe(err))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ran++
	if p.scenario != s {
		return // it was stopped meanwhile
	}
	if err != nil {
		p.results[n].Error = describe(err)
	}
	p.wait()
}

// describe writes an error of this API in one line.
func describe(err error) (text string) {
	for _, d := range detailsOf(err, "") {
		if text != "" {
			text += "; "
		}
		if d.Location != "" {
			text += d.Location + ": "
		}
		text += d.Message
	}
	return text
}

// set carries out the start of a scenario. Its error is one of this API with paths of the
// scenario.
func (p *Player) set(s *Scenario) error {
	ctx := context.Background()
	var bad problems
	if c := s.Clock; c != nil {
		state := p.api.Clock.State()
		if c.Frozen != nil {
			state.Frozen = *c.Frozen
		}
		if c.Rate != 0 {
			state.Rate = c.Rate
		}
		if !c.Now.IsZero() {
			state.Now = c.Now
		}
		if y := state.Now.UTC().Year(); y < 1970 || y > 2199 {
			bad.add("clock.now", errors.New("is not between the years 1970 and 2199"))
		} else {
			bad.add("clock", p.api.Clock.Restore(state))
		}
	}
	if s.Settings != nil {
		bad.add("settings", p.settings(ctx, s.Settings))
	}
	for i := range s.Partners {
		bad.add(fmt.Sprintf("partners[%d]", i), p.partner(ctx, &s.Partners[i]))
	}
	users := map[string]bool{}
	for i := range s.Users {
		u := &s.Users[i]
		if users[u.Hash] {
			bad.add(fmt.Sprintf("users[%d].hash", i), errors.New("is the hash of a user before"))
			continue
		}
		users[u.Hash] = true
		bad.add(fmt.Sprintf("users[%d]", i), p.user(ctx, u))
	}
	if a := s.AnyMoney; a != nil {
		if a.Config != nil {
			bad.add("anymoney.config", p.anyMoney(a.Config, p.api.AnyMoney.Configure))
		}
		if a.Patch != nil {
			bad.add("anymoney.patch", p.anyMoney(a.Patch, p.api.AnyMoney.Patch))
		}
	}
	for i := range s.Shops {
		bad.add(fmt.Sprintf("shops[%d]", i), p.shop(ctx, &s.Shops[i]))
	}
	for i := range s.Faults {
		bad.add(fmt.Sprintf("faults[%d]", i), p.arm(ctx, &s.Faults[i]))
	}
	return bad.error()
}

// act carries out a step. The paths of its error begin with the name of the action.
func (p *Player) act(ctx context.Context, s *Step) error {
	var bad problems
	switch a := &s.Action; {
	case a.TopUp != nil:
		bad.add("topup", p.topUp(ctx, a.TopUp))
	case a.Refund != nil:
		bad.add("refund", p.refund(ctx, a.Refund))
	case a.Buyer != nil:
		bad.add("buyer", p.buyer(ctx, a.Buyer))
	case a.Order != nil:
		_, err := p.api.setStatus(ctx, &statusChange{ExternalID: a.Order.ExternalID, Body: a.Order.StatusFields})
		bad.add("order", err)
	case a.Fault != nil:
		bad.add("fault", p.arm(ctx, a.Fault))
	case a.Disarm != "":
		bad.add("disarm", p.disarm(a.Disarm))
	case a.Settings != nil:
		bad.add("settings", p.settings(ctx, a.Settings))
	case a.AnyMoney != nil:
		bad.add("anymoney", p.anyMoney(a.AnyMoney, p.api.AnyMoney.Patch))
	case a.Partner != nil:
		bad.add("partner", p.partner(ctx, a.Partner))
	case a.User != nil:
		bad.add("user", p.user(ctx, a.User))
	case a.Shop != nil:
		bad.add("shop", p.shop(ctx, a.Shop))
	case a.Clock != nil:
		bad.add("clock", p.api.Clock.Set(ctx, clock.Change{Frozen: a.Clock.Frozen, Rate: a.Clock.Rate}))
	case a.Snapshot != "":
		_, err := p.api.takeSnapshot(ctx, &snapshotQuery{Name: a.Snapshot})
		bad.add("snapshot", err)
	}
	return bad.error()
}

func (p *Player) settings(ctx context.Context, patch *settingsPatch) error {
	_, err := p.api.patchSettings(ctx, &settingsChange{Body: *patch})
	return err
}

func (p *Player) partner(ctx context.Context, part *partnerPart) error {
	_, err := p.api.putPartner(ctx, &partnerChange{Hash: part.Hash, Body: part.PartnerFields})
	return err
}

func (p *Player) user(ctx context.Context, part *userPart) error {
	_, err := p.api.putUser(ctx, &userChange{Hash: part.Hash, Body: part.UserFields})
	return err
}

func (p *Player) shop(ctx context.Context, part *shopPart) error {
	_, err := p.api.putShop(ctx, &shopChange{Login: part.Login, Body: part.ShopFields})
	return err
}

func (p *Player) anyMoney(object map[string]any, do func([]byte) error) error {
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return configProblem(do(text))
}

// arm arms rules, in which users may be named by their logins.
func (p *Player) arm(ctx context.Context, body *faultsBody) error {
	b := *body
	if b.Match != nil {
		match := *b.Match
		b.Match = &match
	}
	b.Rules = append(b.Rules[:0:0], b.Rules...)
	var bad problems
	if b.Match != nil {
		bad.add("match.user", p.nameUser(&b.Match.User))
		bad.add("match.partner", p.knownPartner(b.Match.Partner))
	}
	for i := range b.Rules {
		bad.add(fmt.Sprintf("rules[%d].match.user", i), p.nameUser(&b.Rules[i].Match.User))
		bad.add(fmt.Sprintf("rules[%d].match.partner", i), p.knownPartner(b.Rules[i].Match.Partner))
	}
	if bad != nil {
		return bad.error()
	}
	_, err := p.api.postFaults(ctx, &faultsChange{Body: b})
	return err
}

func (p *Player) disarm(name string) error {
	if err := p.api.Faults.DisarmNamed(name); err != nil {
		return fmt.Errorf("no rule that is armed has the name %q", name)
	}
	return nil
}

// nameUser makes a hash of a login.
func (p *Player) nameUser(user *string) error {
	if *user == "" {
		return nil
	}
	if _, ok := p.api.Integra.User(*user, 0); ok {
		return nil
	}
	hash := p.api.Integra.UserByLogin(*user)
	if hash == "" {
		return fmt.Errorf("%q is the login or hash of no user", *user)
	}
	*user = hash
	return nil
}

// knownPartner looks for a partner, a merchant or a shop.
func (p *Player) knownPartner(name string) error {
	if name == "" || p.knownMerchant(name) || p.knownShop(name) {
		return nil
	}
	for _, partner := range p.api.Integra.Partners() {
		if partner.Hash == name {
			return nil
		}
	}
	return fmt.Errorf("%q is no partner's hash, no merchant's lid and no shop's login", name)
}

func (p *Player) knownShop(login string) bool {
	for _, shop := range p.api.Robokassa.Shops() {
		if shop.Login == login {
			return true
		}
	}
	return false
}

func (p *Player) checkShop(login string) error {
	if !p.knownShop(login) {
		return invalid("shop", fmt.Errorf("%q is no shop's login", login))
	}
	return nil
}

func (p *Player) knownMerchant(lid string) bool {
	var document struct{ Merchants map[string]json.RawMessage }
	return json.Unmarshal(p.api.AnyMoney.Document(), &document) == nil && document.Merchants[lid] != nil
}

func (p *Player) topUp(ctx context.Context, a *topUpAct) error {
	button := &topUpButton{Hash: a.User, Body: a.TopUpFields}
	if button.Body.Via == "" {
		button.Body.Via = integra.ViaPartner
	}
	if err := p.nameUser(&button.Hash); err != nil {
		return invalid("user", err)
	}
	answer, err := p.api.topUp(ctx, button)
	if err == nil && a.As != "" {
		p.mu.Lock()
		if p.payments != nil { // it was not stopped meanwhile
			p.payments[a.As] = answer.Body.ID
		}
		p.mu.Unlock()
	}
	return err
}

// payment returns the payment that a step gave a name.
func (p *Player) payment(name string) (integra.Payment, error) {
	p.mu.Lock()
	id := p.payments[name]
	p.mu.Unlock()
	payment, ok := p.api.Integra.Payment(id)
	switch {
	case !ok:
		return payment, invalid("payment", fmt.Errorf("no top-up before this was named %q", name))
	case payment.Via != integra.ViaRobokassa:
		return payment, invalid("payment", fmt.Errorf("the top-up %q is not by Robokassa", name))
	}
	return payment, nil
}

func (p *Player) refund(ctx context.Context, a *refundAct) error {
	payment, err := p.payment(a.Payment)
	if err == nil {
		_, err = p.api.refundPayment(ctx, &refundButton{ID: payment.ID, Body: a.RefundFields})
	}
	return err
}

// buyer acts on an operation; one of a top-up is opened before, as the user's browser does.
func (p *Player) buyer(ctx context.Context, a *buyerAct) error {
	action := &operationAction{InvID: a.InvID, Body: actionBody{Shop: a.Shop, Method: a.Method}}
	if a.Payment != "" {
		payment, err := p.payment(a.Payment)
		if err != nil {
			return err
		}
		if action.Body.Shop, action.InvID, err = p.open(payment); err != nil {
			return err
		}
	}
	if err := p.checkShop(action.Body.Shop); err != nil {
		return err
	}
	_, err := p.api.act(robokassa.Action(a.Do))(ctx, action)
	return err
}

// open opens the page where a top-up is paid, if it is not open yet.
func (p *Player) open(payment integra.Payment) (shop string, number int64, err error) {
	if number, err = strconv.ParseInt(payment.Invoice, 10, 64); err != nil {
		return "", 0, err
	}
	shop = p.api.IntegraShop
	if _, open := p.api.Robokassa.Operation(shop, number); open || payment.PayURL == "" {
		return shop, number, nil
	}
	address, err := url.Parse(payment.PayURL)
	if err != nil {
		return "", 0, err
	}
	fields, err := wire.ParseFields(address.RawQuery)
	if err != nil {
		return "", 0, err
	}
	if _, refused := p.api.Robokassa.Open(wire.NewRequest(fields), robokassa.FromPage); refused != nil {
		return "", 0, huma.Error409Conflict(refused.Error())
	}
	return shop, number, nil
}

// Rehearse finds out whether the scenario can be played: it sets the start, and carries out
// what of the timeline does not depend on others' calls. The player is to be one of a world
// that nobody needs: nothing leaves it. Its error is a *yamldoc.Error.
func (p *Player) Rehearse(s *Scenario) error {
	ctx := context.Background()
	if err := p.set(s); err != nil {
		return s.located(err) // what comes later would be wrong because of that
	}
	_ = p.api.Clock.Set(ctx, clock.Change{Frozen: new(true)}) // it cannot be wrong
	var bad problems
	p.mu.Lock()
	p.payments = map[string]string{}
	p.mu.Unlock()
	done := map[int]bool{}
	for _, m := range s.moments(&bad) {
		if done[m.step] {
			continue
		}
		done[m.step] = true
		// Time stands still, so what waits for an hour is never sent.
		_ = p.api.Integra.ChangeSettings(func(s *integra.Settings) { s.Notify.Delay = time.Hour })
		bad.add(stepPath(m.step), p.rehearse(ctx, &s.Timeline[m.step]))
	}
	if err := bad.error(); err != nil {
		return s.located(err)
	}
	return nil
}

// rehearse carries out a step, or, where that depends on what others did before, looks
// whether what it refers to exists.
func (p *Player) rehearse(ctx context.Context, s *Step) error {
	var bad problems
	switch a := &s.Action; {
	case a.Clock != nil:
	case a.Order != nil:
		if !p.knownMerchant(a.Order.Merchant) {
			bad.add("order.merchant", fmt.Errorf("%q is no merchant's lid", a.Order.Merchant))
		}
	case a.Refund != nil:
		_, err := p.payment(a.Refund.Payment)
		bad.add("refund", err)
	case a.Buyer != nil && a.Buyer.Payment != "":
		_, err := p.payment(a.Buyer.Payment)
		bad.add("buyer", err)
	case a.Buyer != nil:
		bad.add("buyer", p.checkShop(a.Buyer.Shop))
	default:
		return p.act(ctx, s)
	}
	return bad.error()
}

// saved is a player as a file keeps it.
type saved struct {
	Scenario *Scenario
	Results  []result
	Payments map[string]string
	Due      time.Time
}

// Save returns the scenario and how far it was played, for Load; nil without one.
func (p *Player) Save() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.scenario == nil {
		return nil, nil
	}
	return json.Marshal(saved{p.scenario, p.results, p.payments, p.next()})
}

// ErrState is text that Save did not write.
var ErrState = errors.New("no state of a scenario")

// Load replaces the scenario by one that Save returned, which goes on; the state is there
// already, and the clock shows the time of then, or a later one. Its error wraps ErrState,
// when nothing was changed.
func (p *Player) Load(text []byte) error {
	if len(text) == 0 {
		p.Stop()
		return nil
	}
	var s saved
	if err := json.Unmarshal(text, &s); err != nil || s.Scenario == nil {
		return fmt.Errorf("%w: %w", ErrState, errors.Join(err, errors.New("there is none")))
	}
	var bad problems
	moments := s.Scenario.moments(&bad)
	if err := errors.Join(bad.error(), s.Scenario.check()); err != nil || len(s.Results) > len(moments) {
		return fmt.Errorf("%w: %w", ErrState, errors.Join(err, fmt.Errorf("%d of %d steps", len(s.Results), len(moments))))
	}
	if s.Payments == nil {
		s.Payments = map[string]string{}
	}
	p.Stop()
	p.begin(s.Scenario, moments, s.Results, s.Payments, s.Due)
	return nil
}
