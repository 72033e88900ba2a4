package boot

import (
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/config"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/engine"
)

// TestHowMuchOfTheInterfaceIsServed compares the routes with the whole table of DolphinScheduler's endpoints. What is not
// served yet is listed in testdata/ds-missing.txt. The list only becomes shorter: an endpoint that is served and still
// listed fails, too.
func TestHowMuchOfTheInterfaceIsServed(t *testing.T) {
	t.Parallel()
	cfg := config.Default(t.TempDir())
	logger := slog.New(slog.DiscardHandler)
	c, err := open(t.Context(), cfg, logger)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.close()) })
	m, err := newModules(t.Context(), c, engine.New(cfg.Master, engine.Deps{DB: c.db, Logger: logger, Now: time.Now, Metrics: c.metrics}))
	require.NoError(t, err)

	variable := regexp.MustCompile(`\{[^}]*\}`)
	served := map[string]bool{}
	router := m.api.Router(func(next http.Handler) http.Handler { return next }, m.calls()...)
	require.NoError(t, chi.Walk(router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		served[method+" "+variable.ReplaceAllString(route, "{}")] = true
		return nil
	}))
	var missing []string
	all, there := map[bool]int{}, map[bool]int{} // by whether only 3.2 has it
	for _, line := range lines(t, "testdata/ds-endpoints.txt") {
		part := strings.Fields(line)
		old := part[0] == "46"
		all[old]++
		if served[part[1]+" "+variable.ReplaceAllString(part[2], "{}")] {
			there[old]++
		} else {
			missing = append(missing, part[1]+" "+part[2])
		}
		for _, path := range part[3:] { // the name that 3.2 gives it
			require.Equal(t, part[2], dsapi.Today(path), "the older address leads to today's")
		}
	}
	t.Logf("%d of %d endpoints are served, and %d of the %d that only 3.2 has", there[false], all[false], there[true], all[true])
	for _, line := range lines(t, "testdata/ds-unconfigured.txt") {
		endpoint, why, _ := strings.Cut(line, ": ")
		method, path, _ := strings.Cut(endpoint, " ")
		require.True(t, served[method+" "+variable.ReplaceAllString(path, "{}")], "%s is not even routed", endpoint)
		require.NotEmpty(t, why, "testdata/ds-unconfigured.txt says why %s is not set up", endpoint)
		t.Logf("not set up: %s (%s)", endpoint, why)
	}
	listed := lines(t, "testdata/ds-missing.txt")
	slices.Sort(listed)
	slices.Sort(missing)
	require.Equal(t, strings.Join(missing, "\n"), strings.Join(listed, "\n"), "testdata/ds-missing.txt lists what is not served")
}

// lines reads a file without its comments.
func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var out []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}
