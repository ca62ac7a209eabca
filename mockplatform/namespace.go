package mockplatform

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/partnerkit/partnerkit/mockplatform/control"
)

// Namespaces are worlds beside the first one, in the same server: parallel tests take one
// each. A request names its namespace by a header or by the beginning of its path, on the
// platform's address and on the control API's alike. A namespace comes into being when it is
// first named, in the state in which the server started.

// NamespaceHeader names the namespace of a request.
const NamespaceHeader = "X-Mock-Namespace"

// namespacePath is the beginning of a path that names a namespace.
const namespacePath = "/ns/"

// Errors of namespaces.
var (
	ErrNamespaceName  = errors.New("a namespace has a name of 1 to 64 letters, digits, '.', '_' and '-', and not of points alone")
	ErrNamespaceLimit = errors.New("there are too many namespaces: delete one")
)

var namespaceName = regexp.MustCompile(`^[0-9A-Za-z._-]{1,64}$`)

// namespaces are the worlds by name. Requests look at a map that never changes; whoever adds
// or deletes one puts another map in its place.
type namespaces struct {
	first  *World
	make   func(name string) (*World, error)
	most   int
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
	if len(worlds) >= n.most {
		return nil, fmt.Errorf("%w: %d", ErrNamespaceLimit, n.most)
	}
	w, err := n.make(name)
	if err != nil {
		return nil, err
	}
	worlds = maps.Clone(worlds)
	worlds[name] = w
	n.worlds.Store(&worlds)
	return w, nil
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
			name = given[0]
		}
		if strings.HasPrefix(r.URL.Path, namespacePath) {
			if of, rest, whole := strings.Cut(r.URL.Path[len(namespacePath):], "/"); whole {
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
		world, err := n.get(name)
		switch {
		case errors.Is(err, ErrNamespaceLimit):
			refuseNamespace(w, http.StatusTooManyRequests, err.Error())
		case err != nil:
			refuseNamespace(w, http.StatusBadRequest, err.Error())
		default:
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

// Namespace returns the world of that name. It comes into being when it is first asked for.
// Its error is ErrNamespaceName or ErrNamespaceLimit.
func (s *Server) Namespace(name string) (*World, error) { return s.namespaces.get(name) }

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
