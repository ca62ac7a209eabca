// Package pagetest opens pages in a real browser, for tests and for the pictures in the
// documentation. It is not part of any program.
package pagetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	kit "github.com/partnerkit/partnerkit/internal/page"
)

// patience bounds each wait for something on a page. Nothing takes that long unless it is
// broken.
const patience = time.Minute

// names are what browsers of the Chromium family are called.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

// ErrNoBrowser is returned by Find.
var ErrNoBrowser = errors.New("no browser found: install Debian's package chromium, or have one of " + strings.Join(names, ", ") + " in PATH")

// Find returns the path of a browser.
func Find() (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoBrowser
}

// A Browser is a running browser with a profile of its own.
type Browser struct{ ctx context.Context }

// Start starts a browser that ends with the test. Without a browser on this machine the
// test is skipped, except under CI, where it fails: a check that never runs is none.
func Start(t testing.TB) *Browser {
	t.Helper()
	path, err := Find()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	fonts := filepath.Join(t.TempDir(), "fonts.conf")
	if err := os.WriteFile(fonts, []byte(fontConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // a container's root has no sandbox; the pages are our own
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Env("FONTCONFIG_FILE="+fonts),
	)...)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(func() { cancel(); stop() })
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return &Browser{ctx}
}

// fontConfig gives every machine the same fonts, as far as it has them, so that pictures
// differ only where pages do.
const fontConfig = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <match target="pattern">
    <edit name="family" mode="append" binding="weak"><string>sans-serif</string></edit></match>
  <match target="pattern"><test name="family"><string>sans-serif</string></test>
    <edit name="family" mode="prepend" binding="strong"><string>Liberation Sans</string></edit></match>
  <match target="pattern"><test name="family"><string>ui-monospace</string></test>
    <edit name="family" mode="prepend" binding="strong"><string>Liberation Mono</string></edit></match>
</fontconfig>
`

// A Reader is who looks at a page and through what.
type Reader struct {
	Width, Height int     // 1280 × 800 if 0
	Scale         float64 // pixels per CSS pixel; 1 if 0
	Dark          bool    // what the reader's system prefers
	Lang          string  // Accept-Language; "en" if ""
	NoScript      bool
}

// A Tab is one open page. Its methods end the test when they fail.
type Tab struct {
	t      testing.TB
	ctx    context.Context
	reader Reader
	faults chan string
}

// Open shows the address to a reader, and waits until the page has loaded. When the test
// ends, whatever the browser complained of meanwhile fails it: scripts that threw, files
// that did not load, breaches of the content security policy.
func (b *Browser) Open(t testing.TB, address string, reader Reader) *Tab {
	t.Helper()
	if reader.Width == 0 {
		reader.Width, reader.Height = 1280, 800
	}
	if reader.Scale == 0 {
		reader.Scale = 1
	}
	if reader.Lang == "" {
		reader.Lang = "en"
	}
	tab := &Tab{t: t, reader: reader, faults: make(chan string, 100)}
	complain := func(format string, args ...any) {
		select {
		case tab.faults <- fmt.Sprintf(format, args...):
		default: // a hundred will do
		}
	}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			complain("script: %s", ev.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			// A page may well answer 4xx; a file of the kit that does so is missing.
			page := ev.Entry.Source == log.EntrySourceNetwork && !strings.Contains(ev.Entry.URL, kit.AssetPrefix)
			if ev.Entry.Level == log.EntryLevelError && !page {
				complain("%s %s", ev.Entry.Text, ev.Entry.URL)
			}
		}
	}))
	tab.ctx = ctx
	t.Cleanup(func() {
		cancel()
		for {
			select {
			case fault := <-tab.faults:
				t.Errorf("the browser complains of %s: %s", address, fault)
			default:
				return
			}
		}
	})
	scheme := "light"
	if reader.Dark {
		scheme = "dark"
	}
	tab.do(
		chromedp.EmulateViewport(int64(reader.Width), int64(reader.Height), chromedp.EmulateScale(reader.Scale)),
		command(log.Enable, cdp.Empty{}),
		command(network.Enable, network.EnableParams{}),
		command(network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": reader.Lang}}),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		}),
		command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: reader.NoScript}),
	)
	tab.Go(address)
	return tab
}

func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, c, params)
		return chromedp.Void{}, err
	}
}

// do runs actions, with patience.
func (tab *Tab) do(actions ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	run(tab, chromedp.Steps(actions...))
}

func run[T any](tab *Tab, action chromedp.Action[T]) T {
	tab.t.Helper()
	if err := chromedp.Do(tab.ctx); err != nil { // the tab lives on after what follows
		tab.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		tab.t.Fatalf("browser: %v", err)
	}
	return v
}

// Go shows another address in the tab.
func (tab *Tab) Go(address string) {
	tab.t.Helper()
	tab.do(chromedp.Navigate(address))
}

// Click clicks on the element that the CSS selector finds.
func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	tab.do(chromedp.Click(chromedp.CSS(selector)))
}

// DoubleClick clicks twice.
func (tab *Tab) DoubleClick(selector string) {
	tab.t.Helper()
	tab.do(chromedp.DoubleClick(chromedp.CSS(selector)))
}

// Fill types text into the field that the CSS selector finds, in the place of what it holds,
// once the field is there.
func (tab *Tab) Fill(selector, text string) {
	tab.t.Helper()
	tab.Until(fmt.Sprintf("document.querySelector(%q)", selector))
	Eval[bool](tab, fmt.Sprintf("(e => { e.focus(); e.select(); return true })(document.querySelector(%q))", selector))
	tab.do(chromedp.KeyEvent(text))
}

// Press presses keys, wherever the focus is.
func (tab *Tab) Press(keys string) {
	tab.t.Helper()
	tab.do(chromedp.KeyEvent(keys))
}

// Hover moves the pointer onto the element that the CSS selector finds.
func (tab *Tab) Hover(selector string) {
	tab.t.Helper()
	box := Eval[[]float64](tab, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.scrollIntoView({ block: "center" });
		const b = e.getBoundingClientRect();
		return [b.x + b.width / 2, b.y + b.height / 2];
	})()`, selector))
	tab.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, box[0], box[1]))
}

