package report_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/report"
	"github.com/partnerkit/partnerkit/internal/page/pagetest"
)

// written is the report as a page.
func written(t *testing.T, lang string, r *contract.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := (report.HTML{Lang: lang, File: "my adapter.yaml"}).Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// saved is the same as a file, and its address.
func saved(t *testing.T, lang string, r *contract.Report) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, written(t, lang, r), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + file
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// read is what a reader of the language finds on the page, words in attributes included.
func read(t *testing.T, body []byte, lang string) []string {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	first := ""
	var words []string
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Data == "html" {
			first = attr(n, "lang")
		} else if in := attr(n, "lang"); n.Data == "script" || n.Data == "style" || in != "" && in != lang {
			return
		}
		for _, a := range n.Attr {
			other := attr(n, "data-other-"+a.Key)
			switch {
			case !slices.Contains([]string{"title", "aria-label", "placeholder", "data-said"}, a.Key):
			case other == "" || first == lang:
				words = append(words, a.Val)
			default:
				words = append(words, other)
			}
		}
		if n.Type == html.TextNode {
			words = append(words, strings.Fields(n.Data)...)
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
	}
	walk(doc)
	return words
}

// A reader finds the same in the file, whichever language it begins with.
func TestBothLanguages(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*contract.Report{"real": real(t), "forged": forged()} {
		en, ru := written(t, "en", r), written(t, "ru", r)
		for _, lang := range []string{"en", "ru"} {
			a, b := read(t, en, lang), read(t, ru, lang)
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("%s report, read in %s (-begins with en +begins with ru):\n%s", name, lang, diff)
			}
			text := strings.Join(a, " ")
			if lang == "ru" {
				has(t, text, "Договор нарушен.", "Обещано", "Почему это важно", "Принятое отклонение", "Партнёр ← Integra")
				lacks(t, text, "The agreement", "Promised")
			} else {
				has(t, text, "The agreement is broken.", "Promised", "Why it matters", "Accepted deviation", "Partner ← Integra")
				if found := regexp.MustCompile(`[А-яё]+`).FindAllString(strings.NewReplacer("Русский", "", "Ру", "").Replace(text), -1); len(found) > 0 {
					t.Errorf("in English there is %q", found)
				}
			}
		}
	}
}

// Each check says all that is known of it.
func TestHTMLSaysAll(t *testing.T) {
	t.Parallel()
	r := real(t)
	text := strings.Join(read(t, written(t, "en", r), "en"), " ")
	for i := range r.Results {
		has(t, text, r.Results[i].ID, r.Results[i].Title.En)
	}
	failed := find(t, r, contract.Failed)
	_, mend := contract.Mend(failed.ID)
	has(t, text, mend.En)
	has(t, strings.Join(read(t, written(t, "en", r), "ru"), " "), failed.Failure.WantRu, failed.Failure.GotRu, mend.Ru)
	has(t, text, failed.Failure.Want, failed.Failure.Got, failed.Clause,
		"contract run --target 'my adapter.yaml' --only "+failed.ID+" --seed 42",
		"accepted until "+until.Format(time.DateOnly)+": ticket 42", "the target has no adapter.start, so the adapter cannot be killed",
		"Put into their accounts", fmt.Sprintf("counted %d", r.Money.Users), "confirmPayment", "done, but its answer was lost: hang",
	)
}

// What vouches for a user is in the commands that make a call again, and nowhere else.
func TestProofsAreHidden(t *testing.T) {
	t.Parallel()
	proofs := 0
	for _, result := range real(t).Results {
		for _, x := range result.Exchanges {
			at := strings.Index(x.Curl, "token=")
			if at < 0 {
				continue
			}
			proofs++
			proof := strings.Trim(x.Curl[at+len("token="):], "'")
			proof, _, _ = strings.Cut(proof, "&")
			if len(proof) < 8 || strings.Contains(x.Request, proof) || !strings.Contains(x.Request, "token=••••••") {
				t.Errorf("%s: the proof %q is in\n%s", result.ID, proof, x.Request)
			}
		}
	}
	if proofs == 0 {
		t.Error("nothing was delivered with a proof")
	}
}

