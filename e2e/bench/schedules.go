package main

import (
	"container/heap"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lib/pq"

	"dorado/e2e/harness"
)

// The plan of B8: rate schedules are due in each of the seconds from begin on, burst of them at one second after that, and
// the rest in many years. Every schedule fires once, or not at all.
type timetable struct {
	all, rate, seconds, burst int
	begin                     time.Time
}

func (t timetable) fires() int { return t.rate*t.seconds + t.burst }

// flood is when the burst is due: a while after the last of the others.
func (t timetable) flood() time.Time {
	return t.begin.Add(time.Duration(t.seconds)*time.Second + 5*time.Second)
}

// schedules is B8: a hundred thousand schedules, of which a thousand fire in each second of a minute and then ten thousand
// at once. Their workflow has one forbidden task, so that the fires are what costs. The schedules are written into the
// database while the product is stopped; making them one by one is not what is measured.
func schedules(ctx context.Context, s *Suite) (Result, error) {
	t := timetable{all: s.o.size(2000, 100_000, 100_000), rate: s.o.size(50, 1000, 1000), seconds: s.o.size(3, 30, 60), burst: s.o.size(500, 10_000, 10_000)}
	r := Result{Size: fmt.Sprintf("%d schedules", t.all)}
	w, err := s.fresh(ctx)
	if err != nil {
		return r, err
	}
	defer s.stopWorld() // nobody else wants so many schedules
	d, err := w.Client.Publish(ctx, w.Project, harness.Workflow{Name: "B8", Tasks: []harness.Task{{Name: "t", Script: "true", Flag: "NO"}}})
	if err != nil {
		return r, err
	}
	bare := bareHeap(ctx, t.all, t.rate)
	r.Raw = fmt.Sprintf("heap p99 %s", ms(quantile(bare, 0.99)))

	if err := w.Master.Terminate(ctx); err != nil {
		return r, err
	}
	if err := w.fill(ctx, d.Code, &t, time.Duration(s.o.size(8, 20, 20))*time.Second); err != nil {
		return r, fmt.Errorf("write schedules: %w", err)
	}
	commits, err := w.watchCommits(ctx)
	if err != nil {
		return r, err
	}
	defer commits.close()
	began := time.Now()
	if err := w.Master.Restart(ctx); err != nil {
		return r, err
	}
	if _, err := w.Master.WaitReady(ctx); err != nil {
		return r, err
	}
	if time.Now().After(t.begin) {
		return r, errors.New("the product was not up before the first schedule was due")
	}
	r.note("ready %s after its start with all schedules online", time.Since(began).Round(time.Millisecond))
	sleepUntil(ctx, t.begin.Add(-2*time.Second)) // the start is over by then
	free, err := idle(ctx, time.Second)
	if s.o.Smoke || err != nil {
		free = 1
	}
	before, err := treeCPU(w.roots()...)
	if err != nil {
		return r, err
	}
	if at, err := readProc(w.Master.PID()); err == nil {
		r.note("master with all schedules before the first fire: %.0f MB", mb(at.RSS))
	}
	sleepUntil(ctx, t.flood().Add(-time.Second))
	others := w.meanwhile(ctx, d.Code, 3*time.Second)
	if err := w.fired(ctx, t); err != nil {
		return r, err
	}
	after, err := treeCPU(w.roots()...)
	if err != nil {
		return r, err
	}
	seconds, burst, err := w.lateness(ctx, t, commits)
	if err != nil {
		return r, err
	}
	var steady []time.Duration
	tardy := 0
	for _, second := range seconds {
		steady = append(steady, second...)
		if slices.Max(second) > 20*time.Millisecond {
			tardy++
		}
	}
	p99, last := quantile(steady, 0.99), quantile(burst, 1)
	r.Value = fmt.Sprintf("%d/s: p50 %s, p99 %s, max %s; %d at once: %s", t.rate, ms(quantile(steady, 0.5)), ms(p99), ms(quantile(steady, 1)),
		t.burst, ms(last))
	r.Samples = append(r.Samples, Sample{Side: "dorado", Wall: time.Since(t.begin), CPU: after - before, Value: p99.Seconds() * 1000, Idle: free})
	r.note("%d of the %d seconds had a fire later than 20 ms", tardy, t.seconds)
	r.note("%d at once: p50 %s; starts by HTTP meanwhile p50 %s, max %s", t.burst, ms(quantile(burst, 0.5)), ms(quantile(others, 0.5)), ms(quantile(others, 1)))
	r.note("CPU of everything %s a fire, runs included", ((after - before) / time.Duration(t.fires())).Round(time.Microsecond))
	if commits == nil {
		r.note("SQLite tells nobody of commits: these are the times just before")
	}
	r.bar("p99 20 ms, 10,000 at once in 0.5 s", p99 <= 20*time.Millisecond && last <= 500*time.Millisecond)
	return r, nil
}

