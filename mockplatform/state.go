package mockplatform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/clock"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// State is kept in two ways, by the same means: snapshots keep one world at a moment, by a
// name, and Config.Data keeps every world, with its snapshots, in a file between two runs.
//
// The file is written within a second or so after something happened, and once more at the
// end: to a file beside it, which is synced and then renamed, so that whatever happens there
// is a whole one. After a crash the latest second may be missing. Keys and passwords are in
// it, as they are needed again; it is readable for its owner alone.
//
// A world is taken platform by platform while it goes on. What is on its way at that moment,
// such as a notification, is sent again.

// ErrState is a file or a snapshot that cannot be loaded; the text says why.
var ErrState = errors.New("no state of a stand-in")

// Errors of snapshots.
var (
	ErrSnapshotName  = errors.New("a snapshot has a name of 1 to 64 letters, digits, '.', '_' and '-'")
	ErrSnapshotLimit = fmt.Errorf("there are %d snapshots already: delete one", maxSnapshots)
	ErrNoSnapshot    = errors.New("there is no snapshot of that name")
)

const maxSnapshots = 20

var snapshotName = regexp.MustCompile(`^[0-9A-Za-z._-]{1,64}$`)

// worldState is a world as a file keeps it.
type worldState struct {
	Clock     clockState
	Dice      []byte
	Faults    json.RawMessage
	Integra   json.RawMessage
	AnyMoney  json.RawMessage
	Robokassa json.RawMessage
	Journal   []*journal.Exchange
	Scenario  json.RawMessage            `json:",omitempty"`
	Snapshots map[string]json.RawMessage `json:",omitempty"`
}

type clockState struct {
	clock.State
	Real time.Time // when it showed that
}

// save takes the state of a world. No step of the scenario goes on meanwhile.
func (w *World) save() (s worldState, err error) {
	var robokassa func() ([]byte, error)
	s.Integra, err = w.integra.Save(func() { robokassa = w.robokassa.Save() })
	s.Clock = clockState{w.clock.State(), time.Now().UTC()}
	s.Journal = w.journal.List(journal.Filter{})
	for _, part := range []struct {
		to   *json.RawMessage
		save func() ([]byte, error)
	}{{&s.Robokassa, robokassa}, {&s.AnyMoney, w.anymoney.Save}, {&s.Faults, w.faults.Save}, {&s.Scenario, w.player.Save}} {
		if err == nil {
			*part.to, err = part.save()
		}
	}
	if err == nil {
		s.Dice, err = w.dice.Save() // last: what it gave is not given again
	}
	return s, err
}

