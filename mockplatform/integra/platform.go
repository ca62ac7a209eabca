package integra

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/dice"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/traffic"
)

// Protocol is the name of this protocol in the journal.
const Protocol = "integra"

// Faults is what rules about faults can name of this protocol.
func Faults() fault.Protocol {
	p := fault.Protocol{Name: Protocol, Out: []string{MethodNotify}, Users: true}
	for _, m := range append(wire.Methods(), wire.LegacyCreateUser) {
		p.In = append(p.In, string(m))
	}
	p.In = append(p.In, MethodTopUp, MethodPaid, MethodReturned, MethodNotPaid)
	p.Out = append(p.Out, MethodAskKey, MethodRefund, MethodRefundState)
	return p
}

// CommonPath is the path under which every partner answers, besides its own.
const CommonPath = "iframe"

// Partner is a partner's access to the API.
type Partner struct {
	Hash   string // 32 letters or digits
	Key    string // crypt key, not empty
	Path   string // one or more segments, such as "partners/acme"
	Cipher string // "simple" or "base64"; "" for "simple"
}

// Config is what a Platform is made of.
type Config struct {
	Clock    *clock.Clock // to be closed after the platform
	Dice     *dice.Dice
	Journal  *journal.Journal
	Faults   *fault.Set   // none if nil
	Log      *slog.Logger // nowhere if nil
	Partners []Partner    // that exist from the start
	Settings Settings     // at the start; see DefaultSettings
	Acquirer *Acquirer    // of top-ups by card; nil for none
	Reserved []string     // beginnings of paths, such as "/robokassa", where others answer
	// Workers bounds how many notifications are on their way at once; 64 if 0.
	Workers int
	// KeepPayments bounds how many final payments are remembered; 30,000 if 0. Older ones
	// are forgotten with their ids and hashes; balances stay as they are.
	KeepPayments int
}

// Platform is Integra: its state and what can be done to it. It is safe for concurrent use;
// requests for different users do not wait for each other.
type Platform struct {
	cfg      Config
	desk     *traffic.Desk
	settings atomic.Pointer[Settings]
	notifier *notifier

	// world is held for reading by whatever changes or reads the state on somebody's
	// behalf, and for writing by Reset.
	world    sync.RWMutex
	users    *index[*user]
	payments *index[*payment] // by id
	cards    *index[*payment] // top-ups by Robokassa, by number

	register sync.Mutex // guards what follows, and changes of the settings
	partners map[string]*partner
	logins   map[string]*user
	number   int // of the latest direct payment

	messages atomic.Int64 // id of the latest message
	counters atomic.Int64 // id of the latest counter
	invoices atomic.Int64 // number of the latest top-up by Robokassa

	retiring sync.Mutex // guards retired
	retired  []*payment // final payments, the oldest first
}

// partner is immutable; a changed partner is another one under the same hash.
type partner struct {
	Partner
	cipher wire.Cipher
}

func (p *partner) answersUnder(path string) bool { return path == p.Path || path == CommonPath }

