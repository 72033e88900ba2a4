package boot

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/metrics"
)

// Addresses that probes and Prometheus ask.
const (
	livePath    = "/healthz/live"
	readyPath   = "/healthz/ready"
	healthPath  = "/actuator/health"
	metricsPath = "/actuator/prometheus"
)

// probeTime bounds what an answer waits for.
const probeTime = 2 * time.Second

// check is one thing that must be well for a process to be of use. It returns why it is not.
type check struct {
	name string
	ask  func(ctx context.Context) error
}

// probes answers whether a process lives and whether it is ready. Live says only that it answers: a process that waits for
// its database or registry must not be restarted for that. Ready says that all checks pass.
type probes struct{ checks []check }

func (p *probes) add(name string, ask func(ctx context.Context) error) {
	p.checks = append(p.checks, check{name, ask})
}

func (p *probes) routes(r chi.Router) {
	r.Get(livePath, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, map[string]any{"status": "UP"}) })
	r.Get(readyPath, func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), probeTime)
		defer cancel()
		status, code, parts := "UP", http.StatusOK, map[string]any{}
		for _, c := range p.checks {
			if err := c.ask(ctx); err != nil {
				status, code = "DOWN", http.StatusServiceUnavailable
				parts[c.name] = map[string]string{"status": "DOWN", "reason": err.Error()}
				continue
			}
			parts[c.name] = map[string]string{"status": "UP"}
		}
		answer(w, code, map[string]any{"status": status, "components": parts})
	})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

// errNoPlace says that an engine is not in office.
var errNoPlace = errors.New("it has no place in the cluster, or is still taking up its work")

// databaseCheck asks the database something.
func (c *core) databaseCheck(ctx context.Context) error {
	if _, err := c.db.Durability(ctx); err != nil {
		c.logger.InfoContext(ctx, "a probe found the database away", "error", err)
		return errors.New("the database does not answer") // the reason may name hosts and users
	}
	return nil
}

// health says whether this process can do its work, in the words of DolphinScheduler (rest-api.md 1.14).
func (c *core) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), probeTime)
	defer cancel()
	name := map[string]string{"sqlite": "SQLite", "postgres": "PostgreSQL"}[c.db.Dialect().Name()]
	status, code := "UP", http.StatusOK
	details := map[string]string{"database": name, "validationQuery": "isValid()"}
	durability, err := c.db.Durability(ctx) // the question is the probe
	if err != nil {
		status, code = "DOWN", http.StatusServiceUnavailable
	}
	for setting := range strings.FieldsSeq(durability) {
		if key, value, ok := strings.Cut(setting, "="); ok {
			details[key] = value
		}
	}
	answer(w, code, map[string]any{
		"status": status,
		"components": map[string]any{
			"api": map[string]any{"status": "UP"},
			"db":  map[string]any{"status": status, "details": details},
		},
	})
}

// workerHealth is what a worker answers at its own small listener: it has no pages, so there is nothing else.
func workerHealth(p *probes, registry *metrics.Registry) http.Handler {
	r := chi.NewRouter()
	p.routes(r)
	health := func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, map[string]any{"status": "UP"}) }
	for _, base := range []string{"", apiPath} {
		r.Get(base+healthPath, health)
		r.Get(base+metricsPath, registry.Handler().ServeHTTP)
	}
	return r
}
