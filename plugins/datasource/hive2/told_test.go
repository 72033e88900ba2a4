package hive2_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/hive2"
)

// lines are what a server told.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) get() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

func TestWhatAServerWritesAboutAStatementIsPassedOnWhileItRuns(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"a while", "broken after a while", "q"} {
		for _, sasl := range []bool{true, false} {
			f := &fake{name: "Apache Hive", log: []string{"INFO  : Compiling\r\nINFO  : Map 1: 0/1\t", "INFO  : Map 1: 1/1 \x1b[31m\n"}}
			db, told := open(t, hive2.Config{Dial: f.listen(t, sasl), Plain: !sasl, User: "ann", Password: "hunter2"}), &lines{}
			rows, err := read(datasource.WithTold(t.Context(), told.add), db, query)
			require.Equal(t, []string{"INFO  : Compiling", "INFO  : Map 1: 0/1", "INFO  : Map 1: 1/1  [31m"}, told.get(), query)
			if query == "broken after a while" {
				require.ErrorContains(t, err, "it broke", "what it wrote before is known all the same")
				continue
			}
			require.NoError(t, err)
			require.Equal(t, fourRows, rows, "the log takes nothing from the rows")
		}
	}
}

func TestTheLogOfAStatementIsToldBeforeItEnds(t *testing.T) {
	t.Parallel()
	f := &fake{name: "Spark SQL", log: []string{"Job 0 started"}}
	db, told := open(t, hive2.Config{Dial: f.listen(t, true)}), &lines{}
	ctx, cancel := context.WithCancel(datasource.WithTold(t.Context(), told.add))
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(ctx, "slow")
		done <- err
	}()
	require.Eventually(t, func() bool { return len(told.get()) == 1 }, 10*time.Second, 5*time.Millisecond)
	f.mu.Lock()
	f.log = []string{"Job 0 cancelled"}
	f.mu.Unlock()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Equal(t, []string{"Job 0 started", "Job 0 cancelled"}, told.get())
	require.Equal(t, 1, f.cancelled)
}

func TestALongLogIsCutAndAServerWithoutOneIsLeftAlone(t *testing.T) {
	t.Parallel()
	f := &fake{name: "Apache Hive", log: []string{strings.Repeat("x\n", 20_000)}}
	told := &lines{}
	_, err := open(t, hive2.Config{Dial: f.listen(t, true)}).ExecContext(datasource.WithTold(t.Context(), told.add), "quiet")
	require.NoError(t, err)
	require.Len(t, told.get(), 10_001)
	require.Contains(t, told.get()[10_000], "the rest is left out")

	f, told = &fake{name: "Apache Hive", log: []string{strings.Repeat("y", 3000) + "\n" + strings.Repeat(strings.Repeat("z", 1500)+"\n", 1000)}}, &lines{}
	_, err = open(t, hive2.Config{Dial: f.listen(t, true)}).ExecContext(datasource.WithTold(t.Context(), told.add), "quiet")
	require.NoError(t, err)
	require.Less(t, len(strings.Join(told.get(), "\n")), 1<<20+100)
	require.True(t, strings.HasSuffix(told.get()[0], "y…"), "and so is a long line")

	for _, other := range []*fake{{name: "Apache Hive", logless: true}, {name: "Impala"}, {}} {
		told = &lines{}
		db := open(t, hive2.Config{Dial: other.listen(t, true)})
		rows, err := read(datasource.WithTold(t.Context(), told.add), db, "a while")
		require.NoError(t, err)
		require.Equal(t, fourRows, rows)
		require.Empty(t, told.get())
		require.LessOrEqual(t, other.logged, 3)
	}
	quiet := &fake{name: "Apache Hive", log: []string{"unheard"}}
	_, err = read(t.Context(), open(t, hive2.Config{Dial: quiet.listen(t, true)}), "a while")
	require.NoError(t, err)
	require.Zero(t, quiet.logged, "nobody listens")
}