// New returns a platform with the given partners and nothing else. It starts nothing.
func New(cfg Config) (*Platform, error) {
	if cfg.Workers <= 0 {
		cfg.Workers = 64
	}
	if cfg.KeepPayments <= 0 {
		cfg.KeepPayments = 30_000
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Settings.Validate(); err != nil {
		return nil, err
	}
	cfg.Partners, cfg.Settings.Notify.Schedule = slices.Clone(cfg.Partners), slices.Clone(cfg.Settings.Notify.Schedule)
	p := &Platform{cfg: cfg, desk: traffic.NewDesk(cfg.Clock, cfg.Journal, cfg.Faults)}
	p.notifier = newNotifier(p)
	if err := p.clear(); err != nil {
		return nil, err
	}
	return p, nil
}

// Close stops the notifications and waits for those on their way.
func (p *Platform) Close() { p.notifier.Stop() }

// Reset goes back to the state that New gave. Meanwhile, when no notification is on its way
// and no request looks at the state, it calls also, to reset what the platform shares with
// others: at least the clock, where payments of the past have timers.
func (p *Platform) Reset(also func()) {
	p.notifier.Stop()
	p.world.Lock()
	defer p.world.Unlock()
	for _, u := range p.users.all() {
		u.mu.Lock()
		u.changed() // whoever watches finds the user gone
		u.mu.Unlock()
	}
	also()
	_ = p.clear() // what New accepted is accepted again
	p.notifier.Start()
}

func (p *Platform) clear() error {
	settings := p.cfg.Settings
	p.settings.Store(&settings)
	p.users = newIndex[*user]()
	p.payments, p.cards = newIndex[*payment](), newIndex[*payment]()
	p.invoices.Store(firstInvoice)
	if by := p.cfg.Acquirer; by != nil && by.FirstNumber != 0 {
		p.invoices.Store(by.FirstNumber)
	}
	p.messages.Store(0)
	p.counters.Store(0)
	p.retired = nil
	p.register.Lock()
	p.partners = map[string]*partner{}
	p.logins = map[string]*user{}
	p.number = firstNumber
	p.register.Unlock()
	for _, partner := range p.cfg.Partners {
		if err := p.PutPartner(partner); err != nil {
			return err
		}
	}
	return nil
}

// Settings returns the switches as they are.
func (p *Platform) Settings() Settings {
	s := *p.settings.Load()
	s.Notify.Schedule = slices.Clone(s.Notify.Schedule)
	return s
}

// ChangeSettings lets change edit the switches; they hold for everything that happens from
// then on. Its error is a *FieldError, when nothing was changed.
func (p *Platform) ChangeSettings(change func(*Settings)) error {
	p.register.Lock()
	defer p.register.Unlock()
	s := p.Settings()
	change(&s)
	if err := s.Validate(); err != nil {
		return err
	}
	s.Notify.Schedule = slices.Clone(s.Notify.Schedule)
	p.settings.Store(&s)
	return nil
}

// PutPartner adds a partner, or changes the one with that hash. Its error is a
// *FieldError.
func (p *Platform) PutPartner(with Partner) error {
	if with.Cipher == "" {
		with.Cipher = wire.Simple.Name()
	}
	if err := with.check(p.cfg.Reserved); err != nil {
		return err
	}
	cipher, _ := wire.CipherByName(with.Cipher) // checked
	p.register.Lock()
	defer p.register.Unlock()
	p.partners[with.Hash] = &partner{Partner: with, cipher: cipher}
	return nil
}

// check refuses also paths that begin as a reserved one does: no request would ever come.
func (p Partner) check(reserved []string) error {
	_, err := wire.CipherByName(p.Cipher)
	first, _, _ := strings.Cut(p.Path, "/")
	switch {
	case err != nil:
		return &FieldError{"cipher", err.Error()}
	case !wire.ValidHash(p.Hash):
		return &FieldError{"hash", fmt.Sprintf("%q is not %d letters or digits", p.Hash, wire.HashLen)}
	case p.Key == "":
		return &FieldError{"key", "is empty"}
	case !validPath(p.Path):
		return &FieldError{"path", fmt.Sprintf("%q is not one or more segments of letters, digits, '.', '_' and '-'", p.Path)}
	case slices.Contains(reserved, "/"+first):
		return &FieldError{"path", fmt.Sprintf("%q begins with /%s, where something else answers", p.Path, first)}
	}
	return nil
}

func validPath(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || strings.Trim(segment, ".") == "" {
			return false
		}
		for _, c := range segment {
			if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '.' && c != '_' && c != '-' {
				return false
			}
		}
	}
	return true
}

// Partners returns every partner, keys included, in the order of their hashes.
func (p *Platform) Partners() []Partner {
	p.register.Lock()
	defer p.register.Unlock()
	all := make([]Partner, 0, len(p.partners))
	for _, partner := range p.partners {
		all = append(all, partner.Partner)
	}
	slices.SortFunc(all, func(a, b Partner) int { return cmp.Compare(a.Hash, b.Hash) })
	return all
}

