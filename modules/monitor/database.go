package monitor

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"dorado/app/kit/db"
)

// Database is how the database is, as far as it says. Numbers that it does not know, or that the account may not ask for,
// are below zero.
type Database struct {
	Type       string // POSTGRESQL or SQLITE
	Version    string
	Healthy    bool
	Trouble    string        // why it is not
	Latency    time.Duration // of the simplest question
	Durability string        // "journal_mode=wal synchronous=full"
	Name       string        // of the database, or the file

	MaxConnections  int64
	MostConnections int64 // the most that this process has seen
	Connections     int64
	Active          int64

	Pool PoolUse // connections of this process

	Size    int64 // bytes of all tables and indexes, or of the file
	WAL     int64 // bytes of log that are kept
	Free    int64 // bytes inside the file that are free, SQLite only
	Replica bool
	Lag     time.Duration // of the slowest replica; below 0 without any

	Commits   int64
	Rollbacks int64
	Deadlocks int64
	CacheHit  float64 // share of 1; below 0 when not known
	OldestTx  time.Duration

	Tables []TableSize
	Saves  Saves
	At     time.Time
}

// PoolUse is the pool of connections of this process.
type PoolUse struct {
	Open, InUse, Max int
	Waits            int64 // for a free one, since the start
	Waited           time.Duration
}

// TableSize is one of the largest tables.
type TableSize struct {
	Name  string `db:"name"`
	Bytes int64  `db:"bytes"`
	Rows  int64  `db:"rows"` // an estimate
}

// Saves are the group commits of the engine in this process since its start.
type Saves struct {
	Count         uint64
	Slow          uint64        // took more than SlowCommit
	Median, Worst time.Duration // half of them, and 99 % of them, were quicker than that
}

// SlowCommit is what a group commit should not take.
const SlowCommit = 100 * time.Millisecond

const (
	databaseWait = 2 * time.Second
	tablesShown  = 8
)

