// Package vaulttest is a server that speaks as much of HashiCorp Vault's HTTP API as package vault uses, as that API is
// documented: reading version 2 of the key/value engine, and signing in by AppRole.
package vaulttest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Server is a vault. Its fields may be changed between calls, under its lock.
type Server struct {
	*httptest.Server
	sync.Mutex
	Secrets   map[string]map[string]any // by path below /v1/, with data/ in it
	Token     string                    // that is accepted
	RoleID    string
	SecretID  string
	Lease     int // seconds
	Status    int // of every answer, 0 = as it should be
	Namespace string

	Reads, SignIns int
}

// New starts a server, which ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{Secrets: map[string]map[string]any{}, Token: "s.good", Lease: 3600}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// Put stores a secret at a path of the engine mounted at mount.
func (s *Server) Put(mount, path string, fields map[string]any) {
	s.Lock()
	defer s.Unlock()
	s.Secrets[mount+"/data/"+path] = fields
}

// Fail has every call answered with a status; 0 ends that.
func (s *Server) Fail(status int) {
	s.Lock()
	defer s.Unlock()
	s.Status = status
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	refuse := func(status int, errors ...string) {
		if errors == nil {
			errors = []string{}
		}
		answer(w, status, map[string]any{"errors": errors})
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	switch {
	case s.Status != 0:
		refuse(s.Status, "as the test wants it")
	case !ok || r.Header.Get("X-Vault-Request") != "true":
		refuse(http.StatusBadRequest, "missing header")
	case r.Header.Get("X-Vault-Namespace") != s.Namespace:
		refuse(http.StatusForbidden, "permission denied")
	case r.Method == http.MethodPost && strings.HasPrefix(path, "auth/") && strings.HasSuffix(path, "/login"):
		s.signIn(w, r, refuse)
	case r.Method != http.MethodGet:
		refuse(http.StatusMethodNotAllowed)
	case r.Header.Get("X-Vault-Token") != s.Token:
		refuse(http.StatusForbidden, "permission denied")
	default:
		s.Reads++
		fields, known := s.Secrets[path]
		if !known {
			refuse(http.StatusNotFound)
			return
		}
		answer(w, http.StatusOK, map[string]any{
			"request_id": "8a0b", "lease_id": "", "renewable": false, "lease_duration": 0, "auth": nil,
			"data": map[string]any{"data": fields, "metadata": map[string]any{"version": 1, "destroyed": false, "deletion_time": ""}},
		})
	}
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request, refuse func(int, ...string)) {
	var who struct {
		RoleID   string `json:"role_id"`
		SecretID string `json:"secret_id"`
	}
	if json.NewDecoder(r.Body).Decode(&who) != nil || s.RoleID == "" || who.RoleID != s.RoleID || who.SecretID != s.SecretID {
		refuse(http.StatusBadRequest, "invalid role or secret ID")
		return
	}
	s.SignIns++
	answer(w, http.StatusOK, map[string]any{"data": nil, "auth": map[string]any{
		"client_token": s.Token, "accessor": "a", "policies": []string{"default"}, "lease_duration": s.Lease, "renewable": true,
	}})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
