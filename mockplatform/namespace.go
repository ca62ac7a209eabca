package mockplatform

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/control"
)

// Namespaces are worlds beside the first one, in the same server: parallel tests take one
// each. A request names its namespace by a header or by the beginning of its path, on the
// platform's address and on the control API's alike. A namespace comes into being when it is
// first named, in the state in which the server started.
//
// It stays until it is deleted. Only where there are too many does the one that was used the
// longest ago make room for a new one, so that what died without deleting its own is no
// trouble to others: see World.idle.

// NamespaceHeader names the namespace of a request.
const NamespaceHeader = "X-Mock-Namespace"

// namespacePath is the beginning of a path that names a namespace.
const namespacePath = "/ns/"

// Errors of namespaces.
var (
	ErrNamespaceName  = errors.New("a namespace has a name of 1 to 64 letters, digits, '.', '_' and '-', and not of points alone")
	ErrNamespaceLimit = errors.New("there are too many namespaces, and all are in use: delete one")
)

var namespaceName = regexp.MustCompile(`^[0-9A-Za-z._-]{1,64}$`)

// namespaces are the worlds by name. Requests look at a map that never changes; whoever adds
// or deletes one puts another map in its place.
type namespaces struct {
	first  *World
	make   func(name string) (*World, error)
	most   int
	unused time.Duration // real, until one may make room for another
	log    *slog.Logger
	change sync.Mutex // held to replace worlds
	worlds atomic.Pointer[map[string]*World]

	counted  bool // requests are counted
	requests atomic.Uint64
}

// get returns the world of that name, and makes it if need be.
func (n *namespaces) get(name string) (*World, error) {
	if w := (*n.worlds.Load())[name]; w != nil {
		return w, nil
	}
	if !namespaceName.MatchString(name) || strings.Trim(name, ".") == "" {
		return nil, fmt.Errorf("%w: %.80q", ErrNamespaceName, name)
	}
	n.change.Lock()
	defer n.change.Unlock()
	worlds := *n.worlds.Load()
	if w := worlds[name]; w != nil {
		return w, nil // somebody else was faster
	}
	if len(worlds) >= n.most && !n.makeRoom() {
		return nil, fmt.Errorf("%w: %d", ErrNamespaceLimit, n.most)
	}
	w, err := n.make(name)
	if err != nil {
		return nil, err
	}
	w.used.Store(time.Now().UnixNano())
	worlds = maps.Clone(*n.worlds.Load())
	worlds[name] = w
	n.worlds.Store(&worlds)
	return w, nil
}

// makeRoom ends the world that was used the longest ago, if that is long enough, and reports
// whether there was one. It wants change held.
func (n *namespaces) makeRoom() bool {
	worlds := *n.worlds.Load()
	var oldest *World
	var since time.Time
	for _, w := range worlds {
		if at, idle := w.idle(); idle && (oldest == nil || at.Before(since)) {
			oldest, since = w, at
		}
	}
	if oldest == nil || time.Since(since) < n.unused {
		return false
	}
	rest := maps.Clone(worlds)
	delete(rest, oldest.name)
	n.worlds.Store(&rest)
	// Whoever found it before that has said so by now, or else finds that it is gone: see enter.
	if _, idle := oldest.idle(); !idle {
		n.worlds.Store(&worlds)
		return false
	}
	n.log.Info("a namespace that nobody uses makes room", "namespace", oldest.name, "used", since.UTC())
	oldest.close()
	return true
}

// enter is get for the time of a request, which ends with leave.
func (n *namespaces) enter(name string) (*World, error) {
	for {
		w, err := n.get(name)
		if err != nil {
			return nil, err
		}
		w.requests.Add(1)
		if (*n.worlds.Load())[name] == w {
			return w, nil
		}
		w.requests.Add(-1) // it has just made room
	}
}

// leave ends what enter began.
func (w *World) leave() {
	w.used.Store(time.Now().UnixNano())
	w.requests.Add(-1)
}

// idle is since when nothing has happened in the world, and whether it may end for that: not
// while a request is answered, and not where somebody counts on it without one. What the world
// itself sends is use as well, since somebody waits for it.
func (w *World) idle() (since time.Time, may bool) {
	since = time.Unix(0, w.used.Load())
	if last := w.journal.Get(w.journal.Seq()); last != nil {
		if sent := last.Real.Add(last.Took); sent.After(since) {
			since = sent
		}
	}
	return since, w.requests.Load() == 0 && !w.held.Load()
}