// Database asks the database how it is. It does not fail because the database does: that is what it tells.
func (s *Service) Database(ctx context.Context) (Database, error) {
	if err := s.Access.Require(ctx, View); err != nil {
		return Database{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, databaseWait)
	defer cancel()
	d := Database{
		At: s.now(), MaxConnections: -1, Connections: -1, Active: -1, Size: -1, WAL: -1, Free: -1, Lag: -1, CacheHit: -1, OldestTx: -1,
		Commits: -1, Rollbacks: -1, Deadlocks: -1, Type: "SQLITE",
	}
	postgres := s.DB.Dialect().Name() == "postgres"
	if postgres {
		d.Type = "POSTGRESQL"
	}
	stats := s.DB.SQLX().Stats()
	d.Pool = PoolUse{Open: stats.OpenConnections, InUse: stats.InUse, Max: stats.MaxOpenConnections, Waits: stats.WaitCount, Waited: stats.WaitDuration}
	began := time.Now()
	_, err := db.Get[int](ctx, s.DB, "SELECT 1")
	d.Latency = time.Since(began)
	if err == nil {
		d.Durability, err = s.DB.Durability(ctx)
	}
	if err != nil {
		d.Trouble = err.Error()
		return d, nil
	}
	d.Healthy = true
	if postgres {
		err = s.askPostgres(ctx, &d)
	} else {
		err = s.askSQLite(ctx, &d)
	}
	if err != nil {
		d.Trouble = err.Error() // it answers, but not to everything
	}
	d.Saves = s.saves()
	s.mu.Lock()
	s.most = max(s.most, d.Connections)
	d.MostConnections = s.most
	s.mu.Unlock()
	return d, nil
}

func (s *Service) askPostgres(ctx context.Context, d *Database) error {
	type head struct {
		Version   string  `db:"version"`
		Name      string  `db:"name"`
		Max       int64   `db:"most"`
		All       int64   `db:"connections"`
		Active    int64   `db:"active"`
		Size      int64   `db:"size"`
		Replica   bool    `db:"replica"`
		Commits   int64   `db:"commits"`
		Rollbacks int64   `db:"rollbacks"`
		Deadlocks int64   `db:"deadlocks"`
		Hit       float64 `db:"hit"`
		Oldest    float64 `db:"oldest"`
	}
	h, err := db.Get[head](ctx, s.DB, `SELECT current_setting('server_version') AS version, current_database() AS name,
		current_setting('max_connections')::bigint AS most, (SELECT count(*) FROM pg_stat_activity) AS connections,
		(SELECT count(*) FROM pg_stat_activity WHERE state = 'active') AS active, pg_database_size(current_database()) AS size,
		pg_is_in_recovery() AS replica, xact_commit AS commits, xact_rollback AS rollbacks, deadlocks,
		CASE WHEN blks_hit + blks_read = 0 THEN -1 ELSE blks_hit::float8 / (blks_hit + blks_read) END AS hit,
		COALESCE((SELECT EXTRACT(EPOCH FROM max(clock_timestamp() - xact_start)) FROM pg_stat_activity WHERE datname = current_database()), 0)::float8 AS oldest
		FROM pg_stat_database WHERE datname = current_database()`)
	if err != nil {
		return err
	}
	d.Version, d.Name, d.MaxConnections, d.Connections, d.Active = "PostgreSQL "+h.Version, h.Name, h.Max, h.All, h.Active
	d.Size, d.Replica, d.Commits, d.Rollbacks, d.Deadlocks, d.CacheHit = h.Size, h.Replica, h.Commits, h.Rollbacks, h.Deadlocks, h.Hit
	d.OldestTx = time.Duration(max(0, h.Oldest) * float64(time.Second))
	d.Tables, err = db.Select[TableSize](ctx, s.DB, `SELECT relname AS name, pg_total_relation_size(relid) AS bytes, n_live_tup AS rows
		FROM pg_stat_user_tables ORDER BY 2 DESC, 1 LIMIT ?`, tablesShown)
	// These need a role that many accounts do not have: without it they stay unknown.
	if wal, err := db.Get[int64](ctx, s.DB, `SELECT COALESCE(sum(size), 0)::bigint FROM pg_ls_waldir()`); err == nil {
		d.WAL = wal
	}
	type lag struct {
		N       int     `db:"n"`
		Seconds float64 `db:"seconds"`
	}
	if l, err := db.Get[lag](ctx, s.DB, `SELECT count(*) AS n, COALESCE(EXTRACT(EPOCH FROM max(replay_lag)), 0)::float8 AS seconds FROM pg_stat_replication`); err == nil && l.N > 0 {
		d.Lag = time.Duration(l.Seconds * float64(time.Second))
	}
	return err
}

func (s *Service) askSQLite(ctx context.Context, d *Database) error {
	version, err := db.Get[string](ctx, s.DB, "SELECT sqlite_version()")
	if err != nil {
		return err
	}
	pages, err1 := db.Get[int64](ctx, s.DB, "PRAGMA page_count")
	size, err2 := db.Get[int64](ctx, s.DB, "PRAGMA page_size")
	free, err3 := db.Get[int64](ctx, s.DB, "PRAGMA freelist_count")
	file, err4 := db.Get[string](ctx, s.DB, "SELECT file FROM pragma_database_list WHERE name = 'main'")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	d.Version, d.Name, d.Size, d.Free = "SQLite "+version, file, pages*size, free*size
	if log, err := os.Stat(file + "-wal"); err == nil {
		d.WAL = log.Size()
	}
	d.Connections, d.Active, d.MaxConnections = int64(d.Pool.Open), int64(d.Pool.InUse), int64(d.Pool.Max)
	return nil
}

// saves reads the histogram of group commits of this process.
func (s *Service) saves() Saves {
	if s.Metrics == nil {
		return Saves{}
	}
	families, err := s.Metrics.Gather()
	if err != nil {
		return Saves{}
	}
	at := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "dorado_commit_seconds" })
	if at < 0 || len(families[at].GetMetric()) == 0 {
		return Saves{}
	}
	h := families[at].GetMetric()[0].GetHistogram()
	out := Saves{Count: h.GetSampleCount()}
	quantile := func(share float64) time.Duration {
		for _, b := range h.GetBucket() {
			if float64(b.GetCumulativeCount()) >= share*float64(out.Count) {
				return time.Duration(b.GetUpperBound() * float64(time.Second))
			}
		}
		return time.Duration(h.GetBucket()[len(h.GetBucket())-1].GetUpperBound() * float64(time.Second))
	}
	if out.Count == 0 {
		return out
	}
	out.Median, out.Worst = quantile(0.5), quantile(0.99)
	for _, b := range h.GetBucket() {
		if b.GetUpperBound() <= SlowCommit.Seconds() {
			out.Slow = out.Count - b.GetCumulativeCount()
		}
	}
	return out
}

// Bytes writes a size in the unit that suits it: "512 B", "3.4 MiB".
func Bytes(n int64) string {
	if n < 0 {
		return ""
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	if unit == 0 {
		return strconv.FormatInt(n, 10) + " B"
	}
	return strings.TrimSuffix(strconv.FormatFloat(size, 'f', 1, 64), ".0") + " " + units[unit]
}
