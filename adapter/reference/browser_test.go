package reference_test

import (
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/anymoney"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/integra"
	"github.com/partnerkit/partnerkit/adapter/reference"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/internal/page/pagetest"
)

var screenshots = flag.String("screenshots", "", "folder to write the pictures of the documentation to")

// serve serves the page of the whole API, as the adapter does. Nothing of it is called.
func serve(t *testing.T) string {
	t.Helper()
	var st *store.Store
	calls := api.New(api.Config{
		Users: (*integra.Users)(nil), Payments: (*adapter.Service)(nil), Balances: st, Ledger: st, Records: st, Requests: st,
		Reconciliations: st, Payins: (*anymoney.Payins)(nil), Store: st, Version: "1.0.0",
	})
	mux := http.NewServeMux()
	mux.Handle("/openapi.json", calls)
	mux.Handle(reference.Path, reference.New(calls, slog.New(slog.DiscardHandler)))
	mux.Handle(page.AssetPrefix, page.Assets())
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func TestBrowser(t *testing.T) {
	t.Parallel()
	b := pagetest.Start(t)
	t.Run("a developer finds a call", func(t *testing.T) {
		url := serve(t)
		tab := b.Open(t, url+reference.Path, pagetest.Reader{Width: 1440, Height: 900})
		all := pagetest.Eval[int](tab, `document.querySelectorAll("section[id]").length`)
		if all < 25 {
			t.Errorf("%d calls are shown", all)
		}
		tab.Press("/")
		tab.Until(`document.activeElement.id === "q"`)
		tab.Fill("#q", "Statement csv")
		tab.Press("\r")
		tab.Until(`location.search === "?q=Statement+csv" && document.querySelectorAll("section[id]").length === 1`)
		tab.Click("#get-statement-csv summary")
		tab.Until(`document.querySelector("#get-statement-csv details").open`)
		tab.Click(`.filters a[href="?"]`)
		tab.Until(fmt.Sprintf(`location.search === "" && document.querySelectorAll("section[id]").length === %d`, all))
		tab.Click(`a[href="#get-statement"]`)
		tab.Until(`location.hash === "#get-statement" && Math.abs(document.querySelector("#get-statement").getBoundingClientRect().top) < 60`)
		tab.Click(`.bar-nav a[href="#payments"]`)
		tab.Until(`location.hash === "#payments" && Math.abs(document.querySelector("#payments").getBoundingClientRect().top) < 60`)
		tab.Click(`.switches a[lang="ru"]`)
		tab.UntilText("Найти вызов")
	})
	t.Run("it asks nobody else", func(t *testing.T) {
		url := serve(t)
		tab := b.Open(t, url+reference.Path, pagetest.Reader{})
		for _, asked := range pagetest.Eval[[]string](tab, `performance.getEntriesByType("resource").map(e => e.name)`) {
			if !strings.HasPrefix(asked, url+page.AssetPrefix) {
				t.Errorf("it loads %s", asked)
			}
		}
		broken := pagetest.Eval[[]string](tab, `[...document.querySelectorAll('a[href^="#"]')].map(a => a.hash.slice(1)).filter(id => !document.getElementById(id))`)
		if len(broken) > 0 {
			t.Errorf("these links lead nowhere: %q", broken)
		}
	})
	t.Run("nothing sticks out", func(t *testing.T) {
		url := serve(t)
		for _, r := range []pagetest.Reader{{Lang: "ru", Dark: true}, {Lang: "en", NoScript: true}} {
			tab := b.Open(t, url+reference.Path, r)
			for _, query := range []string{"", "?q=nothing+at+all"} {
				tab.Go(url + reference.Path + query)
				for _, width := range []int{360, 640, 768, 1024, 1440} {
					tab.Resize(width)
					if out := tab.Overflow(); len(out) > 0 {
						t.Errorf("%q, %s, %d px: these stick out: %q", query, r.Lang, width, out)
					}
				}
			}
		}
	})
}

// TestScreenshots makes the picture of the documentation.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder given by -screenshots")
	}
	tab := pagetest.Start(t).Open(t, serve(t)+reference.Path+"?q=refund", pagetest.Reader{Width: 1440, Height: 900})
	pagetest.Save(t, filepath.Join(*screenshots, "reference.png"), tab.View())
}
