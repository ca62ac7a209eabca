package integra

import (
	"embed"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
	"github.com/partnerkit/partnerkit/internal/page"
)

//go:embed page
var pageFiles embed.FS

// site are the pages of users. Any partner may frame them: the stand-in cannot know whose
// panel asks, and the session is the address (k), not a cookie, so that a foreign frame has
// nothing to steal a click with that it does not know already.
var site = page.New(page.Config{Files: pageFiles, Dir: "page", Framed: true})

const (
	shownPayments = 50                     // in the history
	liveEvery     = 200 * time.Millisecond // between two changes of a screen
	freshFor      = 10 * time.Minute       // a settled top-up stays the news for so long
)

// pages draws what a user of the iframe sees.
type pages struct{ p *Platform }

// screen is what the templates of a session get.
type screen struct {
	page.View
	User     User
	Screen   wire.Deeplink // "" is the account
	News     *line         // the latest top-up, while it is new
	Lines    []line        // the history, the newest first
	More     int           // payments that are not shown
	Form     topUpForm
	Settings Settings // for the help
	ByCard   bool     // topping up by Robokassa is offered
}

// line is one payment of the history.
type line struct {
	Payment
	Badge string       // the kit's name of its state
	Sum   money.Amount // credited, or asked for while nothing is
	Fresh bool         // settled a moment ago
	Tries int          // notifications that were answered or not, without copies
	Now   time.Time
}

// topUpForm is the form as it was sent, with what is wrong with it.
type topUpForm struct {
	Amount string
	Error  string // a key of the texts under "amount."; "" for nothing
	Detail string // the refusal's own words, where the texts have none
}

// returned is what the template for those gets who come from Robokassa and have no page to
// go back to.
type returned struct {
	page.View
	Payment Payment
	Well    bool
}

// refusal is what the template of a page that is not let in gets.
type refusal struct {
	page.View
	*Refusal
	Kind string // a key of the texts under "refused."
}

// screen answers cryptLogin and iframe.
func (s *pages) screen(w http.ResponseWriter, r *http.Request, session visitor) {
	s.render(w, http.StatusOK, "account", s.data(s.view(w, r), session, topUpForm{}))
}

// live answers a request for the changes of the screen: one with the parameter page.LiveParam.
func (s *pages) live(w http.ResponseWriter, r *http.Request, session visitor) {
	changed, stop := s.p.Watch(session.User)
	defer stop()
	view := s.view(w, r)
	err := page.Live(w, r, liveEvery, changed, func() ([]byte, error) {
		view.Now = s.p.cfg.Clock.Now()
		data := s.data(view, session, topUpForm{})
		if data.User.Hash == "" {
			return nil, fmt.Errorf("user %s is gone", session.User)
		}
		return site.HTML(view.Lang, "live", data)
	})
	if err != nil {
		s.p.cfg.Log.Info("a live page ended", "err", err)
	}
}

// toppedUp answers the form of the screen: a POST to its own address with the fields amount,
// here as it was typed, and via. err is nil or a *Refusal.
func (s *pages) toppedUp(w http.ResponseWriter, r *http.Request, session visitor, typed string, err error) {
	status, form := http.StatusOK, topUpForm{}
	if err != nil {
		status, form = http.StatusUnprocessableEntity, failed(typed, err)
	}
	view := s.view(w, r)
	switch {
	case r.Header.Get("HX-Request") != "":
		// The form alone: the rest comes by the live part, and in order. Sent with this
		// answer as well, an older state could overtake a newer one.
		s.render(w, status, "top-up", s.data(view, session, form))
	case err != nil:
		s.render(w, status, "account", s.data(view, session, form))
	default: // so that a reload does not pay again
		w.Header().Set("Location", "?"+r.URL.RawQuery)
		w.WriteHeader(http.StatusSeeOther)
	}
}

// refused answers a request for the screen that is not let in.
func (s *pages) refused(w http.ResponseWriter, r *http.Request, why *Refusal) {
	kind, _, _ := strings.Cut(string(why.Check), ".") // "args.login" is a kind of "args"
	if !slices.Contains([]string{"k", "key", "partner", "user", "path", "archive", "args"}, kind) {
		kind = "request"
	}
	s.render(w, why.pageStatus(), "refused", &refusal{View: s.view(w, r), Refusal: why, Kind: kind})
}

