package sql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/task"
)

// connector is a driver that does what its function does when it is asked something, whatever the context says.
type connector struct{ ask func() }

func (c connector) Connect(context.Context) (driver.Conn, error) { return c, nil }
func (c connector) Driver() driver.Driver                        { return nil }
func (c connector) Prepare(string) (driver.Stmt, error)          { return nil, driver.ErrSkip }
func (c connector) Begin() (driver.Tx, error)                    { return nil, driver.ErrSkip }
func (c connector) Close() error                                 { return nil }

func (c connector) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	c.ask()
	return nil, driver.ErrBadConn
}

func fake(ask func()) task.Source {
	return task.Source{ID: 1, Name: "odd", Plugin: datasource.Plugin{
		Type: "DB2", Open: func(datasource.Settings) (*sql.DB, error) { return sql.OpenDB(connector{ask}), nil },
	}}
}

func TestADriverThatHangsIsLeftBehind(t *testing.T) {
	t.Parallel()
	release, gone := make(chan struct{}), make(chan struct{})
	source := fake(func() {
		<-release
		close(gone)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, log, err := attemptIn(ctx, t, source, map[string]any{"sql": "select 1"}, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(begin), 2500*time.Millisecond)
	require.Contains(t, log, "left behind")
	close(release)
	<-gone // and what it does now reaches nobody
}

func TestADriverThatPanicsEndsItsAttemptOnly(t *testing.T) {
	t.Parallel()
	_, _, err := attempt(t, fake(func() { panic("index out of range") }), map[string]any{"sql": "select 1"}, nil)
	require.ErrorContains(t, err, "the driver of DB2 failed: index out of range")
}

func TestATypeWithoutADriverSaysSo(t *testing.T) {
	t.Parallel()
	source := fake(nil)
	source.Plugin.Open, source.Plugin.Type = nil, "HIVE"
	_, _, err := attempt(t, source, map[string]any{"sql": "select 1", "connParams": "a=b; c = d;"}, nil)
	require.ErrorIs(t, err, datasource.ErrNoDriver)
	for params, want := range map[string]string{
		"socketFactory=x": `"socketFactory" is not allowed`, "a": "not of the form", "=b": "not of the form", "a=b&c": "ends it",
	} {
		_, _, err = attempt(t, source, map[string]any{"sql": "select 1", "connParams": params}, nil)
		require.ErrorContains(t, err, want)
	}
}
