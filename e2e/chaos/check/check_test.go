package check_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/chaos/check"
)

var noon = time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

// ran are the two lines of an attempt; a negative end leaves the second away.
func ran(run, task, attempt int64, from, until float64, exit int) []check.Mark {
	m := check.Mark{Run: run, Task: task, Attempt: attempt, At: at(from), PID: int(attempt), Nonce: fmt.Sprint(attempt), Key: fmt.Sprintf("k%d", run)}
	out := []check.Mark{m}
	if until >= 0 {
		m.End, m.At, m.Exit = true, at(until), exit
		out = append(out, m)
	}
	return out
}

// good is a small storm that kept every promise: run 1 of two tasks, the second of which was lost with its worker and
// repeated; run 2 of one task that failed once and was retried.
func good() check.Facts {
	f := check.Facts{
		Unreachable: 34 * time.Second,
		Workflows:   []check.Workflow{{Code: 10, Name: "pair", Tasks: []int64{100, 101}}, {Code: 11, Name: "serial", Tasks: []int64{110}, Serial: true}},
		Triggers: []check.Trigger{
			{Key: "k1", Workflow: 10, Outcome: check.Accepted, Run: 1},
			{Key: "k2", Workflow: 11, Outcome: check.Accepted, Run: 2},
			{Key: "k3", Workflow: 11, Outcome: check.Maybe},
			{Key: "k4", Workflow: 11, Outcome: check.Maybe},
			{Key: "k9", Workflow: 11, Outcome: check.Refused},
		},
		Runs: []check.Run{{ID: 1, Workflow: 10, State: "SUCCESS", Key: "k1"}, {ID: 2, Workflow: 11, State: "SUCCESS", Key: "k2"}, {ID: 4, Workflow: 11, State: "SUCCESS", Key: "k4"}},
		Attempts: []check.Attempt{
			{ID: 1, Run: 1, Task: 100, State: "SUCCESS", Worker: "w1", Valid: true},
			{ID: 2, Run: 1, Task: 101, State: "NEED_FAULT_TOLERANCE", Worker: "w1"},
			{ID: 3, Run: 1, Task: 101, State: "SUCCESS", Worker: "w2", Valid: true},
			{ID: 4, Run: 2, Task: 110, State: "FAILURE", Worker: "w2"},
			{ID: 5, Run: 2, Task: 110, State: "SUCCESS", Worker: "w2", Valid: true},
			{ID: 6, Run: 4, Task: 110, State: "SUCCESS", Worker: "w2", Valid: true},
		},
		Groups:    []check.Group{{Name: "g", Size: 1, Tasks: []int64{110}}},
		Schedules: []check.Schedule{{ID: 1, From: at(0), Until: at(2)}},
		Faults:    []check.Fault{{No: 1, Kind: "worker.kill", Target: "w1", From: at(3), Until: at(9), Effect: check.Died, Workers: []string{"w1"}}},
		Left:      map[string]int{"commands": 0},
	}
	for _, m := range [][]check.Mark{ran(1, 100, 1, 0, 1, 0), ran(1, 101, 2, 2, -1, 0), ran(1, 101, 3, 8, 9, 0), ran(2, 110, 4, 0, 1, 1), ran(2, 110, 5, 1, 2, 0), ran(4, 110, 6, 3, 4, 0)} {
		f.Marks = append(f.Marks, m...)
	}
	f.Runs = append(f.Runs, check.Run{ID: 20, Workflow: 12, State: "SUCCESS"}, check.Run{ID: 21, Workflow: 12, State: "SUCCESS"})
	f.Fires = []check.Fire{{Schedule: 1, At: at(0), Run: 20}, {Schedule: 1, At: at(1), Run: 21}}
	return f
}

func TestAStormThatKeptItsPromisesPasses(t *testing.T) {
	t.Parallel()
	v := check.Check(good())
	require.Empty(t, v.Breaches)
	require.Equal(t, 1, check.Of(v.Excused, check.Duplicate))
	require.Contains(t, v.Excused[0].Reason, "fault 1: worker.kill of w1")
	require.Equal(t, 1, v.Counts["retries"])
	require.Equal(t, 1, v.Counts["maybe that ran"])
	require.Equal(t, 1, v.Counts["most in group g"])
}