func (p *Platform) partner(hash string) *partner {
	p.register.Lock()
	defer p.register.Unlock()
	return p.partners[hash]
}

// hasPath reports whether some partner answers under the path.
func (p *Platform) hasPath(path string) bool {
	p.register.Lock()
	defer p.register.Unlock()
	for _, partner := range p.partners {
		if partner.answersUnder(path) {
			return true
		}
	}
	return false
}

// User returns a user with at most so many payments, and false if there is none.
func (p *Platform) User(hash string, payments int) (User, bool) {
	p.world.RLock()
	defer p.world.RUnlock()
	u := p.users.get(hash)
	if u == nil {
		return User{}, false
	}
	return u.view(payments), true
}

// Users returns every user, without payments, in the order of registration.
func (p *Platform) Users() []User {
	p.world.RLock()
	defer p.world.RUnlock()
	var views []User
	for _, u := range p.inOrder("") {
		views = append(views, u.view(0))
	}
	return views
}

// inOrder returns the users of a partner, or all users for "", in the order of registration.
func (p *Platform) inOrder(partner string) []*user {
	all := slices.DeleteFunc(p.users.all(), func(u *user) bool { return partner != "" && u.partner != partner })
	slices.SortFunc(all, func(a, b *user) int { return cmp.Compare(a.order, b.order) })
	return all
}

// Payment returns the payment with that id, or with that number if it is a direct one, and
// false if there is none.
func (p *Platform) Payment(id string) (Payment, bool) {
	p.world.RLock()
	defer p.world.RUnlock()
	if pay := p.payments.get(id); pay != nil {
		return pay.lockedView(), true
	}
	if len(id) < wire.HashLen { // rare, so there is no index for it
		for _, pay := range p.payments.all() {
			if view := pay.lockedView(); view.Number == id && id != "" {
				return view, true
			}
		}
	}
	return Payment{}, false
}

// Watch returns a channel on which there is something to receive whenever the user or one
// of his payments has changed since the last receipt; the reader then calls User again. It
// tells of any number of changes at once, so a slow reader holds up nobody. stop ends it.
func (p *Platform) Watch(hash string) (changed <-chan struct{}, stop func()) {
	p.world.RLock()
	defer p.world.RUnlock()
	c := make(chan struct{}, 1)
	u := p.users.get(hash)
	if u == nil {
		return c, func() {}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.watchers == nil {
		u.watchers = map[chan struct{}]struct{}{}
	}
	u.watchers[c] = struct{}{}
	return c, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.watchers, c)
	}
}

// Register adds a user of a partner and returns the crypt key. Its error is a *Refusal.
func (p *Platform) Register(partner string, args wire.CreateUserArgs) (key string, err error) {
	p.world.RLock()
	defer p.world.RUnlock()
	key, refusal := p.createUser(partner, args)
	if refusal != nil {
		return "", refusal
	}
	return key, nil
}

func (p *Platform) createUser(partner string, args wire.CreateUserArgs) (key string, _ *Refusal) {
	if refusal := checkDetails(args); refusal != nil {
		return "", refusal
	}
	p.register.Lock()
	defer p.register.Unlock()
	switch {
	case p.partners[partner] == nil:
		return "", refuse(CheckPartner, wire.CodePartnerKey, fmt.Sprintf("partner %s is unknown", partner))
	case p.users.get(args.Hash) != nil:
		return "", refuse(CheckLogin, wire.CodeHashTaken, fmt.Sprintf("hash %s is taken: generate a new one", args.Hash))
	case p.logins[args.Username] != nil:
		return "", refuse(CheckLogin, wire.CodeHashTaken, fmt.Sprintf("username %q is taken", args.Username))
	}
	return p.addUser(partner, args, p.cfg.Dice.Key()).key, nil
}

