package keep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"dorado/app/kit/db"
)

// pass is one pass of retention.
type pass struct {
	r    *Retention
	now  time.Time
	last Last
	told time.Time
}

// cutoff is before when rows of a subject go; false when they stay for ever.
func (p *pass) cutoff(s Subject) (time.Time, bool) {
	days := p.r.Config.Days(s)
	return p.now.AddDate(0, 0, -days), days > 0
}

// removed counts, and writes down now and then how far the pass is.
func (p *pass) removed(ctx context.Context, s Subject, n int64) error {
	if n > 0 {
		p.last.Removed[s] += n
		if p.r.removed != nil {
			p.r.removed.WithLabelValues(string(s)).Add(float64(n))
		}
	}
	now := p.r.Now()
	if now.Sub(p.told) < tellEvery {
		return nil
	}
	p.told, p.last.SeenAt = now, db.Cut(now)
	return p.r.put(ctx, lastSetting, p.last)
}

// rest gives others their turn: it sleeps as long as the last batch took, a second at most.
func rest(ctx context.Context, since time.Time) error {
	timer := time.NewTimer(min(time.Since(since), time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// scan is how many instances are looked at in one query.
const scan = 1000

// maxTasks bounds the tasks of the runs that one transaction removes, if it is more than one run.
const maxTasks = 5000

// candidate is an ended run that no other run started.
type candidate struct {
	ID      int64      `db:"id"`
	Code    int64      `db:"workflow_code"`
	State   string     `db:"state"`
	Created time.Time  `db:"created_at"`
	Updated time.Time  `db:"updated_at"`
	End     *time.Time `db:"end_time"`
	Child   bool       `db:"child"`
}

// ended is when the run came to its end.
func (c candidate) ended() time.Time {
	if c.End != nil {
		return *c.End
	}
	return c.Updated
}

// runs removes old runs, oldest first. Runs that others started go with those.
func (p *pass) runs(ctx context.Context) error {
	before, some := p.cutoff(Runs)
	if !some {
		return nil
	}
	keep, err := p.newKeeping(ctx)
	if err != nil {
		return err
	}
	for cursor := int64(0); ; {
		// The clock of the rows: ids follow the time at which runs were created, so the first page without any that is old
		// enough to have been created before is the last.
		list, err := db.Select[candidate](ctx, p.r.DB, `SELECT w.id, w.workflow_code, w.state, w.created_at, w.updated_at, w.end_time,
				CASE WHEN EXISTS (SELECT 1 FROM instance_link l WHERE l.child_instance_id = w.id) THEN TRUE ELSE FALSE END AS child
			FROM workflow_instance w WHERE w.id > ? ORDER BY w.id LIMIT ?`, cursor, scan)
		if err != nil {
			return fmt.Errorf("look for old runs: %w", err)
		}
		if len(list) == 0 {
			return nil
		}
		cursor = list[len(list)-1].ID
		if !slices.ContainsFunc(list, func(c candidate) bool { return c.Created.Before(before) }) {
			return nil
		}
		var old []candidate
		for _, c := range list {
			if c.Child || !ended(c.State) || !c.ended().Before(before) {
				continue
			}
			needed, err := keep.needs(ctx, c)
			if err != nil {
				return err
			}
			if !needed {
				old = append(old, c)
			}
		}
		if err := p.prune(ctx, old); err != nil {
			return err
		}
	}
}

func ended(state string) bool {
	return slices.Contains([]string{"SUCCESS", "FAILURE", "STOP", "PAUSE"}, state)
}

// prune removes runs in batches.
func (p *pass) prune(ctx context.Context, old []candidate) error {
	for len(old) > 0 {
		began := time.Now()
		part := old[:min(len(old), p.r.Config.BatchRuns)]
		ids := make([]int64, len(part))
		for i, c := range part {
			ids[i] = c.ID
		}
		query, args, err := db.In(`SELECT workflow_instance_id AS id, COUNT(*) AS tasks FROM task_instance WHERE workflow_instance_id IN (?) GROUP BY workflow_instance_id`, ids)
		if err != nil {
			return err
		}
		type count struct {
			ID    int64 `db:"id"`
			Tasks int64 `db:"tasks"`
		}
		counts, err := db.Select[count](ctx, p.r.DB, query, args...)
		if err != nil {
			return fmt.Errorf("count the tasks of old runs: %w", err)
		}
		tasks := make(map[int64]int64, len(counts))
		for _, c := range counts {
			tasks[c.ID] = c.Tasks
		}
		n, sum := 0, int64(0)
		for n < len(ids) && (n == 0 || sum+tasks[ids[n]] <= maxTasks) {
			sum += tasks[ids[n]]
			n++
		}
		done, err := p.r.Instances.Prune(ctx, ids[:n])
		if err != nil {
			return err
		}
		old = old[n:]
		if err := errors.Join(p.removed(ctx, Runs, done.Instances), p.removed(ctx, Tasks, done.Tasks)); err != nil {
			return err
		}
		if err := rest(ctx, began); err != nil {
			return err
		}
	}
	return nil
}

// keeping knows which ended runs something may still need.
type keeping struct {
	p         *pass
	dependent map[int64]bool     // workflows that others wait for
	since     time.Time          // their runs stay from then on
	latest    map[int64][2]int64 // by workflow: the oldest of the latest runs, and of the latest successful ones
}

func (p *pass) newKeeping(ctx context.Context) (*keeping, error) {
	codes, err := db.Select[int64](ctx, p.r.DB, `SELECT DISTINCT dependent_workflow_code FROM workflow_lineage WHERE kind = 'DEPENDENT'`)
	if err != nil {
		return nil, fmt.Errorf("look who depends on whom: %w", err)
	}
	k := &keeping{p: p, dependent: map[int64]bool{}, since: p.now.AddDate(0, 0, -p.r.Config.Dependent), latest: map[int64][2]int64{}}
	for _, code := range codes {
		k.dependent[code] = true
	}
	return k, nil
}

// needs reports whether an ended run, or one below it, is needed.
func (k *keeping) needs(ctx context.Context, c candidate) (bool, error) {
	if k.spared(c) {
		return true, nil
	}
	if is, err := k.among(ctx, c); err != nil || is {
		return is, err
	}
	counts, err := db.Get[int](ctx, k.p.r.DB, `SELECT COUNT(*) FROM backfill_date d JOIN backfill b ON b.id = d.backfill_id
		WHERE d.workflow_instance_id = ? AND b.ended_at IS NULL`, c.ID)
	if err != nil || counts > 0 {
		return counts > 0, err
	}
	below, err := db.Select[candidate](ctx, k.p.r.DB, `WITH RECURSIVE below (id) AS (
		SELECT child_instance_id FROM instance_link WHERE parent_instance_id = ?
		UNION SELECT l.child_instance_id FROM instance_link l JOIN below b ON b.id = l.parent_instance_id)
		SELECT w.id, w.workflow_code, w.state, w.created_at, w.updated_at, w.end_time, TRUE AS child
		FROM workflow_instance w JOIN below b ON b.id = w.id`, c.ID)
	if err != nil {
		return false, fmt.Errorf("runs below %d: %w", c.ID, err)
	}
	for _, child := range below {
		if !ended(child.State) || k.spared(child) {
			return true, nil
		}
		if is, err := k.among(ctx, child); err != nil || is {
			return is, err
		}
	}
	return false, nil
}

// spared reports whether a run is one that a DEPENDENT task may still ask for.
func (k *keeping) spared(c candidate) bool { return k.dependent[c.Code] && !c.ended().Before(k.since) }

// among reports whether a run is one of the latest of its workflow, or of the latest successful ones.
func (k *keeping) among(ctx context.Context, c candidate) (bool, error) {
	from, known := k.latest[c.Code]
	if !known {
		for i, state := range []string{"", " AND state = 'SUCCESS'"} {
			id, err := db.Get[int64](ctx, k.p.r.DB, `SELECT id FROM workflow_instance WHERE workflow_code = ? AND NOT stream`+state+` ORDER BY id DESC LIMIT 1 OFFSET ?`,
				c.Code, k.p.r.Config.Latest-1)
			if err != nil && !errors.Is(err, db.ErrNoRows) { // there are fewer: all stay
				return false, fmt.Errorf("the latest runs of workflow %d: %w", c.Code, err)
			}
			from[i] = id
		}
		k.latest[c.Code] = from
	}
	return c.ID >= from[0] || c.State == "SUCCESS" && c.ID >= from[1], nil
}

// measureDays is how long what tasks measured stays at least, in days: expected values and trends look at it when the runs are
// gone.
const measureDays = 400

// measures removes what tasks measured long ago.
func (p *pass) measures(ctx context.Context) error {
	before, some := p.cutoff(Runs)
	if !some {
		return nil
	}
	if least := p.now.AddDate(0, 0, -measureDays); least.Before(before) {
		before = least
	}
	for {
		began := time.Now()
		ids, err := db.Select[int64](ctx, p.r.DB, `SELECT task_instance_id FROM task_measure WHERE measured_at < ? ORDER BY task_instance_id LIMIT ?`,
			before, p.r.Config.BatchRows)
		if err != nil {
			return fmt.Errorf("look for old rows of task_measure: %w", err)
		}
		if _, err := p.byKey(ctx, "task_measure", "task_instance_id", ids); err != nil {
			return err
		}
		if len(ids) < p.r.Config.BatchRows {
			return nil
		}
		if err := rest(ctx, began); err != nil {
			return err
		}
	}
}

// backfills removes those that ended long ago and of which no run is left, unless another one began after them.
func (p *pass) backfills(ctx context.Context) error {
	before, some := p.cutoff(Backfills)
	if !some {
		return nil
	}
	for {
		began := time.Now()
		ids, err := db.Select[int64](ctx, p.r.DB, `SELECT b.id FROM backfill b WHERE b.ended_at IS NOT NULL AND b.ended_at < ?
			AND NOT EXISTS (SELECT 1 FROM backfill c WHERE c.parent_id = b.id)
			AND NOT EXISTS (SELECT 1 FROM backfill_date d JOIN workflow_instance w ON w.id = d.workflow_instance_id WHERE d.backfill_id = b.id)
			ORDER BY b.id LIMIT 20`, before)
		if err != nil {
			return fmt.Errorf("look for old backfills: %w", err)
		}
		n, err := p.byKey(ctx, "backfill", "id", ids)
		if err != nil || n == 0 {
			return err
		}
		if err := errors.Join(p.removed(ctx, Backfills, n), rest(ctx, began)); err != nil {
			return err
		}
	}
}

func (p *pass) byKey(ctx context.Context, table, key string, ids []int64) (int64, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	query, args, err := db.In(`DELETE FROM `+table+` WHERE `+key+` IN (?)`, ids)
	if err != nil {
		return 0, err
	}
	res, err := p.r.DB.Exec(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("remove old rows of %s: %w", table, err)
	}
	return res.RowsAffected()
}

// byAge removes rows of which nothing but their age matters.
func (p *pass) byAge(ctx context.Context) error {
	for _, s := range Subjects() {
		where, plain := s.rows()
		before, some := p.cutoff(s)
		if !plain || !some {
			continue
		}
		for {
			began := time.Now()
			ids, err := db.Select[int64](ctx, p.r.DB, `SELECT `+where.key+` FROM `+where.table+` WHERE `+where.at+` < ?`+where.also+
				` ORDER BY `+where.key+` LIMIT ?`, before, p.r.Config.BatchRows)
			if err != nil {
				return fmt.Errorf("look for old rows of %s: %w", where.table, err)
			}
			n, err := p.byKey(ctx, where.table, where.key, ids)
			if err != nil {
				return err
			}
			if n > 0 {
				if err := errors.Join(p.removed(ctx, s, n), rest(ctx, began)); err != nil {
					return err
				}
			}
			if len(ids) < p.r.Config.BatchRows {
				break
			}
		}
	}
	return nil
}

// fires removes what schedules fired long ago. The clock never looks further back than its mark, which is minutes old.
func (p *pass) fires(ctx context.Context) error {
	before, some := p.cutoff(Fires)
	if !some {
		return nil
	}
	for id := int64(-1); ; {
		var err error
		id, err = db.Get[int64](ctx, p.r.DB, `SELECT schedule_id FROM schedule_fire WHERE schedule_id > ? ORDER BY schedule_id LIMIT 1`, id)
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for old fires: %w", err)
		}
		err = p.upTo(ctx, Fires, "schedule_fire", "fire_time", "schedule_id = ?", []any{id}, before)
		if err != nil {
			return err
		}
	}
}

// samples removes old figures of nodes.
func (p *pass) samples(ctx context.Context) error {
	before, some := p.cutoff(Samples)
	if !some {
		return nil
	}
	type node struct {
		Kind string `db:"node_kind"`
		Node string `db:"node"`
	}
	nodes, err := db.Select[node](ctx, p.r.DB, `SELECT DISTINCT node_kind, node FROM node_sample WHERE at < ?`, before)
	if err != nil {
		return fmt.Errorf("look for old samples: %w", err)
	}
	for _, n := range nodes {
		if err := p.upTo(ctx, Samples, "node_sample", "at", "node_kind = ? AND node = ?", []any{n.Kind, n.Node}, before); err != nil {
			return err
		}
	}
	return nil
}

// upTo removes rows that an index holds in the order of their time, a batch at a time.
func (p *pass) upTo(ctx context.Context, s Subject, table, at, where string, args []any, before time.Time) error {
	for {
		began := time.Now()
		until, err := db.Get[time.Time](ctx, p.r.DB, `SELECT `+at+` FROM `+table+` WHERE `+where+` AND `+at+` < ? ORDER BY `+at+` LIMIT 1 OFFSET ?`,
			append(slices.Clone(args), before, p.r.Config.BatchRows)...)
		last := errors.Is(err, db.ErrNoRows)
		if last {
			until, err = before, nil
		}
		if err != nil {
			return fmt.Errorf("look for old rows of %s: %w", table, err)
		}
		res, err := p.r.DB.Exec(ctx, `DELETE FROM `+table+` WHERE `+where+` AND `+at+` < ?`, append(slices.Clone(args), until)...)
		if err != nil {
			return fmt.Errorf("remove old rows of %s: %w", table, err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if err := p.removed(ctx, s, n); err != nil || last {
			return err
		}
		if err := rest(ctx, began); err != nil {
			return err
		}
	}
}
