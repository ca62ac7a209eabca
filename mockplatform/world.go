package mockplatform

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gorilla/mux"

	robokassawire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/internal/page"
	"github.com/partnerkit/partnerkit/mockplatform/anymoney"
	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/control"
	"github.com/partnerkit/partnerkit/mockplatform/dice"
	"github.com/partnerkit/partnerkit/mockplatform/fault"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/webui"
)

// World is the platforms with all their state: time, chance, faults, journal, users, orders.
// A Server is its own first World, and has one more for each namespace.
type World struct {
	cfg         Config
	log         *slog.Logger
	name        string // of its namespace; "" for the first one
	platformURL string
	controlURL  string
	clock       *clock.Clock
	dice        *dice.Dice
	journal     *journal.Journal
	faults      *fault.Set
	integra     *integra.Platform
	anymoney    *anymoney.Platform
	robokassa   *robokassa.Platform

	player    *control.Player
	beginning sync.Mutex        // held while the world goes to another state
	scenario  *control.Scenario // of the start; nil for none

	keeping   sync.Mutex // guards snapshots
	snapshots map[string]json.RawMessage

	used     atomic.Int64 // real time of the latest request, in nanoseconds since 1970
	requests atomic.Int64 // that are being answered
	held     atomic.Bool  // it stays though nobody uses it

	platform http.Handler        // what partners and users reach
	control  func() http.Handler // what tests and developers reach; made when first asked for
}

// newWorld makes the world of a namespace as a valid configuration describes it, at these
// addresses.
func newWorld(cfg Config, name, platformURL, controlURL string, shared control.Config) (_ *World, err error) {
	w := &World{
		cfg: cfg, log: cfg.Log, name: name, platformURL: platformURL, controlURL: controlURL,
		dice: dice.New(cfg.Seed),
	}
	cfg.Journal.Trace = w.trace
	w.journal = journal.New(cfg.Journal)
	if w.clock, err = clock.New(cfg.Clock); err != nil {
		return nil, fmt.Errorf("clock: %w", err)
	}
	w.faults, err = fault.New(fault.Config{
		Clock: w.clock, Seed: cfg.Seed, Rules: cfg.Faults,
		Protocols: []fault.Protocol{integra.Faults(), anymoney.Faults(), robokassa.Faults()},
	})
	if err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	w.integra, err = integra.New(integra.Config{
		Clock: w.clock, Dice: w.dice, Journal: w.journal, Faults: w.faults, Log: cfg.Log,
		Partners: cfg.Partners, Settings: *cfg.Settings, Acquirer: acquirerOf(platformURL), Reserved: reserved,
		Workers: cfg.NotifyWorkers, KeepPayments: cfg.KeepPayments,
	})
	if err != nil {
		return nil, fmt.Errorf("integra: %w", err)
	}
	w.anymoney, err = anymoney.New(anymoney.Config{
		Clock: w.clock, Dice: w.dice, Journal: w.journal, Faults: w.faults, Log: cfg.Log,
		Document: cfg.AnyMoney, SCIBase: platformURL + anymoney.PathSCI,
		Workers: cfg.NotifyWorkers, KeepOrders: cfg.KeepOrders,
	})
	if err != nil {
		return nil, fmt.Errorf("anymoney: %w", err)
	}
	w.robokassa, err = robokassa.New(robokassa.Config{
		Clock: w.clock, Dice: w.dice, Journal: w.journal, Faults: w.faults, Log: cfg.Log,
		Shops: append([]robokassa.Shop{integraShop(platformURL)}, cfg.Shops...), Settings: robokassa.DefaultSettings(), Base: platformURL + robokassa.PathRoot,
		Workers: cfg.NotifyWorkers, KeepOperations: cfg.KeepOrders,
	})
	if err != nil {
		return nil, fmt.Errorf("robokassa: %w", err)
	}
	w.platform = w.platformHandler()
	shared.Clock, shared.Journal, shared.Faults = w.clock, w.journal, w.faults
	shared.Integra, shared.AnyMoney, shared.Robokassa = w.integra, w.anymoney, w.robokassa
	shared.Reset, shared.PlatformURL = w.Reset, w.platformURL
	shared.Snapshots, shared.Scenarios, shared.IntegraShop = w, w, IntegraShop
	inside := shared
	inside.Snapshots = withinStep{w}
	w.player = control.NewPlayer(inside, cfg.Log)
	w.control = sync.OnceValue(func() http.Handler { return w.controlHandler(shared) })
	return w, nil
}

// reserved are the beginnings of paths that never lead to a partner of Integra.
var reserved = []string{
	strings.TrimSuffix(namespacePath, "/"), strings.TrimSuffix(page.AssetPrefix, "/"),
	anymoney.PathAPI, anymoney.PathSCI, robokassa.PathRoot, integra.PathShop,
}

// IntegraShop is the login of Integra's shop at Robokassa. Its passwords are public, and good
// for nothing else.
const IntegraShop = "integra"

const (
	shopPassword1 = "integra-password-1"
	shopPassword2 = "integra-password-2"
	shopPassword3 = "integra-password-3"
)

