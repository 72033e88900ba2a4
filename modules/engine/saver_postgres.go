package engine

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"dorado/app/kit/db"
)

// postgresSaver writes a whole group of changes in one statement: one round trip, one commit, however many rows.
//
// The fence row is locked FOR SHARE, so a successor that raises the epoch waits for a save in flight and then sees all
// of it; a save after that finds no fence row and writes nothing.
type postgresSaver struct {
	name       string
	epoch      int64
	statements map[pgShape]string
	planned    *sql.Conn // the connection whose planner is set up
}

// Point updates by key must never be planned as a scan, which a fresh or fast-growing table invites.
const postgresPlans = `SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan`

// pgColumn is one column of a table function made of arrays; kind is its SQL type, or "instant" for milliseconds.
type pgColumn struct{ name, kind string }

var (
	pgAttemptIdentity = []pgColumn{
		{"id", "bigint"},
		{"workflow_instance_id", "bigint"},
		{"project_code", "bigint"},
		{"task_code", "bigint"},
		{"task_version", "int"},
		{"name", "text"},
		{"task_type", "text"},
		{"attempt", "int"},
		{"max_retry_times", "int"},
		{"worker_group", "text"},
		{"priority", "text"},
		{"first_submit_time", "instant"},
	}
	pgAttemptState = []pgColumn{
		{"host", "text"},
		{"state", "text"},
		{"valid", "bool"},
		{"pid", "int"},
		{"exit_code", "int"},
		{"log_path", "text"},
		{"execute_path", "text"},
		{"app_link", "text"},
		{"var_pool", "text"},
		{"message", "text"},
		{"submit_time", "instant"},
		{"due_time", "instant"},
		{"start_time", "instant"},
		{"end_time", "instant"},
	}
	// pgAttemptBare is what an attempt has that is on its way to a worker, or waits; the rest is as the table's defaults say.
	pgAttemptBare  = []pgColumn{{"host", "text"}, {"state", "text"}, {"submit_time", "instant"}}
	pgIdentityWide = []pgColumn{{"task_group_id", "bigint"}, {"task_group_priority", "int"}, {"environment_code", "bigint"}}
	pgStateWide    = []pgColumn{{"context", "text"}, {"cache_key", "text"}}
	pgRun          = []pgColumn{
		{"id", "bigint"},
		{"epoch", "bigint"},
		{"state", "text"},
		{"state_history", "text"},
		{"message", "text"},
		{"var_pool", "text"},
		{"end_time", "instant"},
		{"finished", "bool"},
	}
)

// pgShape says which parts a group has. What is not there is left out of the statement: to a lone hop of a chain, the end
// of one attempt and the beginning of the next, the unused parts would be half of its time.
type pgShape struct{ commands, inserts, wideInserts, bareInserts, updates, wideUpdates, runs bool }

func (g *group) shape() pgShape {
	s := pgShape{commands: len(g.commands) > 0, runs: len(g.runs) > 0}
	for i := range g.attempts {
		if r := &g.attempts[i]; r.insert {
			s.bareInserts = (s.bareInserts || !s.inserts) && r.bare()
			s.inserts, s.wideInserts = true, s.wideInserts || r.wide()
		} else {
			s.updates, s.wideUpdates = true, s.wideUpdates || r.wide()
		}
	}
	return s
}

// columns are those of new attempts and of known ones, without what nobody in the group needs.
func (s pgShape) columns(insert bool) (identity, state []pgColumn) {
	identity, state = pgAttemptIdentity, pgAttemptState
	if insert && s.bareInserts {
		return identity, pgAttemptBare
	}
	if insert && s.wideInserts {
		identity = slices.Concat(identity, pgIdentityWide)
	}
	if insert && s.wideInserts || !insert && s.wideUpdates {
		state = slices.Concat(state, pgStateWide)
	}
	return identity, state
}

