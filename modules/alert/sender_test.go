package alert_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/metrics"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/alert"
	"dorado/modules/security/alertgroup"
	"dorado/modules/security/alertinstance"
	"dorado/modules/security/crudtest"
	plugin "dorado/plugins/alert"
	"dorado/plugins/catalog"
	"dorado/plugins/form"
)

// world is a database with a group of instances that note what they are told.
type world struct {
	t       *testing.T
	db      *db.DB
	app     *crudtest.App
	groups  *alertgroup.Module
	ways    *alertinstance.Module
	mu      sync.Mutex
	clock   time.Time
	told    []string         // "<instance> <title>"
	failing map[string]error // by instance
	hold    chan struct{}    // not nil: sending waits for it
	wake    chan struct{}
}

func open(t *testing.T, d *db.DB) *world {
	t.Helper()
	w := &world{t: t, db: d, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), failing: map[string]error{}, wake: make(chan struct{}, 1)}
	w.app = crudtest.NewApp(t, d, alertgroup.Rules(), alertinstance.Rules())
	plugins, err := catalog.NewAlerts([]plugin.Plugin{{
		ID: 1, Name: "Note", Label: "alert.http", Help: "alert.http.help",
		Schema: form.Schema{{Name: "to", Type: form.Text, Label: "l"}, {Name: "key", Type: form.Secret, Label: "l"}},
		Send:   w.send,
	}})
	require.NoError(t, err)
	sealer, err := secret.NewSealer(secret.String(base64.StdEncoding.EncodeToString(make([]byte, 32))))
	require.NoError(t, err)
	w.ways = alertinstance.New(alertinstance.Deps{
		DB: d, Access: w.app.Access, Audit: w.app.Audit, Sealer: sealer, Plugins: plugins, Site: w.app.Site, API: w.app.API, Frame: w.app.Frame,
	})
	w.groups = alertgroup.New(alertgroup.Deps{
		DB: d, Access: w.app.Access, Audit: w.app.Audit, Instances: w.ways.Service, Site: w.app.Site, API: w.app.API, Frame: w.app.Frame,
	})
	return w
}

func (w *world) send(ctx context.Context, v form.Values, m plugin.Message) (string, error) {
	w.mu.Lock()
	hold, err := w.hold, w.failing[v.Text("to")]
	w.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, v.Text("to")+" "+m.Title)
	return "taken", err
}

func (w *world) heard() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := slices.Clone(w.told)
	slices.Sort(out)
	return out
}

func (w *world) fail(instance string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failing[instance] = err
}

// pass lets time go by and wakes the senders.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	w.clock = w.clock.Add(d)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// group makes a group of instances with these names; one that ends in "!" asks for failures only.
func (w *world) group(names ...string) int64 {
	w.t.Helper()
	ctx := access.WithPrincipal(w.t.Context(), w.app.Admin)
	var ids []int64
	for _, name := range names {
		warning := "ALL"
		if name[len(name)-1] == '!' {
			warning = "FAILURE"
		}
		i, err := w.ways.Create(ctx, alertinstance.Draft{Name: name, Plugin: "Note", Warning: warning, Settings: form.Flat{"to": name, "key": "hunter2"}})
		require.NoError(w.t, err)
		ids = append(ids, i.ID)
	}
	g, err := w.groups.Create(ctx, alertgroup.Draft{Name: fmt.Sprint("g", names), Instances: ids})
	require.NoError(w.t, err)
	return g.ID
}

func (w *world) alert(group int64, title, warning string) int64 {
	w.t.Helper()
	id, err := db.Get[int64](w.t.Context(), w.db, `INSERT INTO alert (event_key, alert_type, workflow_instance_id, run_times, title, content, warning_type,
		alert_group_id, project_code, workflow_code, created_at, updated_at) VALUES (?, 'WORKFLOW_INSTANCE_FAILURE', 1, 1, ?, '[]', ?, ?, 1, 1, ?, ?) RETURNING id`,
		title, title, warning, group, w.now(), w.now())
	require.NoError(w.t, err)
	return id
}

// start runs a sender until stop, or until the test ends.
func (w *world) start() (stop func()) {
	w.t.Helper()
	s := alert.New(alert.Deps{
		DB: w.db, Groups: w.groups.Service, Instances: w.ways.Service, Wake: w.wake, Metrics: metrics.New(), Logger: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Now: w.now,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(w.t, <-done)
	})
	w.t.Cleanup(stop)
	return stop
}

type ended struct {
	Status string `db:"status"`
	Log    string `db:"log"`
}

func (w *world) wait(id int64, status string) ended {
	w.t.Helper()
	var got ended
	require.Eventually(w.t, func() bool {
		var err error
		got, err = db.Get[ended](context.Background(), w.db, `SELECT status, log FROM alert WHERE id = ?`, id)
		return err == nil && got.Status == status
	}, 60*time.Second, 5*time.Millisecond)
	return got
}

func (w *world) attempts(id int64) int {
	n, err := db.Get[int](context.Background(), w.db, `SELECT COALESCE(SUM(attempts), 0) FROM alert_delivery WHERE alert_id = ?`, id)
	require.NoError(w.t, err)
	return n
}