// integraShop is Integra's shop as Robokassa knows it.
func integraShop(platformURL string) robokassa.Shop {
	return robokassa.Shop{
		Login: IntegraShop, Name: "Integra", Hash: robokassawire.SHA256,
		Password1: shopPassword1, Password2: shopPassword2, Password3: shopPassword3,
		ResultURL:  platformURL + integra.PathShop + "/result",
		SuccessURL: platformURL + integra.PathShop + "/success",
		FailURL:    platformURL + integra.PathShop + "/fail",
	}
}

// acquirerOf is the same shop as Integra knows it.
func acquirerOf(platformURL string) *integra.Acquirer {
	return &integra.Acquirer{
		Login: IntegraShop, Hash: robokassawire.SHA256,
		Password1: shopPassword1, Password2: shopPassword2, Password3: shopPassword3,
		Robokassa: platformURL + robokassa.PathRoot,
	}
}

// trace tells which payment an exchange is part of. Both ends of a top-up by card are ours:
// what Robokassa knows by a number of Integra's shop goes under Integra's id.
func (w *World) trace(e *journal.Exchange) string {
	switch {
	case e.Payment == "":
		return ""
	case e.Protocol == integra.Protocol:
		return e.Payment
	case e.Protocol == robokassa.Protocol && e.Partner == IntegraShop:
		if id := w.robokassa.Field(e.Partner, e.Payment, integra.FieldPayment); id != "" {
			return id
		}
	}
	return e.Partner + "/" + e.Payment
}

func (w *World) platformHandler() http.Handler {
	r := mux.NewRouter().SkipClean(true) // an odd path is journalled, not redirected
	r.PathPrefix(page.AssetPrefix).Handler(page.Assets())
	w.anymoney.Mount(r)
	w.robokassa.Mount(r)
	w.integra.Mount(r) // last: it takes what is left, to be journalled
	return byHost(r)
}

func (w *World) controlHandler(shared control.Config) http.Handler {
	r := mux.NewRouter().SkipClean(true) // a name in a path may be ".."
	r.PathPrefix(page.AssetPrefix).Handler(page.Assets())
	pages := webui.Config{
		Clock: w.clock, Journal: w.journal, Integra: w.integra, Log: w.log, API: r, Platform: w.platform,
		AnyMoney: w.anymoney, Robokassa: w.robokassa, Shop: IntegraShop, PlatformURL: w.platformURL, Namespace: w.name,
	}
	webui.Mount(r, pages)
	control.Mount(r, shared)
	r.NotFoundHandler = webui.Missing(pages, r.NotFoundHandler)
	return r
}

// interrupt ends what hangs or waits on purpose.
func (w *World) interrupt() { w.faults.Interrupt() }

// Player plays the world's scenario.
func (w *World) Player() *control.Player { return w.player }

// close stops what goes on by itself, and waits for it.
func (w *World) close() {
	w.player.Stop()
	w.faults.Close()
	w.integra.Close()
	w.anymoney.Close()
	w.robokassa.Close()
	w.clock.Close()
}

// PlatformURL is the address of platform traffic, without a slash at its end.
func (w *World) PlatformURL() string { return w.platformURL }

// ControlURL is the address of the control API, without a slash at its end.
func (w *World) ControlURL() string { return w.controlURL }

// Seed is the number from which all chance follows.
func (w *World) Seed() uint64 { return w.dice.Seed() }

// Clock is the virtual time.
func (w *World) Clock() *clock.Clock { return w.clock }

// Journal is the record of every exchange.
func (w *World) Journal() *journal.Journal { return w.journal }

// Faults is the rules about what goes wrong.
func (w *World) Faults() *fault.Set { return w.faults }

// Integra is the platform with its users and payments.
func (w *World) Integra() *integra.Platform { return w.integra }

// AnyMoney is the platform with its merchants and orders.
func (w *World) AnyMoney() *anymoney.Platform { return w.anymoney }

// Robokassa is the platform with its shops and operations.
func (w *World) Robokassa() *robokassa.Platform { return w.robokassa }

// Reset goes back to the state after the start: seed, clock, settings, partners, faults, no
// users, no orders, an empty journal; and, if there is one, the scenario from its beginning.
// Notifications on their way are broken off, and so are calls that a fault lets wait.
func (w *World) Reset() {
	w.beginning.Lock()
	defer w.beginning.Unlock()
	w.clear()
	w.begin()
}

// begin plays the scenario of the start. It wants beginning held.
func (w *World) begin() {
	if err := w.player.Play(w.scenario); err != nil {
		w.log.Error("the scenario does not begin", "err", err) // not after a rehearsal
	}
}

// clear goes back to the state before a scenario. It wants beginning held.
func (w *World) clear() {
	w.player.Stop()
	w.faults.Reset()
	w.integra.Reset(func() {
		w.anymoney.Reset(func() {
			w.robokassa.Reset(func() {
				w.clock.Reset()
				w.dice.Reset()
				w.journal.Reset()
			})
		})
	})
}