func sleepUntil(ctx context.Context, t time.Time) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Until(t)):
	}
}

// writable opens the database of the stopped product.
func (w *World) writable() (*sql.DB, error) {
	if w.Worker != nil {
		return sql.Open("postgres", w.DB)
	}
	return sql.Open("sqlite", "file:"+w.DB+"?_time_format=sqlite&_pragma=busy_timeout(5000)")
}

// fill writes the schedules of a workflow; the first are due after a while.
func (w *World) fill(ctx context.Context, code int64, t *timetable, after time.Duration) error {
	db, err := w.writable()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	t.begin = time.Now().UTC().Truncate(time.Second).Add(after)
	end := t.begin.Add(time.Duration(t.seconds-1) * time.Second)
	flood := t.flood()
	const insert = `WITH RECURSIVE n (k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k < $1 - 1)
		INSERT INTO schedule (project_code, workflow_code, start_time, end_time, time_zone, crontab, release_state, online_at, user_id, created_at, updated_at)
		SELECT project_code, code, $2, $3, 'UTC', $4, 'ONLINE', $5, owner_id, $5, $5 FROM workflow_definition, n WHERE code = $6`
	write := func(n int, start, end time.Time, crontab string) error {
		_, err := db.ExecContext(ctx, insert, n, start, end, crontab, t.begin.Add(-after), code)
		return err
	}
	for k := range t.seconds {
		second := t.begin.Add(time.Duration(k) * time.Second).Second()
		if err := write(t.rate, t.begin.Add(-time.Second), end, strconv.Itoa(second)+" * * * * ?"); err != nil {
			return err
		}
	}
	if err := write(t.burst, t.begin, flood, flood.Format("5 4 15 2 1 ? 2006")); err != nil {
		return err
	}
	far := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := write(t.all-t.fires(), t.begin, far, "0 0 3 1 1 ? 2099"); err != nil {
		return err
	}
	if w.Worker != nil { // the server would do it by itself within a minute
		_, err = db.ExecContext(ctx, "ANALYZE")
	}
	return err
}

// commits notes when the transactions that fired became durable. The product tells its masters of the first instance of each
// transaction, and PostgreSQL delivers that with the commit.
type commits struct {
	listener *pq.Listener
	mu       sync.Mutex
	at       map[int64]time.Time // instance → when its transaction was heard of
}

func (w *World) watchCommits(context.Context) (*commits, error) {
	if w.Worker == nil {
		return nil, nil //nolint:nilnil // SQLite: there is nothing to watch
	}
	c := &commits{listener: pq.NewListener(w.DB, time.Second, time.Minute, nil), at: map[int64]time.Time{}}
	if err := c.listener.Listen("dorado_command"); err != nil {
		return nil, err
	}
	go func() {
		for n := range c.listener.NotificationChannel() {
			now := time.Now()
			if n == nil {
				continue
			}
			if id, err := strconv.ParseInt(n.Extra, 10, 64); err == nil {
				c.mu.Lock()
				c.at[id] = now
				c.mu.Unlock()
			}
		}
	}()
	return c, nil
}

func (c *commits) close() {
	if c != nil {
		_ = c.listener.Close()
	}
}

// meanwhile starts runs by HTTP, one after the other, and returns how long each took to be accepted.
func (w *World) meanwhile(ctx context.Context, code int64, d time.Duration) (took []time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end) && ctx.Err() == nil; {
		began := time.Now()
		if _, err := w.start(ctx, code, false); err != nil {
			return append(took, d)
		}
		took = append(took, time.Since(began))
		time.Sleep(20 * time.Millisecond)
	}
	return took
}