func (n *namespaces) names() []string { return slices.Sorted(maps.Keys(*n.worlds.Load())) }

// drop ends a world and reports whether there was one.
func (n *namespaces) drop(name string) bool {
	n.change.Lock()
	worlds := maps.Clone(*n.worlds.Load())
	w := worlds[name]
	delete(worlds, name)
	n.worlds.Store(&worlds)
	n.change.Unlock()
	if w != nil {
		w.close()
	}
	return w != nil
}

// all returns every world.
func (n *namespaces) all() []*World {
	return append([]*World{n.first}, slices.Collect(maps.Values(*n.worlds.Load()))...)
}

// handler hands each request to its world: to what serve chooses there.
func (n *namespaces) handler(serve func(*World) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.counted {
			defer n.requests.Add(1) // when what it changed is there
		}
		name := ""
		if given := r.Header[NamespaceHeader]; len(given) > 0 {
			if name = given[0]; name == "" {
				refuseNamespace(w, http.StatusBadRequest, "the header "+NamespaceHeader+" is empty: leave it out for the first world")
				return
			}
		}
		if strings.HasPrefix(r.URL.Path, namespacePath) {
			if of, rest, whole := strings.Cut(r.URL.Path[len(namespacePath):], "/"); whole {
				if of == "" {
					refuseNamespace(w, http.StatusBadRequest, "the path names no namespace: it is /ns/NAME/…; leave /ns/ out for the first world")
					return
				}
				if name != "" && name != of {
					refuseNamespace(w, http.StatusBadRequest, fmt.Sprintf("the header names the namespace %.80q, the path %.80q", name, of))
					return
				}
				name = of
				r = within(r, of, "/"+rest)
				w = &prefixed{ResponseWriter: w, prefix: namespacePath + of}
			}
		}
		if name == "" {
			serve(n.first).ServeHTTP(w, r)
			return
		}
		world, err := n.enter(name)
		switch {
		case errors.Is(err, ErrNamespaceLimit):
			refuseNamespace(w, http.StatusTooManyRequests, err.Error())
		case err != nil:
			refuseNamespace(w, http.StatusBadRequest, err.Error())
		default:
			defer world.leave()
			serve(world).ServeHTTP(w, r)
		}
	})
}

// within is the request with the path that it has inside its namespace. The journal shows
// RequestURI, which stays as it was sent.
func within(r *http.Request, name, path string) *http.Request {
	inside := new(http.Request)
	*inside = *r
	inside.URL = new(url.URL)
	*inside.URL = *r.URL
	inside.URL.Path = path
	inside.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, namespacePath+name)
	return inside
}

// prefixed keeps browsers in their namespace: a redirect to a path stays below the prefix.
type prefixed struct {
	http.ResponseWriter
	prefix string
}

// WriteHeader mends the Location.
func (p *prefixed) WriteHeader(status int) {
	if to := p.Header().Get("Location"); strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.HasPrefix(to, p.prefix+"/") {
		p.Header().Set("Location", p.prefix+to)
	}
	p.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (p *prefixed) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// refuseNamespace answers a request that no world gets to see.
func refuseNamespace(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": http.StatusText(status), "detail": why})
}

// Namespace returns the world of that name. It comes into being when it is first asked for,
// and stays until DropNamespace: it never makes room for another one.
// Its error is ErrNamespaceName or ErrNamespaceLimit.
func (s *Server) Namespace(name string) (*World, error) {
	w, err := s.namespaces.enter(name)
	if err != nil {
		return nil, err
	}
	defer w.leave()
	w.held.Store(true)
	return w, nil
}

// DropNamespace ends the world of that name, and reports whether there was one.
func (s *Server) DropNamespace(name string) bool { return s.namespaces.drop(name) }

// control shares what the control API of every world needs.
func (s *Server) shared(version string) control.Config {
	return control.Config{
		Healthy: s.healthy, Version: version,
		Namespaces: s.namespaces.names, DropNamespace: s.namespaces.drop,
		MakeNamespace: func(name string) error {
			_, err := s.namespaces.get(name)
			return err
		},
	}
}