func TestAnAlertGoesToEveryInstanceThatAskedForIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		g := w.group("mail", "chat", "pager!")
		bad, good := w.alert(g, "bad", "FAILURE"), w.alert(g, "good", "SUCCESS")
		only := w.alert(w.group("quiet!"), "nobody asked", "SUCCESS")
		w.start()
		require.Contains(t, w.wait(bad, "EXECUTION_SUCCESS").Log, "taken")
		w.wait(good, "EXECUTION_SUCCESS")
		require.Contains(t, w.wait(only, "EXECUTION_SUCCESS").Log, "asked")
		require.Equal(t, []string{"chat bad", "chat good", "mail bad", "mail good", "pager! bad"}, w.heard())
	})
}

func TestAGroupWithoutInstancesIsToldInTheLog(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		empty, gone := w.alert(alertgroup.Admins, "lost worker", "FAILURE"), w.alert(4711, "old", "FAILURE")
		w.start()
		require.Equal(t, "written to the log", w.wait(empty, "EXECUTION_SUCCESS").Log)
		w.wait(gone, "EXECUTION_SUCCESS")
	})
}

func TestOneInstanceThatFailsIsTriedAgainAndKeepsNobodyElse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.fail("mail", errors.New("refused, password hunter2"))
		id := w.alert(w.group("mail", "chat"), "x", "FAILURE")
		w.start()
		tried := func(n int) {
			t.Helper()
			require.Eventually(t, func() bool { return w.attempts(id) == n && len(w.heard()) == n }, 60*time.Second, 5*time.Millisecond)
		}
		tried(2)
		for i, pause := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute} {
			w.settled(id)
			w.pass(pause)
			tried(3 + i)
		}
		got := w.wait(id, "EXECUTION_PARTIAL_SUCCESS")
		require.Contains(t, got.Log, "refused")
		require.NotContains(t, got.Log, "hunter2")
		again := w.alert(w.group("late"), "later", "FAILURE")
		w.pass(24 * time.Hour)
		w.wait(again, "EXECUTION_SUCCESS")
		require.Len(t, w.heard(), 6, "what was given up is not tried again: %v", w.heard())
	})
}

// settled waits until the failed attempt is noted.
func (w *world) settled(id int64) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		n, err := db.Get[int](context.Background(), w.db, `SELECT count(*) FROM alert_delivery WHERE alert_id = ? AND status = 'WAIT_EXECUTION' AND log <> ''
			AND next_at > ?`, id, w.now())
		return err == nil && n == 1
	}, 60*time.Second, 5*time.Millisecond)
}

func TestManySendersSendOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		g := w.group("a", "b", "c")
		var ids []int64
		for i := range 30 {
			ids = append(ids, w.alert(g, fmt.Sprint("t", i), "FAILURE"))
		}
		for range 3 {
			w.start()
		}
		for _, id := range ids {
			w.wait(id, "EXECUTION_SUCCESS")
		}
		heard := w.heard()
		require.Len(t, heard, 90)
		require.Len(t, slices.Compact(heard), 90, "nothing twice")
	})
}

func TestWhatASenderLeftIsSentByTheNext(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		w.hold = make(chan struct{})
		id := w.alert(w.group("mail"), "x", "FAILURE")
		stop := w.start()
		require.Eventually(t, func() bool { return w.attempts(id) == 1 }, 60*time.Second, 5*time.Millisecond)
		stop() // in the middle of sending: it gives the delivery back
		require.Zero(t, w.attempts(id))
		w.mu.Lock()
		w.hold = nil
		w.mu.Unlock()
		w.start()
		w.wait(id, "EXECUTION_SUCCESS")

		dead := w.alert(w.group("chat"), "y", "FAILURE") // one died after it had claimed, and left the row behind
		_, err := d.Exec(t.Context(), `INSERT INTO alert_delivery (alert_id, instance_id, attempts, next_at, created_at, updated_at)
			SELECT ?, id, 1, ?, ?, ? FROM alert_plugin_instance WHERE name = 'chat'`, dead, w.now().Add(3*time.Minute), w.now(), w.now())
		require.NoError(t, err)
		w.pass(4 * time.Minute)
		w.wait(dead, "EXECUTION_SUCCESS")
		require.Equal(t, []string{"chat y", "mail x"}, w.heard())
	})
}

func TestAnInstanceThatStallsKeepsNoOtherFromBeingUsed(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	w.hold = make(chan struct{})
	stalled := w.group("stalled")
	for i := range 120 { // more than a batch
		w.alert(stalled, fmt.Sprint("s", i), "FAILURE")
	}
	w.start()
	require.Eventually(t, func() bool {
		n, err := db.Get[int](context.Background(), w.db, `SELECT count(*) FROM alert_delivery WHERE attempts > 0`)
		return err == nil && n == 4
	}, 60*time.Second, 5*time.Millisecond, "four at a time")
	hold := w.hold
	w.mu.Lock()
	w.hold = nil // what begins from now on is sent at once
	w.mu.Unlock()
	id := w.alert(w.group("chat"), "quick", "FAILURE")
	w.pass(0)
	w.wait(id, "EXECUTION_SUCCESS")
	require.Contains(t, w.heard(), "chat quick", "while others hang") // those that looked late for what holds them are not held
	close(hold)
}
