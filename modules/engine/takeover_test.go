package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/engine"
	"dorado/modules/flow"
)

// takeOver has another master take this one's place in the middle of whatever it does: what it has not saved is lost, as
// in a crash.
func (f *fixture) takeOver(name string) {
	f.t.Helper()
	old := f.stop
	config := f.config
	config.Name = name
	e := engine.New(config, engine.Deps{DB: f.db, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Children: f})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	<-e.Ready()
	f.engine = e
	f.stop = func() {
		cancel()
		if err := <-done; err != nil {
			f.t.Logf("master %s: %v", name, err) // it was fenced
		}
		old()
	}
}

func TestW01_W25_MastersThatVanishInTheMiddleLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		f := newFixture(t, d)
		f.stop()
		f.stop = func() {}
		f.takeOver("m0")
		f.worker("w0", 8)
		leaf := f.define(flow.Parallel, []flow.Task{shell("x"), shell("y")}, "x>y")
		middle := f.define(flow.Parallel, []flow.Task{subWorkflow("inner", leaf), shell("z")}, "inner>z")
		turns := f.define(flow.SerialWait, []flow.Task{shell("s"), shell("t")}, "s>t")
		group := f.taskGroup(2)
		tasks := []flow.Task{
			shell("first"), subWorkflow("sub", middle), shell("g1", inGroup(group, 0)), shell("g2", inGroup(group, 0)), shell("g3", inGroup(group, 0)),
			task("each", "FOR_EACH", map[string]any{"workflowDefinitionCode": middle.Code, "items": "1,2,3,4,5,6,7,8", "concurrency": 3}),
			dependent("dep", depends(turns, 0, "today")), shell("last"),
		}
		def := f.define(flow.Parallel, tasks, "first>sub", "first>each", "first>dep", "sub>last", "each>last", "dep>last", "g1>last", "g2>last", "g3>last")
		var runs, serials []int64
		for i := range 8 {
			runs = append(runs, f.run(def, run{warning: flow.WarningAll}))
			serials = append(serials, f.run(turns, run{}))
			time.Sleep(time.Duration(i*7%30) * time.Millisecond)
			f.takeOver(fmt.Sprint("m", i%3, i))
			f.worker("w0", 8) // the worker holds nothing: what was on it begins again, or is sent again
		}
		for _, id := range append(runs, serials...) {
			require.Eventually(t, func() bool { return f.state(id) == "SUCCESS" }, 60*time.Second, 10*time.Millisecond, "instance %d is %s", id, f.state(id))
		}
		count := func(query string, args ...any) int {
			n, err := db.Get[int](t.Context(), d, query, args...)
			require.NoError(t, err)
			return n
		}
		for _, id := range runs {
			require.Len(t, f.children(id), 9, "each child once")
			require.Equal(t, 1, count(`SELECT count(*) FROM alert WHERE workflow_instance_id = ? AND alert_type = 'WORKFLOW_INSTANCE_SUCCESS'`, id))
			require.Equal(t, len(tasks), count(`SELECT count(*) FROM task_instance WHERE workflow_instance_id = ? AND valid = ?`, id, true))
		}
		require.Zero(t, count(`SELECT count(*) FROM command`))
		require.Zero(t, count(`SELECT count(*) FROM error_command`))
		require.Zero(t, count(`SELECT count(*) FROM workflow_instance WHERE state <> 'SUCCESS'`))
	})
}