// load replaces the state of a world. With catchUp a clock that runs shows what it would show
// by now. When it fails, the world is as after a Reset.
func (w *World) load(s worldState, catchUp bool) error {
	w.beginning.Lock()
	defer w.beginning.Unlock()
	w.clear()
	at := s.Clock.State
	if passed := time.Since(s.Clock.Real); catchUp && !at.Frozen && passed > 0 {
		at.Now = at.Now.Add(passed * time.Duration(max(at.Rate, 1)))
	}
	err := w.clock.Restore(at)
	if err == nil {
		err = w.dice.Load(s.Dice)
	}
	for _, part := range []struct {
		text json.RawMessage
		load func([]byte) error
	}{{s.Faults, w.faults.Load}, {s.Integra, w.integra.Load}, {s.AnyMoney, w.anymoney.Load}, {s.Robokassa, w.robokassa.Load}} {
		if err == nil {
			err = part.load(part.text)
		}
	}
	if err == nil {
		w.journal.Load(s.Journal)
		err = w.player.Load(s.Scenario) // last, since it may act at once
	}
	if err != nil {
		w.clear()
		w.begin()
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return nil
}

// TakeSnapshot keeps the state of the world by a name, in place of an older one of that name.
func (w *World) TakeSnapshot(name string) (err error) {
	w.player.Between(func() { err = w.takeSnapshot(name) })
	return err
}

// withinStep is the world as a step of the scenario sees it.
type withinStep struct{ *World }

// TakeSnapshot does not wait for the step to end.
func (w withinStep) TakeSnapshot(name string) error { return w.takeSnapshot(name) }

// takeSnapshot is TakeSnapshot while no step of the scenario goes on, or within one.
func (w *World) takeSnapshot(name string) error {
	if !snapshotName.MatchString(name) {
		return fmt.Errorf("%w: %.80q", ErrSnapshotName, name)
	}
	s, err := w.save()
	if err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	w.keeping.Lock()
	defer w.keeping.Unlock()
	if _, old := w.snapshots[name]; !old && len(w.snapshots) >= maxSnapshots {
		return ErrSnapshotLimit
	}
	if w.snapshots == nil {
		w.snapshots = map[string]json.RawMessage{}
	}
	w.snapshots[name] = text
	return nil
}

// RestoreSnapshot goes back to a state that was kept; the clock shows the time of then. The
// snapshots themselves stay, also over a Reset.
func (w *World) RestoreSnapshot(name string) error {
	w.keeping.Lock()
	text, ok := w.snapshots[name]
	w.keeping.Unlock()
	if !ok {
		return fmt.Errorf("%w: %.80q", ErrNoSnapshot, name)
	}
	var s worldState
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return w.load(s, false)
}

// DropSnapshot forgets a snapshot, and reports whether there was one.
func (w *World) DropSnapshot(name string) bool {
	w.keeping.Lock()
	defer w.keeping.Unlock()
	_, ok := w.snapshots[name]
	delete(w.snapshots, name)
	return ok
}

// Snapshots are the names of those that are kept, in order.
func (w *World) Snapshots() []string {
	w.keeping.Lock()
	defer w.keeping.Unlock()
	return slices.Sorted(maps.Keys(w.snapshots))
}

// file is what Config.Data holds.
type file struct {
	Format  string
	Version int
	Worlds  map[string]worldState // "" is the first one
}

const (
	fileFormat  = "partnerkit mockplatform"
	fileVersion = 1
)

// loadFile brings back what the file keeps, if it exists.
func (s *Server) loadFile(path string) (found bool, err error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator's own file
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	var f file
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&f); err != nil {
		return false, fmt.Errorf("%w: %s: %w", ErrState, path, err)
	}
	if f.Format != fileFormat || f.Version != fileVersion {
		return false, fmt.Errorf("%w: %s: format %.40q, version %d; known is %q, version %d", ErrState, path, f.Format, f.Version, fileFormat, fileVersion)
	}
	for name, state := range f.Worlds {
		w := s.World
		if name != "" {
			if w, err = s.namespaces.get(name); err != nil {
				return false, fmt.Errorf("%w: %s: %w", ErrState, path, err)
			}
		}
		if err := w.load(state, true); err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		if w.scenario == nil {
			w.scenario = w.player.Scenario()
		}
		w.keeping.Lock()
		w.snapshots = state.Snapshots
		w.keeping.Unlock()
	}
	return true, nil
}

// saveFile writes every world.
func (s *Server) saveFile(path string) error {
	f := file{fileFormat, fileVersion, map[string]worldState{}}
	worlds := map[string]*World{"": s.World}
	maps.Copy(worlds, *s.namespaces.worlds.Load())
	for name, w := range worlds {
		var state worldState
		var err error
		w.player.Between(func() { state, err = w.save() })
		if err != nil {
			return err
		}
		w.keeping.Lock()
		state.Snapshots = maps.Clone(w.snapshots)
		w.keeping.Unlock()
		f.Worlds[name] = state
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return writeFile(path, text)
}

// Files that become the file have its name between these.
const tempBegin, tempEnd = ".", ".tmp"

// tidy removes what a process left that died while it wrote. Nobody else writes meanwhile.
func tidy(path string) error {
	folder, name := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(folder))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempBegin+name+".") && strings.HasSuffix(e.Name(), tempEnd) {
			err = errors.Join(err, os.Remove(filepath.Join(folder, e.Name())))
		}
	}
	return err
}

// writeFile puts text in place of a file, all of it or nothing, and has it on disk when it
// returns.
func writeFile(path string, text []byte) error {
	folder := filepath.Dir(path)
	temp, err := os.CreateTemp(folder, tempBegin+filepath.Base(path)+".*"+tempEnd) // mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(text)
	if err == nil {
		err = temp.Sync()
	}
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return err
	}
	d, err := os.Open(folder) //nolint:gosec // the folder of the operator's own file
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Pauses between two writes of the file: at least savePause, and long enough that writing
// takes no more than a twentieth of the time.
const (
	savePause = time.Second
	saveShare = 20
)

// keepSaving writes the file after changes until done is closed, and then once more.
func (s *Server) keepSaving(path string, done <-chan struct{}) error {
	pause := savePause
	seen := s.changes()
	for {
		timer := time.NewTimer(pause)
		select {
		case <-done:
			timer.Stop()
			return s.saveFile(path)
		case <-timer.C:
		}
		now := s.changes()
		if now == seen {
			continue
		}
		began := time.Now()
		if err := s.saveFile(path); err != nil {
			s.log.Error("the state could not be saved", "file", path, "err", err)
			continue
		}
		seen, pause = now, max(savePause, saveShare*time.Since(began))
	}
}

// changes is another number whenever something may have changed.
func (s *Server) changes() (n uint64) {
	n = s.namespaces.requests.Load()
	for _, w := range s.namespaces.all() {
		n += w.journal.Seq() + w.player.Ran()
	}
	return n
}
