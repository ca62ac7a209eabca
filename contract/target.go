package contract

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/yamldoc"
)

// A Target is what is judged: an adapter or a platform. Its file is YAML with these keys;
// docs/contract.md describes them with examples.
type Target struct {
	Name     string          `yaml:"name"`
	Adapter  *AdapterTarget  `yaml:"adapter"`
	Platform *PlatformTarget `yaml:"platform"`
	StandIn  StandIn         `yaml:"stand_in"`
	Limits   Limits          `yaml:"limits"`
	Accept   []Deviation     `yaml:"accept"`

	// Folder is what relative paths in the file mean: the file's own folder.
	Folder string `yaml:"-"`

	confidential []string // values of variables that are secrets by their names
}

// An AdapterTarget says how to reach an adapter and its books.
type AdapterTarget struct {
	// NotifyURL is the notification URL with {id}, {amount}, {hash} and, if something there
	// vouches for the caller, {proof}.
	NotifyURL string `yaml:"notify_url"`
	// Partner is who the adapter is at the platform; the stand-in's own partner if absent.
	Partner Partner `yaml:"partner"`
	// Users says who makes users: "register" (the adapter calls createUser) or "adopt" (the
	// suite does, and gives the adapter hash, login and crypt key).
	Users string     `yaml:"users"`
	Start *Start     `yaml:"start"`
	Stop  []string   `yaml:"stop"`
	Kill  []string   `yaml:"kill"`
	Hook  HookTarget `yaml:"hook"`

	// Reach, if not nil, is used instead of Hook: for adapters in the same program.
	Reach Hook `yaml:"-"`
	// Process, if not nil, is used instead of Start, Stop and Kill.
	Process Process `yaml:"-"`
}

// Partner is a partner's account at Integra.
type Partner struct {
	Hash   string `yaml:"hash"`
	Key    string `yaml:"key"`
	Path   string `yaml:"path"`
	Cipher string `yaml:"cipher"`
}

// standInPartner is whom every stand-in knows from its start. The key is public.
var standInPartner = Partner{
	Hash:   "c9cb3d6a7f7b802f170ca8a166c1375e",
	Key:    "c4zw42fve9dptsmncamky4xu3fe7e2ta0uufnvblaxsasohbhgw",
	Path:   "partners/acme",
	Cipher: "simple",
}

// Start is a command that runs in the foreground for as long as the adapter serves.
type Start struct {
	Command []string          `yaml:"command"`
	Before  [][]string        `yaml:"before"` // commands that are run once, before the first start
	Env     map[string]string `yaml:"env"`    // for it, and for the hook's commands
	Ready   string            `yaml:"ready"`  // an address that answers 2xx once it serves; without it, a connection to notify_url is enough
}

// HookTarget is the state hook: one URL for several operations, or a command or a request
// for each.
type HookTarget struct {
	URL        string   `yaml:"url"`
	Operations []string `yaml:"operations"` // those that the URL knows

	Requests map[string]HookRequest `yaml:"requests"` // by operation, to an API that the adapter has
	Headers  map[string]string      `yaml:"headers"`  // of the URL and the requests
	Token    []string               `yaml:"token"`    // a command, run once, that prints what ${token} is in headers

	Register     []string `yaml:"register"`
	Adopt        []string `yaml:"adopt"`
	Link         []string `yaml:"link"`
	Proof        []string `yaml:"proof"`
	ExpiredProof []string `yaml:"expired_proof"`
	Deposit      []string `yaml:"deposit"`
	Balance      []string `yaml:"balance"`
	Pay          []string `yaml:"pay"`
	Refund       []string `yaml:"refund"`
	Reset        []string `yaml:"reset"`
}

// HookRequest is an operation as a request: one of the addresses, with the operation's
// arguments as {name} in it and in the texts of the JSON object that is sent.
type HookRequest struct {
	Get  string            `yaml:"get"`
	Post string            `yaml:"post"`
	Put  string            `yaml:"put"`
	Body map[string]string `yaml:"body"`
}

// verb is the request's verb and address; "" if not exactly one is given.
func (r HookRequest) verb() (verb, address string) {
	for _, one := range []struct{ verb, address string }{{http.MethodGet, r.Get}, {http.MethodPost, r.Post}, {http.MethodPut, r.Put}} {
		switch {
		case one.address == "":
		case verb != "":
			return "", ""
		default:
			verb, address = one.verb, one.address
		}
	}
	return verb, address
}

// StandIn says which platform the adapter under test talks to.
type StandIn struct {
	// Listen is where the suite's own stand-in serves; any free address if "".
	Listen string `yaml:"listen"`
	// URL and Control are those of one that runs already.
	URL     string `yaml:"url"`
	Control string `yaml:"control"`
}

