package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/report"
)

func terminal(t *testing.T, o report.Terminal, r *contract.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := o.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// By area, with what was promised, what was found and how to see it again; at the end the
// verdict.
func TestTerminal(t *testing.T) {
	t.Parallel()
	r := real(t)
	en := terminal(t, report.Terminal{Lang: "en"}, r)
	failed := find(t, r, contract.Failed)
	has(t, en,
		" INT-NOTIFY  Notifications\n", "INT-LOST  Lost and broken answers\n",
		"✗ "+failed.ID+" ", "promised: "+failed.Failure.Want, "found:    "+failed.Failure.Got,
		"clause: "+failed.Clause+"   contract explain "+failed.ID, "confirmPayment", "⇒ 200 ",
		"~ INT-LOST-03", "accepted until "+until.Format(time.DateOnly)+": ticket 42",
		"skipped INT-CRASH-01, INT-CRASH-02, INT-CRASH-03", "the target has no adapter.start",
		fmt.Sprintf("The agreement is broken. acme billing — %d checks, %d passed, %d failed, 1 accepted deviations, 9 skipped — ", r.Counts.All, r.Counts.Passed, r.Counts.Failed), "--seed 42\n",
	)
	passed := find(t, r, contract.Passed)
	lacks(t, en, "\x1b", "✓", passed.ID)
	ru := terminal(t, report.Terminal{Lang: "ru"}, r)
	has(t, ru, "INT-NOTIFY  Уведомления\n", failed.Title.Ru, "обещано: "+failed.Failure.WantRu, "увидено: "+failed.Failure.GotRu, "принято до "+until.Format(time.DateOnly)+": ", "пропущено INT-CRASH-01", "в цели нет adapter.start", "Договор нарушен.", fmt.Sprintf("пройдено: %d", r.Counts.Passed))
	lacks(t, ru, failed.Failure.Want)
	has(t, terminal(t, report.Terminal{Lang: "en", All: true}, r), "✓ "+passed.ID)
}

// The exchange that broke the promise is shown whole: request, answer, and the command that
// makes it again.
func TestTerminalShowsTheExchange(t *testing.T) {
	t.Parallel()
	r := forged()
	result := find(t, r, contract.Failed)
	result.Failure.Exchange = 0
	result.Exchanges[0].Request, result.Exchanges[0].Response = "GET /notify?amount=100 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n{\"stored\":true}"
	result.Exchanges[0].Curl = "curl -i 'http://x/notify?amount=100'"
	has(t, terminal(t, report.Terminal{Lang: "en"}, r),
		"→ Partner notify\n        GET /notify?amount=100 HTTP/1.1\n        Host: x\n",
		"← 1.5ms\n        HTTP/1.1 200 OK\n        \n        {\"stored\":true}\n",
		"again: curl -i 'http://x/notify?amount=100'\n",
		"E INT-NOTIFY-06",
	)
	has(t, terminal(t, report.Terminal{Lang: "ru"}, r), "повторить: curl")
}

func TestTerminalColours(t *testing.T) {
	t.Parallel()
	has(t, terminal(t, report.Terminal{Lang: "en", Color: true}, real(t)), "\x1b[31m✗\x1b[0m", "\x1b[33m~\x1b[0m", "\x1b[90m-\x1b[0m", "\x1b[31mThe agreement is broken.\x1b[0m")
}

// What strangers send steers no terminal.
func TestTerminalOfTheHostile(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "ru"} {
		r := forged()
		text := terminal(t, report.Terminal{Lang: lang, All: true}, r)
		for i := range r.Results {
			if r.Results[i].Outcome != contract.NotRun {
				text += report.Terminal{Lang: lang}.Line(&r.Results[i])
			}
		}
		if i := strings.IndexFunc(text, func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' || unicode.Is(unicode.Cf, c) }); i >= 0 {
			t.Errorf("%q came through: …%q", text[i], text[max(0, i-40):i+20])
		}
		has(t, text, `\u0000\u001b[31m\u202e\xff`)
	}
}