// Focus gives the focus to the element that the CSS selector finds.
func (tab *Tab) Focus(selector string) {
	tab.t.Helper()
	tab.do(chromedp.Focus(chromedp.CSS(selector)))
}

// Select chooses an option of a list, as a reader does.
func (tab *Tab) Select(selector, value string) {
	tab.t.Helper()
	Eval[bool](tab, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.value = %q;
		return e.dispatchEvent(new Event("change", { bubbles: true }));
	})()`, selector, value))
}

// Back goes back in the tab's history.
func (tab *Tab) Back() {
	tab.t.Helper()
	tab.do(chromedp.NavigateBack())
}

// Resize gives the tab another width.
func (tab *Tab) Resize(width int) {
	tab.t.Helper()
	tab.reader.Width = width
	tab.resize(tab.reader.Height)
}

// Eval returns the value of a JavaScript expression.
func Eval[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	return run(tab, chromedp.Evaluate[T](expression))
}

// Text returns what a reader sees of the element that the CSS selector finds.
func (tab *Tab) Text(selector string) string {
	tab.t.Helper()
	return strings.Join(strings.Fields(run(tab, chromedp.Text(chromedp.CSS(selector)))), " ")
}

// Until waits for a JavaScript condition on a loaded page, over page loads too: what follows
// may press keys, and the scripts that listen to them run only at the end of the load. It asks
// from outside of the page: there, the content security policy forbids to evaluate text, and
// pages without JavaScript have no timers.
func (tab *Tab) Until(condition string) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	for {
		holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf("!!(() => { try { return document.readyState === 'complete' && (%s) } catch { return false } })()", condition)))
		if holds && err == nil {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			picture := filepath.Join(tab.t.ArtifactDir(), "page.png")
			_ = os.WriteFile(picture, tab.Shot(), 0o600)
			tab.t.Fatalf("still not so after %s: %s\nthe page shows: %s\na picture of it is %s", patience, condition, tab.Text("body"), picture)
		}
	}
}

// UntilText waits until the page shows text.
func (tab *Tab) UntilText(text string) {
	tab.t.Helper()
	tab.Until(fmt.Sprintf("document.body.innerText.replace(/\\s+/g, ' ').includes(%q)", text))
}

// Shot takes a picture of the whole page, PNG.
func (tab *Tab) Shot() []byte {
	tab.t.Helper()
	height := Eval[int](tab, "Math.max(document.documentElement.scrollHeight, 200)")
	tab.resize(max(height, tab.reader.Height))
	defer tab.resize(tab.reader.Height)
	return run(tab, chromedp.CaptureScreenshot())
}

// View takes a picture of what the reader sees without scrolling, PNG.
func (tab *Tab) View() []byte {
	tab.t.Helper()
	return run(tab, chromedp.CaptureScreenshot())
}

// Print returns the page as a printer gets it, PDF.
func (tab *Tab) Print() []byte {
	tab.t.Helper()
	return run(tab, func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		background := true
		r, err := cdp.Call(ctx, t, page.PrintToPDF, page.PrintToPDFParams{PrintBackground: &background})
		if err != nil {
			return nil, err
		}
		return r.Data, nil
	})
}

func (tab *Tab) resize(height int) {
	tab.t.Helper()
	tab.do(chromedp.EmulateViewport(int64(tab.reader.Width), int64(height), chromedp.EmulateScale(tab.reader.Scale)))
}

// Overflow returns what sticks out of the page sideways, and so would make it scroll: the
// elements that are wider than the window and not inside of something that scrolls.
func (tab *Tab) Overflow() []string {
	tab.t.Helper()
	return Eval[[]string](tab, `[...document.body.querySelectorAll("*")].filter(e => {
		if (e.closest(".diagram-scroll, pre, .unseen, thead")) return false;
		const box = e.getBoundingClientRect();
		return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
	}).map(e => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 40))`)
}