// pgStatement is the one statement of a save. Its parameters: the master's name and epoch; the commands; the columns of
// new attempts and of known ones; now, and the columns of runs. With commands, each of these tables ends with the
// command that its row depends on.
func pgStatement(shape pgShape) string {
	last := 2
	param := func(kind string) string {
		last++
		return fmt.Sprintf("$%d::%s", last, kind)
	}
	rows := func(columns []pgColumn) string {
		if shape.commands {
			columns = append(slices.Clone(columns), pgColumn{"command", "bigint"}) // a row counts only if its command was taken; 0 = always
		}
		arrays, names := make([]string, len(columns)), make([]string, len(columns))
		for i, c := range columns {
			kind := c.kind
			if kind == "instant" {
				kind = "bigint"
			}
			arrays[i], names[i] = param(kind+"[]"), c.name
		}
		return "unnest(" + strings.Join(arrays, ", ") + ") AS u (" + strings.Join(names, ", ") + ")"
	}
	value := func(c pgColumn) string {
		if c.kind == "instant" {
			return pgInstant("u." + c.name)
		}
		return "u." + c.name
	}
	each := func(columns []pgColumn, show func(pgColumn) string) string {
		parts := make([]string, len(columns))
		for i, c := range columns {
			parts[i] = show(c)
		}
		return strings.Join(parts, ", ")
	}
	counts, taken := "", "ARRAY[]::bigint[]"
	parts := []string{"fence AS (SELECT 1 FROM master WHERE name = $1 AND epoch = $2 FOR SHARE)"}
	if shape.commands {
		parts = append(parts, "taken AS (DELETE FROM command c USING fence WHERE c.id = ANY ("+param("bigint[]")+") RETURNING c.id)")
		counts, taken = " AND (u.command = 0 OR u.command IN (SELECT id FROM taken))", "ARRAY (SELECT id FROM taken)"
	}
	if shape.inserts {
		identity, state := shape.columns(true)
		all := slices.Concat(identity, state)
		parts = append(parts, "inserted AS (INSERT INTO task_instance ("+each(all, func(c pgColumn) string { return c.name })+") SELECT "+
			each(all, value)+" FROM "+rows(all)+", fence WHERE TRUE"+counts+" ON CONFLICT (id) DO UPDATE SET "+
			each(state, func(c pgColumn) string { return c.name + " = EXCLUDED." + c.name })+")")
	}
	assign := func(c pgColumn) string { return c.name + " = " + value(c) }
	if shape.updates {
		_, state := shape.columns(false)
		parts = append(parts, "updated AS (UPDATE task_instance t SET "+each(state, assign)+" FROM "+
			rows(slices.Concat(pgAttemptIdentity[:1], state))+", fence WHERE t.id = u.id"+counts+")")
	}
	if shape.runs {
		parts = append(parts, `runs AS (UPDATE workflow_instance w SET
			state = CASE WHEN u.state = 'RUNNING_EXECUTION' AND w.state IN ('READY_STOP', 'READY_PAUSE') THEN w.state ELSE u.state END,
			state_history = u.state_history, message = u.message, end_time = `+pgInstant("u.end_time")+`,
			var_pool = CASE WHEN u.finished THEN u.var_pool ELSE w.var_pool END,
			owner = $1, owner_epoch = u.epoch, host = $1, updated_at = `+pgInstant(param("bigint"))+`
			FROM `+rows(pgRun)+`, fence WHERE w.id = u.id`+counts+`)`)
	}
	return "WITH " + strings.Join(parts, ",\n") + "\nSELECT (SELECT count(*) FROM fence), " + taken
}

// pgInstant turns a bigint of milliseconds, 0 for none, into an instant. A double holds these exactly to the microsecond.
func pgInstant(column string) string { return "to_timestamp(NULLIF(" + column + ", 0)::float8 / 1000)" }

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// save implements saver.
func (s *postgresSaver) save(ctx context.Context, w *db.Writer, g *group, now time.Time) (taken map[int64]bool, err error) {
	do := w.Do
	if len(g.extras) > 0 {
		do = w.Tx
	}
	err = do(ctx, func(conn *sql.Conn) error {
		if s.planned != conn {
			if _, err := conn.ExecContext(ctx, postgresPlans); err != nil {
				return fmt.Errorf("set up the committer's connection: %w", err)
			}
			s.planned = conn
		}
		shape := g.shape()
		text := s.statements[shape]
		if text == "" {
			text = pgStatement(shape)
			s.statements[shape] = text
		}
		stmt, err := w.Stmt(ctx, text)
		if err != nil {
			return fmt.Errorf("prepare the save: %w", err)
		}
		if taken, err = s.write(ctx, stmt, g, shape, now); err != nil {
			return err
		}
		return g.saveExtras(ctx, w, taken)
	})
	if err != nil && len(g.extras) > 0 {
		s.planned = nil // what was set in a transaction that is rolled back is set no more
	}
	return taken, err
}

// saveExtras carries out what few changes need, within the transaction of their group.
func (g *group) saveExtras(ctx context.Context, w *db.Writer, taken map[int64]bool) error {
	for i := range g.extras {
		x := &g.extras[i]
		if x.command != 0 && !taken[x.command] {
			continue
		}
		stmt, err := w.Stmt(ctx, x.query)
		if err != nil {
			return err
		}
		if _, err := stmt.ExecContext(ctx, x.args...); err != nil {
			return err
		}
	}
	return nil
}

func (s *postgresSaver) write(ctx context.Context, stmt *sql.Stmt, g *group, shape pgShape, now time.Time) (map[int64]bool, error) {
	args := make([]any, 0, 64)
	args = append(args, s.name, s.epoch)
	if shape.commands {
		commands := make([]int64, len(g.commands))
		for i, c := range g.commands {
			commands[i] = c.id
		}
		args = append(args, pq.Array(commands))
	}
	if shape.inserts {
		args = pgAttempts(args, g.attempts, true, shape)
	}
	if shape.updates {
		args = pgAttempts(args, g.attempts, false, shape)
	}
	if shape.runs {
		args = pgRuns(append(args, millis(now)), g.runs, shape.commands)
	}
	var fenced int64
	var ids pq.Int64Array
	if err := stmt.QueryRowContext(ctx, args...).Scan(&fenced, &ids); err != nil {
		return nil, err
	}
	if fenced == 0 {
		return nil, errFenced
	}
	taken := make(map[int64]bool, len(ids))
	for _, id := range ids {
		taken[id] = true
	}
	return taken, nil
}