// A PlatformTarget says how to reach a platform: the protocols that it speaks.
type PlatformTarget struct {
	Control   string           `yaml:"control"`   // control API, if it is a stand-in
	ReadOnly  bool             `yaml:"read_only"` // leave out what changes anything
	Integra   *IntegraTarget   `yaml:"integra"`
	AnyMoney  *AnyMoneyTarget  `yaml:"anymoney"`
	Robokassa *RobokassaTarget `yaml:"robokassa"`

	// Through, if not nil, is told at which address the suite listens for what the platform
	// sends, and returns the one under which the platform reaches it.
	Through func(address string) string `yaml:"-"`
}

// IntegraTarget is Integra and a partner there.
type IntegraTarget struct {
	URL     string  `yaml:"url"`
	Partner Partner `yaml:"partner"`
}

// AnyMoneyTarget is Any.Money and a merchant there.
type AnyMoneyTarget struct {
	URL      string `yaml:"url"`
	Merchant string `yaml:"merchant"`
	Key      string `yaml:"key"`
	SCIURL   string `yaml:"sci_url"`
	SCIKey   string `yaml:"sci_key"`
}

// RobokassaTarget is Robokassa and a shop there.
type RobokassaTarget struct {
	URL           string `yaml:"url"`
	Login         string `yaml:"login"`
	Password1     string `yaml:"password1"`
	Password2     string `yaml:"password2"`
	TestPassword1 string `yaml:"test_password1"`
	TestPassword2 string `yaml:"test_password2"`
	Password3     string `yaml:"password3"`
	Hash          string `yaml:"hash"`
}

// Limits are how long things may take.
type Limits struct {
	Answer time.Duration `yaml:"answer"` // a notification; the platform's own limit is 5s
	Settle time.Duration `yaml:"settle"` // from a notification to the end of its payment
	Hook   time.Duration `yaml:"hook"`   // one operation
	Start  time.Duration `yaml:"start"`  // until the adapter serves
	Check  time.Duration `yaml:"check"`  // one check, all in all
}

// withDefaults returns l with what is not given filled in.
func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		limit *time.Duration
		value time.Duration
	}{{&l.Answer, 5 * time.Second}, {&l.Settle, 15 * time.Second}, {&l.Hook, 10 * time.Second}, {&l.Start, 30 * time.Second}, {&l.Check, time.Minute}} {
		if *d.limit == 0 {
			*d.limit = d.value
		}
	}
	return l
}

// A Deviation is a check that is known not to pass, and accepted until a day.
type Deviation struct {
	Check  string    `yaml:"check"`
	Reason string    `yaml:"reason"`
	Until  time.Time `yaml:"until"`
}

// A TargetError lists all that is wrong with a target. Each fault names the line, if the target
// was read from a file, and the key.
type TargetError struct {
	File   string
	Faults []string
}

func (e *TargetError) Error() string {
	return fmt.Sprintf("target %s: %d to mend:\n  %s", e.File, len(e.Faults), strings.Join(e.Faults, "\n  "))
}

const maxTarget = 1 << 20

