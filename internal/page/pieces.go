package page

import (
	"bytes"
	"fmt"
	"html/template"
	"strconv"
	"time"
)

// funcs returns the functions that templates call: the texts and the pieces. A piece is a
// template of kit/pieces.html or its neighbours, so its arguments are escaped there.
//
//	t key args…             a text of the catalogue
//	top page title          everything before the page's content; bottom page: everything after
//	switches page           language and theme
//	amount text code        "1234.5" "RUB" → 1 234,50 ₽
//	state name              the badge of a state: icon, word, colour
//	badge role text         a badge with words of the page's own
//	id text                 a long id, shortened in the middle, with a button that copies it
//	short text              the same without the button, for links
//	ago time now            5 s ago; moment time: the time of day to the millisecond
//	date time               3 November 2026; dated time: the moment with its date
//	duration d              12 ms
//	icon name               a small picture
//	empty title hint        what stands where a list has nothing to show
//	code Code               text in tabs, secrets masked
//	diagram Diagram         a sequence diagram with its payloads
//	plot Plot               values over time
//	asset name              the address of a file of the kit
func (s *set) funcs() template.FuncMap {
	piece := func(name string, data any) (template.HTML, error) {
		var b bytes.Buffer
		err := s.templates.ExecuteTemplate(&b, name, data)
		return template.HTML(b.String()), err //nolint:gosec // html/template has just escaped it
	}
	return template.FuncMap{
		"t": s.texts.say,
		"top": func(p Page, title string) (template.HTML, error) {
			return piece("top", struct {
				*View
				Title string
			}{p.view(), title})
		},
		"bottom":   func(p Page) (template.HTML, error) { return piece("bottom", p.view()) },
		"switches": func(p Page) (template.HTML, error) { return piece("switches", p.view()) },
		"amount": func(text any, code string) (template.HTML, error) { // any, so that it takes named string types
			return piece("amount", splitAmount(s.lang, fmt.Sprint(text), code))
		},
		"state": func(name any) (template.HTML, error) {
			role, ok := stateRoles[fmt.Sprint(name)]
			if !ok {
				return "", fmt.Errorf("no state %q", name)
			}
			word, err := s.texts.say("kit.state." + fmt.Sprint(name))
			if err != nil {
				return "", err
			}
			return piece("badge", badge{role, word})
		},
		"badge": func(role Role, text string) (template.HTML, error) {
			return piece("badge", badge{role, text})
		},
		"id":    func(text string) (template.HTML, error) { return piece("id", splitID(text)) },
		"short": func(text string) (template.HTML, error) { return piece("short", splitID(text)) },
		"ago": func(at, now time.Time) (template.HTML, error) {
			text, err := s.ago(at, now)
			if err != nil {
				return "", err
			}
			return piece("time", moment{at.UTC(), text, true})
		},
		"moment": func(at time.Time) (template.HTML, error) {
			return piece("time", moment{at.UTC(), at.UTC().Format("15:04:05.000"), false})
		},
		"date":     func(at time.Time) string { return DateText(s.lang, at.UTC()) },
		"dated":    func(at time.Time) (template.HTML, error) { return piece("dated", at.UTC()) },
		"duration": s.duration,
		"icon":     func(name any) (template.HTML, error) { return piece("icon-"+fmt.Sprint(name), nil) },
		"empty": func(title, hint string) (template.HTML, error) {
			return piece("empty", struct{ Title, Hint string }{title, hint})
		},
		"code":    func(c Code) (template.HTML, error) { return piece("code", c.view()) },
		"diagram": func(d Diagram) (template.HTML, error) { return s.diagram(piece, d) },
		"plot":    func(p Plot) (template.HTML, error) { return s.plot(piece, p) },
		"asset": func(name string) (string, error) {
			a, ok := assets()[name]
			if !ok {
				return "", fmt.Errorf("no asset %q", name)
			}
			return a.address, nil
		},
	}
}

// Role says what a colour means. Colour never stands alone: an icon and a word go with it.
type Role string

