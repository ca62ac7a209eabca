package webui_test

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/internal/page/pagetest"
	"github.com/partnerkit/partnerkit/mockplatform"
)

var (
	loadCalls = flag.Int("calls", 2_000, "calls that TestExactUnderLoad makes")
	loadRate  = flag.Int("rate", 0, "calls a second that it makes; 0 for as many as it can")
)

// watchPage notes in the page how long its thread was ever kept from drawing.
const watchPage = `(() => {
	window.worst = 0; window.tasks = 0;
	new PerformanceObserver(l => { for (const e of l.getEntries()) { window.tasks++; window.worst = Math.max(window.worst, e.duration) } }).observe({ type: "longtask" });
	return true;
})()`

// TestExactUnderLoad calls the platform as fast as may be while the journal is open in a
// browser: in the end the page shows every call, and until then it answers its reader. The
// figure of the documentation is
//
//	go test ./mockplatform/webui -run TestExactUnderLoad -v -calls 30000 -rate 1000
func TestExactUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k, err := wire.Seal(wire.Simple, wire.Credentials{Hash: mockplatform.DemoPartner.Hash, Key: mockplatform.DemoPartner.Key}, map[string]string{"name": "World"})
	if err != nil {
		t.Fatal(err)
	}
	address, err := wire.RequestURL(w.platform.PlatformURL(), mockplatform.DemoPartner.Path, wire.Hello, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	tab := pagetest.Start(t).Open(t, w.platform.ControlURL()+"/", pagetest.Reader{})
	tab.Until(`!!document.querySelector("[data-live=on]")`)
	pagetest.Eval[bool](tab, watchPage)

	calls, done := make(chan struct{}), make(chan struct{})
	var callers sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	for range 8 {
		callers.Go(func() {
			for range calls {
				res, err := client.Get(address)
				if err != nil {
					t.Error(err)
					continue
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		})
	}
	began := time.Now()
	go func() {
		defer close(done)
		for i := range *loadCalls {
			if *loadRate > 0 {
				time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(*loadRate))))
			}
			calls <- struct{}{}
		}
		close(calls)
		callers.Wait()
	}()
	slowest, asked := time.Duration(0), 0
	for busy := true; busy; asked++ {
		select {
		case <-done:
			busy = false
		default:
		}
		time.Sleep(20 * time.Millisecond) // a reader's hand
		at := time.Now()
		pagetest.Eval[int](tab, `document.querySelectorAll("#list tbody tr").length`)
		slowest = max(slowest, time.Since(at))
	}
	took := time.Since(began)
	client.CloseIdleConnections()
	kept := min(*loadCalls, 10_000)
	tab.UntilText(comma(kept) + " in the journal")
	if *loadCalls > kept {
		tab.UntilText("of " + comma(*loadCalls) + " in all")
	}
	tab.Until(fmt.Sprintf(`document.querySelector("#list tbody tr").id === "x%d" && document.querySelectorAll("#list tbody tr").length === 100`, *loadCalls))
	t.Logf("%.0f calls/s for %.1f s; the page answered %d times meanwhile, the slowest time in %s; it drew without a pause longer than %.0f ms, and over 50 ms %d times",
		float64(*loadCalls)/took.Seconds(), took.Seconds(), asked, slowest.Round(time.Millisecond),
		pagetest.Eval[float64](tab, "window.worst"), pagetest.Eval[int](tab, "window.tasks"))
}

// comma writes a number as the English page does.
func comma(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", comma(n/1000), n%1000)
}
