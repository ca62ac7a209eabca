package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/internal/page"
)

// Terminal is how a report is written for people.
type Terminal struct {
	Lang  string // en or ru
	Color bool
	All   bool // also the checks that passed
	// Slowest is how many of the checks that took longest are listed at the end.
	Slowest int
}

// marks stand before a check; colours are ANSI's.
var marks = map[contract.Outcome]struct{ mark, colour string }{
	contract.Passed:   {"✓", "32"},
	contract.Failed:   {"✗", "31"},
	contract.Advice:   {"!", "33"},
	contract.Accepted: {"~", "33"},
	contract.Skipped:  {"-", "90"},
	contract.Errored:  {"E", "35"},
	contract.NotRun:   {"·", "90"},
}

// Line is a check that has ended, in one line.
func (o Terminal) Line(r *contract.Result) string {
	text := fmt.Sprintf("%s %-16s %s", o.paint(r.Outcome, marks[r.Outcome].mark), r.ID, r.Title.In(o.Lang))
	switch r.Outcome {
	case contract.Failed, contract.Advice:
		text += "\n    " + o.failure(r.Failure)
	case contract.Skipped, contract.Errored, contract.Accepted:
		text += "\n    " + shown(r.Why.In(o.Lang))
	}
	return text
}

func (o Terminal) failure(f *contract.Failure) string {
	want, got := f.In(o.Lang)
	return o.word("promised: ", "обещано: ") + shown(want) + "\n    " + o.word("found:    ", "увидено: ") + shown(got)
}

func (o Terminal) paint(outcome contract.Outcome, text string) string {
	if !o.Color {
		return text
	}
	return "\x1b[" + marks[outcome].colour + "m" + text + "\x1b[0m"
}

// Write writes the report: what failed with the exchanges that broke it, what was skipped
// and why, and at the end the verdict.
func (o Terminal) Write(w io.Writer, r *contract.Report) error {
	b := bufio.NewWriter(w)
	for group := range groups(r) {
		o.group(b, group)
	}
	slowest := slices.SortedStableFunc(slices.Values(r.Results), func(x, y contract.Result) int { return cmp.Compare(y.TookMS, x.TookMS) })
	for _, x := range slowest[:max(0, min(o.Slowest, len(slowest)))] {
		_, _ = fmt.Fprintf(b, "%6d %s  %s  %s\n", x.TookMS, o.word("ms", "мс"), x.ID, x.Title.In(o.Lang))
	}
	for _, problem := range r.ProblemsIn(o.Lang) {
		_, _ = fmt.Fprintln(b, o.paint(contract.Errored, "E"), shown(problem))
	}
	if r.Waited != nil {
		_, _ = fmt.Fprintln(b, r.Waited.Text().In(o.Lang))
	}
	if r.Ended != "" {
		_, _ = fmt.Fprintln(b, o.word("ended", "прервано")+": "+shown(r.EndedIn(o.Lang)))
	}
	_, _ = fmt.Fprintln(b, o.summary(r))
	return b.Flush()
}