// The roles of states and outcomes.
const (
	OK      Role = "ok"      // done as it should be
	Wait    Role = "wait"    // under way
	Doubt   Role = "doubt"   // a person should look
	Bad     Role = "bad"     // wrong
	Ended   Role = "ended"   // over without effect: declined, refused, expired
	Neutral Role = "neutral" // no judgement
)

// stateRoles are the states that have a word in the kit's catalogue.
var stateRoles = map[string]Role{
	"received": Wait, "reserved": Wait, "confirming": Wait, "capturing": Wait, "releasing": Wait, "declining": Wait, "waiting": Wait,
	"confirmed": OK, "done": OK,
	"declined": Ended, "refused": Ended, "expired": Ended,
	"in_doubt": Doubt, "capture_refused": Doubt, "release_refused": Doubt,
	"failed": Bad, "conflict": Bad,
}

type badge struct {
	Role Role
	Text string
}

// splitID cuts a long id in three so that the stylesheet can hide its middle: what a reader
// selects and copies is still the whole.
func splitID(text string) (out struct{ Whole, Head, Middle, Tail string }) {
	const head, tail = 6, 4
	runes := []rune(text)
	out.Whole, out.Head = text, text
	if len(runes) > head+tail+2 {
		out.Head = string(runes[:head])
		out.Middle = string(runes[head : len(runes)-tail])
		out.Tail = string(runes[len(runes)-tail:])
	}
	return out
}

// moment is a time as a page shows it.
type moment struct {
	At      time.Time // UTC
	Text    string
	Counted bool // the text counts from now, the browser keeps it current
}

// ago writes how far at lies from now. The units are short so that they need no plural; the
// browser goes on counting with the same texts (see kit.js).
func (s *set) ago(at, now time.Time) (string, error) {
	d := now.Sub(at)
	key := "kit.ago"
	if d < 0 {
		key, d = "kit.in", -d
	}
	switch {
	case d < time.Second:
		return s.texts.say("kit.now")
	case d < time.Minute:
		return s.texts.say(key+".s", int(d/time.Second))
	case d < time.Hour:
		return s.texts.say(key+".min", int(d/time.Minute))
	case d < 24*time.Hour:
		return s.texts.say(key+".h", int(d/time.Hour))
	case d < 7*24*time.Hour:
		return s.texts.say(key+".d", int(d/(24*time.Hour)))
	}
	return DateText(s.lang, at.UTC()), nil
}

// duration writes a span with as many figures as matter: 850 µs, 12 ms, 1.25 s, 3 min 20 s,
// 26 h 5 min, 30 d 12 h.
func (s *set) duration(d time.Duration) (string, error) {
	switch {
	case d < 0:
		text, err := s.duration(-d)
		return "−" + text, err
	case d < time.Microsecond:
		return s.texts.say("kit.ms", "0")
	case d < time.Millisecond:
		return s.texts.say("kit.us", strconv.FormatInt(d.Microseconds(), 10))
	case d < time.Second:
		return s.texts.say("kit.ms", strconv.FormatInt(d.Milliseconds(), 10))
	case d < 10*time.Second:
		seconds := strconv.FormatFloat(d.Truncate(10*time.Millisecond).Seconds(), 'f', -1, 64)
		return s.texts.say("kit.s", decimalPoint(s.lang, seconds))
	case d < time.Minute:
		return s.texts.say("kit.s", strconv.Itoa(int(d.Seconds())))
	case d < time.Hour:
		return s.twoUnits("min", int(d/time.Minute), "s", int(d%time.Minute/time.Second))
	case d < 48*time.Hour:
		return s.twoUnits("h", int(d/time.Hour), "min", int(d%time.Hour/time.Minute))
	}
	return s.twoUnits("d", int(d/(24*time.Hour)), "h", int(d%(24*time.Hour)/time.Hour))
}

// twoUnits writes a number of large units and, unless there are none, of small ones.
func (s *set) twoUnits(large string, n int, small string, m int) (string, error) {
	text, err := s.texts.say("kit."+large, strconv.Itoa(n))
	if err != nil || m == 0 {
		return text, err
	}
	rest, err := s.texts.say("kit."+small, strconv.Itoa(m))
	return text + nbsp + rest, err
}