// Each forgery of the evidence must be found, under the rule that it breaks.
func TestForgedEvidenceIsFound(t *testing.T) {
	t.Parallel()
	row := func(f *check.Facts, id int64) *check.Attempt {
		for i := range f.Attempts {
			if f.Attempts[i].ID == id {
				return &f.Attempts[i]
			}
		}
		panic("no such row")
	}
	for name, c := range map[string]struct {
		forge func(f *check.Facts)
		rule  check.Rule
		text  string
	}{
		"an accepted run is gone":       {func(f *check.Facts) { f.Runs = f.Runs[1:] }, check.Lost, "run 1 of trigger k1 is gone"},
		"a task of a success never ran": {func(f *check.Facts) { f.Marks = f.Marks[2:] }, check.Lost, "task 100 never ended well"},
		"a success without an end line": {func(f *check.Facts) { f.Marks = append(f.Marks[:1:1], f.Marks[2:]...) }, check.State, "attempt 1 of run 1 is SUCCESS"},
		"one key, two runs": {func(f *check.Facts) {
			f.Runs = append(f.Runs, check.Run{ID: 99, Workflow: 11, State: "STOP", Key: "k2", Stop: true})
		}, check.Duplicate, "trigger k2 (accepted) made 2 runs"},
		"a refused trigger ran":               {func(f *check.Facts) { f.Runs[2].Key = "k9" }, check.State, "k9 was refused and made run [4]"},
		"an attempt starts twice":             {func(f *check.Facts) { f.Marks = append(f.Marks, ran(1, 100, 1, 0.5, -1, 0)...) }, check.Duplicate, "attempt 1 of run 1 on w1 started 2 times"},
		"a repetition that nothing excuses":   {func(f *check.Facts) { f.Faults = nil }, check.Duplicate, "attempt 2 on w1, then 3; the first was not finished"},
		"the fault was another worker's":      {func(f *check.Facts) { f.Faults[0].Workers = []string{"w2"} }, check.Duplicate, "attempt 2 on w1, then 3"},
		"the fault came after the repetition": {func(f *check.Facts) { f.Faults[0].From, f.Faults[0].Until = at(20), at(30) }, check.Duplicate, "attempt 2 on w1, then 3"},
		"the fault was over before the start": {func(f *check.Facts) { f.Faults[0].From, f.Faults[0].Until = at(-20), at(-10) }, check.Duplicate, "attempt 2 on w1, then 3"},
		"a cut that was too short":            {func(f *check.Facts) { f.Faults[0].Effect = check.Cut }, check.Duplicate, "attempt 2 on w1, then 3"},
		"a fault that was never done":         {func(f *check.Facts) { f.Faults[0].Void = "it was down" }, check.Duplicate, "attempt 2 on w1, then 3"},
		"a success is repeated": {func(f *check.Facts) {
			f.Marks = append(f.Marks, ran(2, 110, 7, 30, 31, 0)...)
			f.Attempts = append(f.Attempts, check.Attempt{ID: 7, Run: 2, Task: 110, State: "SUCCESS", Worker: "w2"})
		}, check.Duplicate, "attempt 5 on w2, then 7; the first had ended well"},
		"both attempts at once": {func(f *check.Facts) {
			f.Marks = append(f.Marks, ran(2, 110, 7, 1.5, 1.7, 0)...)
			f.Attempts = append(f.Attempts, check.Attempt{ID: 7, Run: 2, Task: 110, State: "SUCCESS", Worker: "w2"})
		}, check.Overlap, "attempt 5 on w2, then 7 began 0.5 s before"},
		"a ghost":                   {func(f *check.Facts) { f.Attempts = f.Attempts[1:] }, check.State, "attempt 1 of run 1 ran, and there is no row of it"},
		"an end without a start":    {func(f *check.Facts) { f.Marks = f.Marks[1:] }, check.State, "attempt 1 ended without having started"},
		"a run that hangs":          {func(f *check.Facts) { f.Runs[0].State = "RUNNING_EXECUTION" }, check.Stuck, "run 1 of pair is RUNNING_EXECUTION"},
		"an attempt that hangs":     {func(f *check.Facts) { row(f, 6).State = "DISPATCH" }, check.Stuck, "attempt 6 of run 4 is DISPATCH"},
		"a command is left":         {func(f *check.Facts) { f.Left["commands"] = 2 }, check.Stuck, "commands: 2"},
		"two valid attempts":        {func(f *check.Facts) { row(f, 4).Valid = true }, check.State, "task 110 of run 2 has 2 valid attempts"},
		"a failure that was none":   {func(f *check.Facts) { row(f, 1).State = "FAILURE"; row(f, 1).Worker = "w2" }, check.State, "attempt 1 of run 1 on w2 is FAILURE"},
		"a run fails for nothing":   {func(f *check.Facts) { f.Runs[0].State = "FAILURE" }, check.State, "run 1 of pair is FAILURE, and none of its tasks failed"},
		"a stop for nothing":        {func(f *check.Facts) { f.Runs[2].State = "STOP" }, check.State, "run 4 of serial is STOP"},
		"a kill for nothing":        {func(f *check.Facts) { row(f, 6).State = "KILL" }, check.State, "attempt 6 of run 4 is KILL"},
		"given up for nothing":      {func(f *check.Facts) { row(f, 6).State = "NEED_FAULT_TOLERANCE" }, check.State, "attempt 6 of run 4 on w2 was given up"},
		"a second without its fire": {func(f *check.Facts) { f.Fires = f.Fires[:1] }, check.Scheduled, "did not fire at 12:00:01"},
		"two fires of one second":   {func(f *check.Facts) { f.Fires = append(f.Fires, check.Fire{Schedule: 1, At: at(1), Run: 4}) }, check.Scheduled, "fired 2 times at 12:00:01"},
		"two fires share a run":     {func(f *check.Facts) { f.Fires[1].Run = 20 }, check.Scheduled, "run 20 belongs to two fires"},
		"a fire was skipped":        {func(f *check.Facts) { f.Fires[1].Run = 0 }, check.Scheduled, "skipped 12:00:01"},
		"serial runs overlap":       {func(f *check.Facts) { f.Marks[9].At = at(1.5) }, check.Serial, "runs 2 and 4 of serial overlap by 0.5 s"},
		"a group is too full":       {func(f *check.Facts) { f.Marks[9].At = at(1.5) }, check.Grouped, "group g of 1 held 2"},
		"a child is started twice": {func(f *check.Facts) {
			f.Runs = append(f.Runs, check.Run{ID: 30, Workflow: 12, State: "SUCCESS", Parent: 1}, check.Run{ID: 31, Workflow: 12, State: "SUCCESS", Parent: 1})
		}, check.Duplicate, "run 1 started workflow 12 2 times"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := good()
			c.forge(&f)
			v := check.Check(f)
			require.False(t, v.OK())
			var said []string
			for _, b := range v.Breaches {
				said = append(said, string(b.Rule)+" "+b.Text)
			}
			require.Contains(t, strings.Join(said, "\n"), string(c.rule)+" ")
			require.Contains(t, strings.Join(said, "\n"), c.text)
		})
	}
}