// LoadTarget reads a target's file. ${NAME} in a text is the environment's variable, and
// ${NAME:-other} is other where there is none. Its error
// is a *TargetError, or that of reading the file.
func LoadTarget(file string, env func(string) (string, bool)) (*Target, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	if info.IsDir() || info.Size() > maxTarget {
		return nil, fmt.Errorf("target %s: want a file of at most 1 MiB", file)
	}
	raw, err := os.ReadFile(file) //nolint:gosec // the user names the file
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	t, err := ParseTarget(raw, env)
	var faults *TargetError
	if errors.As(err, &faults) {
		faults.File = file
	}
	if err != nil {
		return nil, err
	}
	if t.Folder, err = filepath.Abs(filepath.Dir(file)); err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	if t.Name == "" {
		t.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	return t, nil
}

// confidential are the names of variables that hold secrets.
var confidential = regexp.MustCompile(`KEY|TOKEN|SECRET|PASS`)

// ParseTarget reads a target; see LoadTarget.
func ParseTarget(text []byte, env func(string) (string, bool)) (*Target, error) {
	var t Target
	doc, err := yamldoc.Parse("", text, func(name string) (string, bool) {
		if name != strings.ToUpper(name) {
			return "${" + name + "}", true // the suite fills it in when the run begins
		}
		value, ok := env(name)
		if confidential.MatchString(name) {
			t.confidential = append(t.confidential, value)
		}
		return value, ok
	})
	var wrong *yamldoc.Error
	if errors.As(err, &wrong) {
		return nil, &TargetError{File: "(text)", Faults: byLine(wrong.Faults)}
	}
	if err != nil {
		return nil, err
	}
	d := targetDecoder{doc: doc}
	d.decode(doc.Value, reflect.ValueOf(&t).Elem(), "")
	if d.faults == nil {
		for _, fault := range t.faults() {
			path, why, _ := strings.Cut(fault, ": ")
			first, _, _ := strings.Cut(path, ", ")
			d.faults = append(d.faults, yamldoc.Fault{Line: doc.Line(first), Path: path, Why: why})
		}
	}
	if d.faults != nil {
		return nil, &TargetError{File: "(text)", Faults: byLine(d.faults)}
	}
	return &t, nil
}

// faults lists everything that is wrong with t, each by its key.
func (t *Target) faults() (faults []string) {
	add := func(key, why string) { faults = append(faults, key+": "+why) }
	switch {
	case t.Adapter == nil && t.Platform == nil:
		add("adapter, platform", "give one of them: what is to be judged?")
	case t.Adapter != nil && t.Platform != nil:
		add("adapter, platform", "give one of them; the platform that an adapter talks to is stand_in")
	}
	if a := t.Adapter; a != nil {
		a.faults(add)
		if a.Start == nil && a.Process == nil && t.StandIn.Listen == "" && t.StandIn.Control == "" {
			add("stand_in.listen", "is missing: without adapter.start the adapter runs already, so say at which address it looks for the platform")
		}
	}
	if p := t.Platform; p != nil {
		p.faults(add)
	}
	for key, address := range map[string]string{"stand_in.url": t.StandIn.URL, "stand_in.control": t.StandIn.Control} {
		if address != "" {
			checkURL(add, key, address)
		}
	}
	if (t.StandIn.URL == "") != (t.StandIn.Control == "") {
		add("stand_in", "url and control belong together")
	}
	for key, limit := range map[string]time.Duration{"answer": t.Limits.Answer, "settle": t.Limits.Settle, "hook": t.Limits.Hook, "start": t.Limits.Start, "check": t.Limits.Check} {
		if limit < 0 || limit > time.Hour {
			add("limits."+key, "must be from 0 to 1h")
		}
	}
	known := map[string]bool{}
	for _, c := range Checks() {
		known[c.ID] = true
	}
	for i, d := range t.Accept {
		key := fmt.Sprintf("accept[%d]", i)
		if !known[d.Check] {
			add(key+".check", fmt.Sprintf("%q is no check; `contract list` shows them", d.Check))
		}
		if d.Reason == "" {
			add(key+".reason", "is missing: whoever reads the report wants to know why")
		}
		if d.Until.IsZero() {
			add(key+".until", "is missing: the last day on which it is accepted, such as 2026-12-31")
		}
	}
	slices.Sort(faults)
	return faults
}

func (a *AdapterTarget) faults(add func(key, why string)) {
	switch template, err := integra.ParseNotifyTemplate(a.NotifyURL); {
	case a.NotifyURL == "":
		add("adapter.notify_url", "is missing: the address of notifications, with {id}, {amount} and {hash}")
	case unknownVariable(a.NotifyURL) != "":
		add("adapter.notify_url", unknownVariable(a.NotifyURL))
	case err != nil && !strings.Contains(a.NotifyURL, "${"):
		add("adapter.notify_url", err.Error())
	case !strings.Contains(a.NotifyURL, "{id}") || !strings.Contains(a.NotifyURL, "{amount}"):
		add("adapter.notify_url", fmt.Sprintf("%s lacks {id} or {amount}: how would the adapter learn of the payment?", template))
	}
	switch a.Users {
	case "", "register", "adopt":
	default:
		add("adapter.users", "must be register or adopt")
	}
	if a.Partner != (Partner{}) {
		a.Partner.faults("adapter.partner", add)
	}
	if a.Start != nil {
		checkWords(add, "adapter.start.command", a.Start.Command)
		for _, words := range a.Start.Before {
			checkWords(add, "adapter.start.before", words)
		}
		if a.Start.Ready != "" {
			checkFilledURL(add, "adapter.start.ready", a.Start.Ready)
		}
	}
	if a.Start == nil && a.Process == nil && (len(a.Kill) > 0 || len(a.Stop) > 0) {
		add("adapter.kill, adapter.stop", "are no good without adapter.start: a killed adapter must come back")
	}
	commands := map[string][]string{"adapter.stop": a.Stop, "adapter.kill": a.Kill, "adapter.hook." + opToken: a.Hook.Token}
	for _, op := range operations {
		commands["adapter.hook."+op] = a.Hook.command(op)
	}
	for key, words := range commands {
		if len(words) > 0 {
			checkWords(add, key, words)
		}
	}
	if a.Reach != nil {
		return
	}
	h := &a.Hook
	if h.URL != "" {
		checkFilledURL(add, "adapter.hook.url", h.URL)
	}
	for i, op := range h.Operations {
		if !slices.Contains(operations, op) {
			add(fmt.Sprintf("adapter.hook.operations[%d]", i), fmt.Sprintf("%q is none of %s", op, strings.Join(operations, ", ")))
		}
	}
	for _, op := range slices.Sorted(maps.Keys(h.Requests)) {
		key := "adapter.hook.requests." + op
		switch verb, address := h.Requests[op].verb(); {
		case !slices.Contains(operations, op):
			add(key, "is none of "+strings.Join(operations, ", "))
		case verb == "":
			add(key, "give one address: get, post or put")
		default:
			checkFilledURL(add, key, address)
		}
	}
	maker := a.maker()
	needed := []string{maker, opDeposit, opBalance}
	if strings.Contains(a.NotifyURL, "{proof}") {
		needed = append(needed, opProof)
	}
	if maker == opRegister {
		needed = append(needed, opLink) // without the crypt key the suite cannot log in
	}
	for _, op := range needed {
		if !h.has(op) {
			add("adapter.hook."+op, "is missing: a command, a request, or a url with this operation")
		}
	}
}

// maker is the operation that makes a user.
func (a *AdapterTarget) maker() string {
	if a.Users == opAdopt {
		return opAdopt
	}
	return opRegister
}

func (p *PlatformTarget) faults(add func(key, why string)) {
	if p.Integra == nil && p.AnyMoney == nil && p.Robokassa == nil {
		add("platform.integra, platform.anymoney, platform.robokassa", "give one of them at least")
	}
	if p.Control != "" {
		checkURL(add, "platform.control", p.Control)
	}
	if p.Integra != nil {
		checkURL(add, "platform.integra.url", p.Integra.URL)
		p.Integra.Partner.faults("platform.integra.partner", add)
	}
	missing := func(prefix string, fields map[string]string) {
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			if fields[key] == "" {
				add(prefix+key, "is missing")
			}
		}
	}
	if a := p.AnyMoney; a != nil {
		checkURL(add, "platform.anymoney.url", a.URL)
		missing("platform.anymoney.", map[string]string{"merchant": a.Merchant, "key": a.Key})
		if (a.SCIURL == "") != (a.SCIKey == "") {
			add("platform.anymoney.sci_url, platform.anymoney.sci_key", "belong together")
		}
	}
	if r := p.Robokassa; r != nil {
		checkURL(add, "platform.robokassa.url", r.URL)
		missing("platform.robokassa.", map[string]string{"login": r.Login, "password1": r.Password1, "password2": r.Password2})
	}
}