// fired waits until everything that was due is made and all runs have ended, and checks that each fire happened once.
func (w *World) fired(ctx context.Context, t timetable) error {
	db, err := w.open()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	count := func(query string) (n int) {
		err = errors.Join(err, db.QueryRowContext(limit, query).Scan(&n))
		return n
	}
	for {
		fires := count(`SELECT count(*) FROM schedule_fire`)
		open := count(`SELECT count(*) FROM workflow_instance WHERE end_time IS NULL`)
		if err != nil {
			return err
		}
		if fires >= t.fires() && open == 0 {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	for query, want := range map[string]int{
		`SELECT count(*) FROM schedule_fire`:                                                            t.fires(),
		`SELECT count(DISTINCT schedule_id) FROM schedule_fire`:                                         t.fires(),
		`SELECT count(DISTINCT workflow_instance_id) FROM schedule_fire WHERE workflow_instance_id > 0`: t.fires(),
		`SELECT count(*) FROM workflow_instance WHERE command_type = 'SCHEDULER'`:                       t.fires(),
		`SELECT count(*) FROM schedule_fire f JOIN workflow_instance i ON i.id = f.workflow_instance_id AND i.schedule_time = f.fire_time
			AND i.state = 'SUCCESS'`: t.fires(),
		`SELECT count(*) FROM command`: 0,
	} {
		if got := count(query); got != want || err != nil {
			return errors.Join(err, fmt.Errorf("%d instead of %d: %s", got, want, query))
		}
	}
	return nil
}

// lateness is how long after it was due each fire was durable, for those of each steady second and those of the burst.
func (w *World) lateness(ctx context.Context, t timetable, c *commits) (seconds map[int64][]time.Duration, burst []time.Duration, err error) {
	db, err := w.open()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = db.Close() }()
	query := `SELECT '0', f.workflow_instance_id, f.fire_time, i.start_time FROM schedule_fire f JOIN workflow_instance i ON i.id = f.workflow_instance_id`
	if c != nil {
		query = `SELECT f.xmin::text, f.workflow_instance_id, f.fire_time, i.start_time FROM schedule_fire f JOIN workflow_instance i ON i.id = f.workflow_instance_id`
	}
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	type fire struct {
		tx      string
		due, at time.Time
	}
	var all []fire
	durable := map[string]time.Time{} // by transaction
	for rows.Next() {
		var f fire
		var id int64
		if err := rows.Scan(&f.tx, &id, &f.due, &f.at); err != nil {
			return nil, nil, err
		}
		if c != nil {
			c.mu.Lock()
			if at, ok := c.at[id]; ok {
				durable[f.tx] = at
			}
			c.mu.Unlock()
		}
		all = append(all, f)
	}
	seconds = map[int64][]time.Duration{}
	for _, f := range all {
		at := f.at
		if c != nil {
			var ok bool
			if at, ok = durable[f.tx]; !ok {
				return nil, nil, fmt.Errorf("the commit of transaction %s was not heard of", f.tx)
			}
		}
		if late := max(at.Sub(f.due), 0); f.due.Before(t.flood()) {
			seconds[f.due.Unix()] = append(seconds[f.due.Unix()], late)
		} else {
			burst = append(burst, late)
		}
	}
	return seconds, burst, rows.Err()
}

// moments is a heap of instants.
type moments []time.Time

func (m moments) Len() int           { return len(m) }
func (m moments) Less(i, j int) bool { return m[i].Before(m[j]) }
func (m moments) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }

// Push appends.
func (m *moments) Push(x any) {
	t, _ := x.(time.Time)
	*m = append(*m, t)
}

// Pop takes the last.
func (m *moments) Pop() any {
	last := len(*m) - 1
	t := (*m)[last]
	*m = (*m)[:last]
	return t
}

// bareHeap is the denominator: as many instants in a heap, of which rate are due in each of a few seconds, and how late they
// are taken out of it.
func bareHeap(ctx context.Context, all, rate int) []time.Duration {
	const seconds = 3
	h := make(moments, 0, all)
	begin := time.Now().Add(100 * time.Millisecond)
	for k := range all {
		at := begin.AddDate(1, 0, 0)
		if k < rate*seconds {
			at = begin.Add(time.Duration(k/rate) * time.Second)
		}
		h = append(h, at)
	}
	heap.Init(&h)
	var late []time.Duration
	for len(late) < min(all, rate*seconds) && ctx.Err() == nil {
		sleepUntil(ctx, h[0])
		for now := time.Now(); !h[0].After(now) && len(late) < rate*seconds; {
			due, _ := heap.Pop(&h).(time.Time)
			late = append(late, time.Since(due))
		}
	}
	return late
}