// pgAttempts appends the columns of the new attempts (insert) or of the known ones.
func pgAttempts(args []any, rows []groupedAttempt, insert bool, shape pgShape) []any {
	var id, run, project, taskCode, taskVersion, number, maxRetries, firstSubmit, pid, submit, due, start, end, command []int64
	var name, taskType, workerGroup, priority, host, state, logPath, executePath, appLink, varPool, message []string
	var exitCode []sql.NullInt64
	var valid []bool
	for i := range rows {
		r := &rows[i]
		if r.insert != insert {
			continue
		}
		id = append(id, r.id)
		if insert {
			run, project, taskCode = append(run, r.run), append(project, r.project), append(taskCode, r.taskCode)
			taskVersion, name, taskType = append(taskVersion, int64(r.taskVersion)), append(name, r.name), append(taskType, r.taskType)
			number, maxRetries = append(number, int64(r.number)), append(maxRetries, int64(r.maxRetries))
			workerGroup, priority = append(workerGroup, r.workerGroup), append(priority, r.priority)
			firstSubmit = append(firstSubmit, millis(r.firstSubmit))
		}
		host, state, valid, pid = append(host, r.host), append(state, r.state), append(valid, r.valid), append(pid, int64(r.pid))
		code := sql.NullInt64{}
		if r.exitCode != nil {
			code = sql.NullInt64{Int64: int64(*r.exitCode), Valid: true}
		}
		exitCode, logPath, executePath = append(exitCode, code), append(logPath, r.logPath), append(executePath, r.executePath)
		appLink, varPool, message = append(appLink, r.appLink), append(varPool, r.varPool), append(message, r.message)
		submit, due = append(submit, millis(r.submit)), append(due, millis(r.due))
		start, end, command = append(start, millis(r.start)), append(end, millis(r.end)), append(command, r.command)
	}
	args = append(args, pq.Array(id))
	if insert {
		args = append(args, pq.Array(run), pq.Array(project), pq.Array(taskCode), pq.Array(taskVersion), pq.Array(name), pq.Array(taskType),
			pq.Array(number), pq.Array(maxRetries), pq.Array(workerGroup), pq.Array(priority), pq.Array(firstSubmit))
	}
	if insert && shape.bareInserts {
		args = append(args, pq.Array(host), pq.Array(state), pq.Array(submit))
		if shape.commands {
			args = append(args, pq.Array(command))
		}
		return args
	}
	var last []any
	if insert && shape.wideInserts || !insert && shape.wideUpdates {
		identity, state := pgWide(rows, insert)
		if insert {
			args = append(args, identity...)
		}
		last = state
	}
	args = append(args, pq.Array(host), pq.Array(state), pq.Array(valid), pq.Array(pid), pq.Array(exitCode), pq.Array(logPath),
		pq.Array(executePath), pq.Array(appLink), pq.Array(varPool), pq.Array(message), pq.Array(submit), pq.Array(due), pq.Array(start),
		pq.Array(end))
	args = append(args, last...)
	if shape.commands {
		args = append(args, pq.Array(command))
	}
	return args
}

// pgWide are the columns that few attempts need.
func pgWide(rows []groupedAttempt, insert bool) (identity, state []any) {
	var group, rank, environment []int64
	var remembered, cacheKey []string
	for i := range rows {
		r := &rows[i]
		if r.insert != insert {
			continue
		}
		group, rank, environment = append(group, r.groupID), append(rank, int64(r.groupRank)), append(environment, r.environment)
		remembered, cacheKey = append(remembered, r.context), append(cacheKey, r.cacheKey)
	}
	return []any{pq.Array(group), pq.Array(rank), pq.Array(environment)}, []any{pq.Array(remembered), pq.Array(cacheKey)}
}

func pgRuns(args []any, rows []groupedRun, commands bool) []any {
	var id, epoch, end, command []int64
	var state, history, message, varPool []string
	var finished []bool
	for i := range rows {
		r := &rows[i]
		id, epoch, state, history = append(id, r.id), append(epoch, r.epoch), append(state, r.state), append(history, r.history)
		message, varPool, end = append(message, r.message), append(varPool, r.varPool), append(end, millis(r.end))
		finished, command = append(finished, r.finished), append(command, r.command)
	}
	args = append(args, pq.Array(id), pq.Array(epoch), pq.Array(state), pq.Array(history), pq.Array(message), pq.Array(varPool), pq.Array(end),
		pq.Array(finished))
	if commands {
		args = append(args, pq.Array(command))
	}
	return args
}