// groups are the results by area, in the order of the checks.
func groups(r *contract.Report) func(func([]contract.Result) bool) {
	return func(yield func([]contract.Result) bool) {
		for rest := r.Results; len(rest) > 0; {
			n := slices.IndexFunc(rest, func(x contract.Result) bool { return x.Area != rest[0].Area })
			if n < 0 {
				n = len(rest)
			}
			if !yield(rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

func (o Terminal) group(b *bufio.Writer, results []contract.Result) {
	passed := 0
	for _, r := range results {
		if r.Outcome == contract.Passed {
			passed++
		}
	}
	title := contract.AreaOf(results[0].ID).Title.In(o.Lang)
	outcome := contract.Passed
	for _, r := range results {
		if r.Outcome != contract.Passed && r.Outcome != contract.Skipped && outcome != contract.Failed {
			outcome = r.Outcome
		}
	}
	_, _ = fmt.Fprintf(b, "%s %s  %s\n", o.paint(outcome, fmt.Sprintf("%3d/%-3d", passed, len(results))), results[0].Area, title)
	skipped := map[string][]string{}
	var reasons []string
	for i := range results {
		r := &results[i]
		switch r.Outcome {
		case contract.Passed:
			if o.All || r.Why != (contract.Text{}) {
				_, _ = fmt.Fprintf(b, "  %s\n", o.Line(r))
			}
			if r.Why != (contract.Text{}) {
				_, _ = fmt.Fprintf(b, "    %s\n", shown(r.Why.In(o.Lang)))
			}
		case contract.Skipped:
			why := shown(r.Why.In(o.Lang))
			if skipped[why] == nil {
				reasons = append(reasons, why)
			}
			skipped[why] = append(skipped[why], r.ID)
		case contract.NotRun:
		default:
			o.broken(b, r)
		}
	}
	for _, why := range reasons {
		_, _ = fmt.Fprintf(b, "  %s %s %s: %s\n", o.paint(contract.Skipped, "-"), o.word("skipped", "пропущено"), strings.Join(skipped[why], ", "), why)
	}
}

// most is how much of a message the terminal shows.
const most = 1200

// shown is text that steers no terminal, whatever a stranger has put into it.
func shown(text string) string {
	return strings.ReplaceAll(page.Printable(text), "\n", "\n    ")
}

func (o Terminal) broken(b *bufio.Writer, r *contract.Result) {
	_, _ = fmt.Fprintf(b, "  %s\n", strings.ReplaceAll(o.Line(r), "\n", "\n  "))
	if r.Failure == nil {
		return
	}
	if r.Outcome == contract.Failed && r.Why != (contract.Text{}) {
		_, _ = fmt.Fprintf(b, "      %s\n", shown(r.Why.In(o.Lang)))
	}
	_, _ = fmt.Fprintf(b, "      %s: %s   contract explain %s\n", o.word("clause", "пункт"), contract.ClauseIn(o.Lang, r.Clause), r.ID)
	if i := r.Failure.Exchange; i >= 0 && i < len(r.Exchanges) {
		o.exchange(b, &r.Exchanges[i])
		for i := range r.Events {
			o.event(b, &r.Events[i])
		}
		return
	}
	for i, event := range r.Story() { // nobody in particular: who called whom, in a line each
		if event != nil {
			o.event(b, event)
			continue
		}
		x := &r.Exchanges[i]
		if setsUp(x) {
			continue
		}
		_, _ = fmt.Fprintf(b, "      %s %s → %s %s %s ⇒ %s\n", x.At.Format("15:04:05.000"), x.From, x.To, x.Method, shown(x.Args), shown(answered(x)))
	}
}

// event is what happened to the adapter, in a line.
func (o Terminal) event(b *bufio.Writer, e *contract.Event) {
	_, _ = fmt.Fprintf(b, "      %s %s: %s\n", e.At.Format("15:04:05.000"), contract.PartyPartner, e.Text().In(o.Lang))
}

func answered(x *contract.Exchange) string {
	if x.Status == 0 {
		return x.Err
	}
	_, body, _ := strings.Cut(x.Response, "\r\n\r\n")
	return fmt.Sprintf("%d %s", x.Status, clip(strings.TrimSpace(body), 200))
}

func (o Terminal) exchange(b *bufio.Writer, x *contract.Exchange) {
	indent := func(text string) string {
		return strings.ReplaceAll(strings.TrimRight(page.Printable(clip(text, most)), "\n"), "\n", "\n        ")
	}
	_, _ = fmt.Fprintf(b, "      → %s %s\n        %s\n", x.To, x.Method, indent(x.Request))
	if x.Response != "" {
		_, _ = fmt.Fprintf(b, "      ← %s\n        %s\n", time.Duration(x.TookUS)*time.Microsecond, indent(x.Response))
	}
	if x.Err != "" {
		_, _ = fmt.Fprintf(b, "      ← %s\n", shown(x.Err))
	}
	if x.Curl != "" {
		_, _ = fmt.Fprintf(b, "      %s: %s\n", o.word("again", "повторить"), shown(clip(x.Curl, 4000)))
	}
}

func (o Terminal) word(en, ru string) string {
	if o.Lang == "ru" {
		return ru
	}
	return en
}

// summary is the verdict in a line.
func (o Terminal) summary(r *contract.Report) string {
	c := r.Counts
	verdict := map[contract.Verdict]string{
		contract.Kept:    o.paint(contract.Passed, o.word("The agreement is kept.", "Договор соблюдён.")),
		contract.Broken:  o.paint(contract.Failed, o.word("The agreement is broken.", "Договор нарушен.")),
		contract.Unknown: o.paint(contract.Errored, o.word("No verdict: the run itself had errors.", "Вердикта нет: ошибки самого прогона.")),
	}[r.Verdict]
	parts := []string{fmt.Sprintf(o.word("%d checks", "проверок: %d"), c.All), fmt.Sprintf(o.word("%d passed", "пройдено: %d"), c.Passed)}
	for _, part := range []struct {
		n      int
		en, ru string
	}{
		{c.Failed, "%d failed", "не пройдено: %d"},
		{c.Advice, "%d advised", "советов: %d"},
		{c.Accepted, "%d accepted deviations", "принятых отклонений: %d"},
		{c.Skipped, "%d skipped", "пропущено: %d"},
		{c.Errors, "%d errors", "ошибок: %d"},
		{c.NotRun, "%d not run", "не запускалось: %d"},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf(o.word(part.en, part.ru), part.n))
		}
	}
	return fmt.Sprintf("%s %s — %s — %s, --seed %d", verdict, shown(r.Target), strings.Join(parts, ", "), (time.Duration(r.TookMS) * time.Millisecond).String(), r.Seed)
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