// A report of five hundred checks can be mailed.
func TestHTMLIsSmall(t *testing.T) {
	t.Parallel()
	few := real(t)
	many := *few
	many.Results = nil
	for i := 0; len(many.Results) < 500; i++ {
		result := few.Results[i%len(few.Results)]
		result.ID = fmt.Sprintf("%s-%03d", result.Area, i)
		many.Results = append(many.Results, result)
	}
	if size := len(written(t, "en", &many)); size > 5<<20 {
		t.Errorf("%d bytes; want 5 MiB at most", size)
	}
}

func TestHTMLOfNothing(t *testing.T) {
	t.Parallel()
	r := &contract.Report{Target: "x", Verdict: contract.Unknown, Kind: "adapter", Counts: contract.Counts{All: 1, NotRun: 1}, Results: []contract.Result{{ID: "odd", Outcome: contract.NotRun, Severity: contract.Must}}}
	has(t, strings.Join(read(t, written(t, "en", r), "en"), " "), "No verdict", "1 check", "Not run")
}

const visible = `[...document.querySelectorAll(".check")].filter(c => c.checkVisibility()).map(c => c.dataset.state)`

// In one browser, since starting one is most of the work.
func TestHTMLInABrowser(t *testing.T) {
	t.Parallel()
	b := pagetest.Start(t)
	for name, test := range map[string]func(*testing.T, *pagetest.Browser){
		"works from a file": worksFromAFile, "fits": fits, "prints": prints, "without script": withoutScript, "hostile": staysHarmless,
	} {
		t.Run(name, func(t *testing.T) { test(t, b) })
	}
}

// The page works from a file: it asks nobody for anything, and the filter, the language and
// the theme are in its address.
func worksFromAFile(t *testing.T, b *pagetest.Browser) {
	r := real(t)
	address := saved(t, "en", r)
	tab := b.Open(t, address, pagetest.Reader{Width: 1440, Height: 900})
	states := func() []string { return pagetest.Eval[[]string](tab, visible) }
	if got := len(states()); got != r.Counts.All {
		t.Errorf("%d checks are shown; want %d", got, r.Counts.All)
	}
	if asked := pagetest.Eval[[]string](tab, `performance.getEntriesByType("resource").map(e => e.name)`); len(asked) > 0 {
		t.Errorf("the page asked for %v", asked)
	}

	t.Log("by state")
	tab.Click(`.chip:has([value=failed])`)
	if got := states(); len(got) != r.Counts.Failed || slices.ContainsFunc(got, func(s string) bool { return s != "failed" }) {
		t.Errorf("of the failed: %v", got)
	}
	tab.Click(`.chip:has([value=skipped])`)
	if got := states(); len(got) != r.Counts.Failed+r.Counts.Skipped {
		t.Errorf("of the failed and the skipped: %v", got)
	}
	tab.Until(`location.hash === "#state=failed%2Cskipped"`)

	t.Log("by text, in either language")
	tab.Fill("#q", "ответа нет int-lost")
	tab.Until(`document.querySelector("[data-shown]").textContent === "1"`)
	if got := tab.Text(".area:not([hidden]) .check:not([hidden]) summary code"); got != "INT-LOST-06" {
		t.Errorf("found %s", got)
	}
	tab.Fill("#q", "nothing of the kind")
	tab.UntilText("No check fits the filter")

	t.Log("language and theme, kept over a reload")
	tab.Fill("#q", "lost")
	tab.Click(`[data-set="lang=ru"]`)
	tab.Until(`document.title === "Договор нарушен. acme billing" && document.querySelector("#q").labels[0].innerText === "Текст"`)
	tab.Click(`[data-set="theme=dark"]`)
	before := states()
	tab.Go("about:blank")
	tab.Go(address + pagetest.Eval[string](tab, `"#state=failed%2Cskipped&q=lost&lang=ru&theme=dark"`))
	tab.UntilText("Договор нарушен.")
	if after := states(); !slices.Equal(before, after) || pagetest.Eval[string](tab, "document.documentElement.dataset.theme") != "dark" {
		t.Errorf("after a reload %v are shown; want %v, in the dark", after, before)
	}
	if got := pagetest.Eval[string](tab, `document.querySelector(".diagram-drawing").getAttribute("aria-label")`); got != "Кто кого вызывал: время идёт сверху вниз" {
		t.Errorf("a screen reader hears %q", got)
	}
	tab.Click(`[data-set="lang=en"]`)
	tab.Until(`document.querySelector(".diagram-drawing").getAttribute("aria-label").startsWith("Who called whom")`)

	t.Log("a check by its address, its diagram, and the keys")
	tab.Go("about:blank")
	tab.Go(address + "#INT-NOTIFY-03")
	tab.Until(`document.getElementById("INT-NOTIFY-03").open`)
	tab.Focus(`#INT-NOTIFY-03 .arrow`)
	tab.Until(`document.querySelector("#INT-NOTIFY-03 .panel.shown .code").innerText.includes("HTTP/1.1")`)
	if got := pagetest.Eval[int](tab, `document.querySelectorAll(".check[data-state=failed] .panel.shown").length`); got != r.Counts.Failed {
		t.Errorf("%d failing exchanges are still shown; want one for each of %d checks", got, r.Counts.Failed)
	}
	tab.Press("/")
	tab.Until(`document.activeElement.id === "q"`)
}