func TestAWorkerThatIsCutOffLongEnoughExcusesARepetitionButNoOverlap(t *testing.T) {
	t.Parallel()
	f := good()
	f.Faults = []check.Fault{
		{No: 1, Kind: "link", Target: "w1", From: at(3), Until: at(20), Effect: check.Cut, Workers: []string{"w1"}},
		{No: 2, Kind: "link", Target: "w1", From: at(22), Until: at(50), Effect: check.Cut, Workers: []string{"w1"}},
	}
	f.Marks[3].At, f.Marks[4].At = at(45), at(46)
	require.Empty(t, check.Check(f).Breaches, "two cuts with hardly a pause are one")

	f.Marks = append(f.Marks, ran(1, 101, 2, 2, 47, 0)[1])
	v := check.Check(f)
	require.Equal(t, 1, check.Of(v.Breaches, check.Overlap), "a worker that is cut off ends its tasks in time")

	f.Faults[1].Loose = true
	require.Empty(t, check.Check(f).Breaches, "a frozen one cannot end them")
}

func TestTheLedgerIsWrittenByBashAndReadBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	script := check.Script(path, "k-7", "x=3")
	for from, to := range map[string]string{"workflow.instance": "5", "task.definition.code": "6", "task.instance": "7"} {
		for _, tail := range []string{".id}", "}"} {
			script = strings.ReplaceAll(script, "${system."+from+tail, to)
		}
	}
	out, err := exec.CommandContext(t.Context(), "bash", "-c", script).CombinedOutput()
	require.Error(t, err)
	require.Empty(t, string(out))
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	marks, err := check.Read(f)
	require.NoError(t, err)
	require.Len(t, marks, 2)
	require.False(t, marks[0].End)
	require.True(t, marks[1].End)
	require.Equal(t, 3, marks[1].Exit)
	require.Equal(t, []int64{5, 6, 7}, []int64{marks[1].Run, marks[1].Task, marks[1].Attempt})
	require.Equal(t, "k-7", marks[0].Key)
	require.Equal(t, marks[0].Nonce, marks[1].Nonce)
	require.WithinDuration(t, time.Now(), marks[0].At, time.Minute)
}

func TestATornLedgerIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"S 1 2 3 4.5 6 n", "X 1 2 3 4.5 6 n k", "S 1 2 x 4.5 6 n k", "S 1 2 3 4.5 6 n kS 1 2 3 4.5 6 n k"} {
		_, err := check.Read(strings.NewReader(text + "\n"))
		require.ErrorContains(t, err, "ledger line 1", text)
	}
}