func TestTerminalVerdicts(t *testing.T) {
	t.Parallel()
	r := &contract.Report{Target: "x", Ended: "interrupted", EndedRu: "прервали", Problems: []string{"no adapter"}, ProblemsRu: []string{"нет адаптера"}}
	has(t, terminal(t, report.Terminal{Lang: "ru"}, r), "прервано: прервали", "E нет адаптера")
	has(t, terminal(t, report.Terminal{Lang: "en"}, r), "ended: interrupted", "E no adapter")
	for verdict, want := range map[contract.Verdict][2]string{
		contract.Kept:    {"The agreement is kept.", "Договор соблюдён."},
		contract.Broken:  {"The agreement is broken.", "Договор нарушен."},
		contract.Unknown: {"No verdict: the run itself had errors.", "Вердикта нет: ошибки самого прогона."},
	} {
		r := &contract.Report{Target: "x", Verdict: verdict, Ended: "interrupted"}
		has(t, terminal(t, report.Terminal{Lang: "en"}, r), want[0], "ended: interrupted")
		has(t, terminal(t, report.Terminal{Lang: "ru"}, r), want[1], "прервано: interrupted")
	}
}

// What happened to the adapter meanwhile stands among the exchanges, in the order of time, in
// every report.
func TestEventsAreShown(t *testing.T) {
	t.Parallel()
	r := forged()
	result := find(t, r, contract.Failed)
	result.Failure = &contract.Failure{Want: "a", Got: "b", Exchange: -1}
	result.Exchanges = result.Exchanges[:2]
	result.Exchanges[1].At = day.Add(2 * time.Second)
	result.Events = []contract.Event{{At: day.Add(time.Second), What: contract.Killed}, {At: day.Add(3 * time.Second), What: contract.Started}}
	inOrder := func(text string, parts ...string) {
		t.Helper()
		rest := text
		for _, part := range parts {
			_, after, ok := strings.Cut(rest, part)
			if !ok {
				t.Errorf("no %q in its place in\n%s", part, text)
			}
			rest = after
		}
	}
	inOrder(terminal(t, report.Terminal{Lang: "en"}, r), "12:00:00.000 Suite → Partner notify", "12:00:01.000 Partner: killed", "12:00:02.000 Partner → Integra confirmPayment", "12:00:03.000 Partner: started")
	has(t, terminal(t, report.Terminal{Lang: "ru"}, r), "Partner: убит", "Partner: запущен")
	var xml, js bytes.Buffer
	if err := errors.Join(report.JUnit(&xml, r), report.JSON(&js, r)); err != nil {
		t.Fatal(err)
	}
	inOrder(xml.String(), "notify", "Partner: killed", "confirmPayment", "Partner: started")
	has(t, js.String(), `"what": "killed"`, `"what": "started"`)
	page := written(t, "en", r)
	inOrder(strings.Join(read(t, page, "en"), " "), "killed", "started")
	has(t, strings.Join(read(t, page, "ru"), " "), "убит", "запущен")
	result.Failure.Exchange = 0
	inOrder(terminal(t, report.Terminal{Lang: "en"}, r), "→ Partner notify", "Partner: killed", "Partner: started")
}

// Which limit a run spent its time on stands before the verdict, with one that is enough.
func TestWaitsAreShown(t *testing.T) {
	t.Parallel()
	r := &contract.Report{Target: "x", Kind: "adapter", Verdict: contract.Broken, Waited: &contract.Waited{Waits: 9, TookMS: 135_000, SettleMS: 15_000, LongestMS: 420, SuggestedMS: 2000}}
	const en, ru = "Waits in vain: 9, 2m15s in all, each ended by limits.settle (15s). All that did come came within 420ms: with limits.settle at 2s the next run is over sooner.",
		"Напрасных ожиданий: 9, всего 2 мин 15 с; каждое закончил предел limits.settle (15 с). Всё, что пришло, пришло не позже чем через 420 мс: с limits.settle в 2 с следующий прогон закончится раньше."
	has(t, terminal(t, report.Terminal{Lang: "en"}, r), en)
	has(t, terminal(t, report.Terminal{Lang: "ru"}, r), ru)
	page := written(t, "en", r)
	has(t, strings.Join(read(t, page, "en"), " "), en)
	has(t, strings.Join(read(t, page, "ru"), " "), ru)
}
