package mockplatform

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/partnerkit/partnerkit/internal/yamldoc"
	"github.com/partnerkit/partnerkit/mockplatform/control"
)

// A Scenario is a state to start from and what happens after that; docs/scenarios.md
// describes its file. Script.Read gives one.
type Scenario = control.Scenario

// A Script is the text of a scenario.
type Script struct {
	File string                      // its name in errors; read unless Text is given
	Text []byte                      // YAML or JSON
	Env  func(string) (string, bool) // says what ${NAME} in a text is; the environment if nil
}

// Read checks the text. Whatever is wrong with it, the error names, in a line for each fault
// that begins with file, line and path.
func (s Script) Read() (*Scenario, error) {
	if s.Text == nil {
		text, err := yamldoc.Read(s.File)
		if err != nil {
			return nil, err
		}
		s.Text = text
	}
	if s.Env == nil {
		s.Env = os.LookupEnv
	}
	return control.ParseScenario(s.File, s.Text, s.Env)
}

// Rehearse finds out what Script.Read cannot know: whether a server of that configuration
// could play the scenario. It plays it in a world of its own where time stands still, and
// which nothing leaves. Its error is as Read's; New rehearses by itself.
func Rehearse(cfg Config, s *Scenario) error {
	cfg = cfg.withDefaults()
	cfg.Clock.Frozen, cfg.Log = true, slog.New(slog.DiscardHandler)
	w, err := newWorld(cfg, "", "http://127.0.0.1", "http://127.0.0.1", control.Config{})
	if err != nil {
		return err
	}
	defer w.close()
	return w.player.Rehearse(s)
}

// PutScenario makes s the scenario of the world, nil for none, and begins with it: the state
// after the start, the scenario's on top of it, and its timeline. Every Reset does the same
// from then on. Its error names each part at fault, when nothing was changed.
func (w *World) PutScenario(s *Scenario) error {
	if s != nil {
		if err := Rehearse(w.cfg, s); err != nil {
			return err
		}
	}
	w.beginning.Lock()
	defer w.beginning.Unlock()
	w.clear()
	w.scenario = s
	w.begin()
	return nil
}

// scenarios are those of the start by namespace.
func scenarios(cfg Config) (map[string]*Scenario, error) {
	all := map[string]*Scenario{}
	for _, script := range cfg.Scenarios {
		s, err := script.Read()
		if err != nil {
			return nil, err
		}
		switch {
		case s.Namespace != "" && !namespaceName.MatchString(s.Namespace):
			return nil, fmt.Errorf("%w: %.80q", ErrNamespaceName, s.Namespace)
		case all[s.Namespace] != nil && s.Namespace == "":
			return nil, errors.New("two scenarios name no namespace: only one can be for all")
		case all[s.Namespace] != nil:
			return nil, fmt.Errorf("two scenarios are for the namespace %s", s.Namespace)
		}
		if err := Rehearse(cfg, s); err != nil {
			return nil, err
		}
		all[s.Namespace] = s
	}
	return all, nil
}
