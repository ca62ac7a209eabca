package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// checkTimeout bounds all readiness checks together; orchestrators ask again within seconds.
const checkTimeout = 2 * time.Second

// check is one condition of readiness.
type check struct {
	name string
	ok   func(context.Context) error
}

// checked is the result of a check on the wire.
type checked struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready  bool      `json:"ready"`
	Checks []checked `json:"checks"`
}

// Check adds a condition of readiness; its error, shown on /readyz, says what is missing and
// holds no secrets. Call it before Run.
func (s *Server) Check(name string, ok func(context.Context) error) {
	s.checks = append(s.checks, check{name, ok})
}

// serveHealth answers that the process lives: whoever restarts it on anything less would
// only interrupt the work that waits for a database.
func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// serveReady answers 200 when every check passes and 503 with the reasons otherwise. (A
// server that is stopping takes no connection to ask on.)
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	all := readiness{Ready: true, Checks: []checked{}}
	for _, c := range s.checks {
		result := checked{Name: c.name, OK: true}
		if err := c.ok(ctx); err != nil {
			result.OK, result.Reason = false, err.Error()
			all.Ready = false
		}
		all.Checks = append(all.Checks, result)
	}
	w.Header().Set("Content-Type", "application/json")
	if !all.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(all) // fails only when the caller is gone
}