// addUser wants register held.
func (p *Platform) addUser(partner string, args wire.CreateUserArgs, key string) *user {
	u := &user{
		hash: args.Hash, login: args.Username, key: key, partner: partner, details: args,
		order: len(p.logins) + 1, created: p.cfg.Clock.Now(), balance: nothing, url: args.SuggestedDomain,
	}
	u.tell(p, welcome, "")
	p.logins[u.login] = u
	p.users.add(u.hash, u)
	return u
}

// An Account is a user as PutUser makes him.
type Account struct {
	wire.CreateUserArgs
	Partner   string       // hash; "" for the only one there is
	Key       string       // crypt key, not empty
	Balance   money.Amount // roubles; what it differs by is a movement of the day
	NotifyURL string       // as if he had logged in with it; "" leaves it as it is
	Archived  bool
}

// PutUser adds a user, or changes balance, notification URL, site and archiving of the one
// with that hash; who he is stays. Its error is a *FieldError, when nothing was changed.
func (p *Platform) PutUser(with Account) (User, error) {
	var template *wire.NotifyTemplate
	if with.NotifyURL != "" {
		parsed, err := wire.ParseNotifyTemplate(with.NotifyURL)
		if err != nil {
			return User{}, &FieldError{"notify_url", err.Error()}
		}
		template = &parsed
	}
	if refusal := checkDetails(with.CreateUserArgs); refusal != nil {
		return User{}, &FieldError{accountFields[refusal.Check], refusal.Message}
	}
	switch {
	case with.Key == "":
		return User{}, &FieldError{"key", "is empty"}
	case with.Balance.Cmp(MaxSum) > 0 || with.Balance.Cmp(MaxSum.Neg()) < 0:
		return User{}, &FieldError{"balance", fmt.Sprintf("%s is over %s", with.Balance, MaxSum)}
	}
	p.world.RLock()
	defer p.world.RUnlock()
	u, err := p.account(with)
	if err != nil {
		return User{}, err
	}
	u.mu.Lock()
	now := p.cfg.Clock.Now()
	if change, err := with.Balance.Sub(u.balance); err == nil && !change.IsZero() {
		_ = u.move(change, now) // within MaxSum
	}
	if template != nil {
		u.setTemplate(template)
		u.loginAt = now
	}
	u.url = with.SuggestedDomain
	switch {
	case !with.Archived:
		u.archivedAt = time.Time{}
	case u.archivedAt.IsZero():
		u.archivedAt = now
	}
	u.changed()
	u.mu.Unlock()
	return u.view(0), nil
}

// accountFields are the fields of an Account by what checkDetails finds wrong with them.
var accountFields = map[Check]string{
	checkArg("username"): "login", checkArg("hash"): "hash", checkArg("email"): "email", checkArg("phone"): "phone",
	checkArg("suggestedDomain"): "url", checkArg("inviterUserId"): "inviter",
}

// account returns the user with that hash, who is added if there is none.
func (p *Platform) account(with Account) (*user, error) {
	p.register.Lock()
	defer p.register.Unlock()
	if with.Partner == "" {
		if len(p.partners) != 1 {
			return nil, &FieldError{"partner", fmt.Sprintf("is needed, as there are %d", len(p.partners))}
		}
		for hash := range p.partners {
			with.Partner = hash
		}
	}
	u := p.users.get(with.Hash)
	switch {
	case p.partners[with.Partner] == nil:
		return nil, &FieldError{"partner", fmt.Sprintf("%.80q is unknown", with.Partner)}
	case u == nil && p.logins[with.Username] != nil:
		return nil, &FieldError{"login", fmt.Sprintf("%.80q is taken", with.Username)}
	case u == nil:
		return p.addUser(with.Partner, with.CreateUserArgs, with.Key), nil
	case u.login != with.Username || u.partner != with.Partner || u.key != with.Key:
		return nil, &FieldError{"hash", "is taken by a user with another login, partner or key"}
	}
	return u, nil
}

// UserByLogin returns the hash of the user with that login, "" if there is none.
func (p *Platform) UserByLogin(login string) string {
	p.register.Lock()
	defer p.register.Unlock()
	if u := p.logins[login]; u != nil {
		return u.hash
	}
	return ""
}