func (p Partner) faults(prefix string, add func(key, why string)) {
	if !integra.ValidHash(p.Hash) {
		add(prefix+".hash", "must be 32 letters or digits")
	}
	if p.Key == "" {
		add(prefix+".key", "is missing")
	}
	if p.Path == "" {
		add(prefix+".path", "is missing: such as iframe or partners/acme")
	}
	if p.Cipher != "" {
		if _, err := integra.CipherByName(p.Cipher); err != nil {
			add(prefix+".cipher", err.Error())
		}
	}
}

// checkWords looks at a command.
func checkWords(add func(key, why string), key string, words []string) {
	switch {
	case len(words) == 0:
		add(key, "is missing: a program and its arguments")
	case strings.TrimSpace(words[0]) == "":
		add(key, "begins with an empty word where the program must be named")
	}
}

// variables are what the suite fills in.
var variables = []string{"listen", "folder", "platform_url", "partner_path", "partner_hash", "partner_key", "cipher"}

var smallVariable = regexp.MustCompile(`\$\{([^}]*)\}`)

// unknownVariable says which variable of the text nobody fills in, or "".
func unknownVariable(text string) string {
	for _, m := range smallVariable.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(variables, m[1]) {
			return fmt.Sprintf("%s is none of ${%s}", m[0], strings.Join(variables, "}, ${"))
		}
	}
	return ""
}

// checkFilledURL looks at an address that may have variables.
func checkFilledURL(add func(key, why string), key, text string) {
	if why := unknownVariable(text); why != "" {
		add(key, why)
	} else if !strings.Contains(text, "${") {
		checkURL(add, key, text)
	}
}

func checkURL(add func(key, why string), key, text string) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		add(key, fmt.Sprintf("%q is no address such as http://127.0.0.1:8080", text))
	}
}