// At every width and in both languages all of it can be read without scrolling sideways.
func fits(t *testing.T, b *pagetest.Browser) {
	for name, r := range map[string]*contract.Report{"real": real(t), "forged": forged()} {
		tab := b.Open(t, saved(t, "ru", r), pagetest.Reader{Width: 360, Height: 720, Lang: "ru"})
		pagetest.Eval[bool](tab, `document.querySelectorAll("details").forEach(d => d.open = true) ?? true`)
		for _, lang := range []string{"ru", "en"} {
			tab.Resize(1440) // a phone shows only what there is to switch to
			tab.Click(`[data-set="lang=` + lang + `"]`)
			for _, width := range []int{360, 768, 1440} {
				tab.Resize(width)
				if out := tab.Overflow(); len(out) > 0 {
					t.Errorf("%s, %s, %d px: sticking out: %q", name, lang, width, out)
				}
			}
		}
	}
}

// Printed, the list of checks is there with what has failed, and not every exchange of those
// that have passed.
func prints(t *testing.T, b *pagetest.Browser) {
	r := real(t)
	tab := b.Open(t, saved(t, "en", r), pagetest.Reader{Dark: true})
	pdf := tab.Print()
	pages := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(pdf, -1))
	if !bytes.HasPrefix(pdf, []byte("%PDF")) || pages < 2 || pages > 10+2*r.Counts.Failed {
		t.Errorf("%d bytes, %d pages; want a PDF of a few pages", len(pdf), pages)
	}
}

// Without JavaScript everything is there but the filter.
func withoutScript(t *testing.T, b *pagetest.Browser) {
	r := real(t)
	tab := b.Open(t, saved(t, "ru", r), pagetest.Reader{Width: 768, Height: 900, NoScript: true})
	has(t, tab.Text("body"), "Договор нарушен.", "INT-CRASH-01", "Обещано")
	lacks(t, tab.Text("body"), "Показано", "The agreement")
	closed := "#" + find(t, r, contract.Passed).ID // what failed is open, and a click would close it
	tab.Click(closed + " summary")
	tab.Until(`document.querySelector("` + closed + ` .diagram-drawing").checkVisibility()`)
}

// What strangers have sent is shown, and does nothing: the browser would complain of a script
// or a picture that its policy keeps out, and that fails the test as well.
func staysHarmless(t *testing.T, b *pagetest.Browser) {
	tab := b.Open(t, saved(t, "en", forged()), pagetest.Reader{})
	pagetest.Eval[bool](tab, `document.querySelectorAll("details").forEach(d => d.open = true) ?? true`)
	tab.Click(`[data-set="lang=ru"]`)
	tab.Click(`[data-set="lang=en"]`)
	tab.Hover(`#INT-NOTIFY-02 .arrow`)
	tab.UntilText(`"><script>alert('x')</script><img src=x`)
	type found struct{ Scripts, Pictures, Handlers, Styles int }
	got := pagetest.Eval[found](tab, `({
		scripts: document.scripts.length,
		pictures: document.querySelectorAll("img, iframe, object, embed, link").length,
		handlers: [...document.querySelectorAll("*")].filter(e => [...e.attributes].some(a => a.name.startsWith("on"))).length,
		styles: document.querySelectorAll("style, [style]").length,
	})`)
	if want := (found{Scripts: 1, Styles: 1}); got != want {
		t.Errorf("the page has %+v; want %+v", got, want)
	}
	has(t, pagetest.Eval[string](tab, "document.title"), "The agreement is broken. acme")
	lacks(t, tab.Text("body"), "\u202e", "\x1b")
}