func (s *pages) render(w http.ResponseWriter, status int, name string, data page.Page) {
	if err := site.Render(w, status, name, data); err != nil {
		s.p.cfg.Log.Error("a page could not be made", "page", name, "err", err)
	}
	if by := s.p.cfg.Acquirer; by != nil {
		// The answer to the form leads on to the acquirer, which browsers count as its target.
		const own = "form-action 'self'"
		if u, err := url.Parse(by.Robokassa); err == nil {
			w.Header().Set("Content-Security-Policy", strings.Replace(w.Header().Get("Content-Security-Policy"), own, own+" "+u.Scheme+"://"+u.Host, 1))
		}
	}
}

func (s *pages) view(w http.ResponseWriter, r *http.Request) page.View {
	view := site.View(w, r, s.p.cfg.Clock.Now())
	clock := s.p.cfg.Clock.State()
	view.Still = clock.Frozen || clock.Rate != 1
	return view
}

// data collects what a session's screen shows.
func (s *pages) data(view page.View, session visitor, form topUpForm) *screen {
	u, _ := s.p.User(session.User, shownPayments) // a user who is gone shows as empty
	out := &screen{
		View: view, User: u, Screen: session.Screen, Form: form, Settings: s.p.Settings(),
		More: u.PaymentCount - len(u.Payments), ByCard: s.p.cfg.Acquirer != nil,
	}
	for _, pay := range u.Payments {
		l := newLine(pay, view.Now)
		out.Lines = append(out.Lines, l)
		if out.News == nil && pay.Kind == TopUp && (!pay.State.Final() || view.Now.Sub(pay.SettledAt) < freshFor) {
			out.News = &l
		}
	}
	return out
}

func newLine(pay Payment, now time.Time) line {
	l := line{Payment: pay, Sum: pay.Amount, Now: now}
	switch {
	case pay.State == Confirmed:
		l.Badge, l.Sum = "confirmed", pay.Credited
	case pay.Expired:
		l.Badge = "expired"
	case pay.State == Declined:
		l.Badge = "declined"
	default:
		l.Badge = "waiting"
	}
	l.Fresh = pay.State.Final() && now.Sub(pay.SettledAt) < 5*time.Second
	for _, a := range pay.Attempts {
		if !a.Copy {
			l.Tries++
		}
	}
	return l
}

// Link returns the address that the partner gave with a decline, if it is one for browsers.
func (l line) Link() string {
	if u, err := url.Parse(l.ErrorLink); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return l.ErrorLink
}

var (
	spaces       = strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "\t", "")
	decimalComma = regexp.MustCompile(`^([0-9]+),([0-9]{1,2})$`)
)

// typedAmount reads an amount as people type it: spaces part thousands, and a comma before
// one or two digits at the end is a decimal mark. "1,234" stays as it is, and is refused: it
// means a thousand times more to some readers than to others.
func typedAmount(typed string) string {
	return decimalComma.ReplaceAllString(spaces.Replace(typed), "$1.$2")
}

// failed says in the words of the page what is wrong with an amount.
func failed(typed string, err error) topUpForm {
	form := topUpForm{Amount: typed, Error: "refused", Detail: err.Error()}
	var why *Refusal
	if !errors.As(err, &why) {
		return form
	}
	switch why.Check {
	case CheckVia:
		form.Error = "via"
	case CheckNotify:
		form.Error = "notify"
	case CheckAmount:
		form.Error = "large" // the one reason that has nothing to do with its form
		var format *money.FormatError
		if _, err := money.Parse(typedAmount(typed), money.RUB); errors.As(err, &format) {
			form.Error = amountFaults[format.Fault]
			if format.Fault == money.FaultLength && strings.Trim(format.Text, "0123456789.") == "" {
				form.Error = "large"
			}
		}
	}
	return form
}

// amountFaults names the page's words for what can be wrong with an amount.
var amountFaults = map[money.Fault]string{
	money.FaultEmpty:     "empty",
	money.FaultZero:      "zero",
	money.FaultSign:      "sign",
	money.FaultDecimals:  "decimals",
	money.FaultRange:     "large",
	money.FaultLength:    "digits",
	money.FaultComma:     "comma",
	money.FaultExponent:  "digits",
	money.FaultPoint:     "digits",
	money.FaultScript:    "digits",
	money.FaultSpace:     "digits",
	money.FaultCharacter: "digits",
	money.FaultZeros:     "digits",
}
