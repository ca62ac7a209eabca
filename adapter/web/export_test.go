package web

import "net/http"

// Handler is the way of every request through a server.
func Handler(s *Server) http.Handler { return http.HandlerFunc(s.serve) }
