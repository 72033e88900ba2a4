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
	name    string
	epoch   int64
	plans   map[pgShape]pgPlan
	planned *sql.Conn // the connection whose planner is set up
}

// Point updates by key must never be planned as a scan, which a fresh or fast-growing table invites.
const postgresPlans = `SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan`

// pgKind is what the database makes of a value. All but texts travel as numbers.
type pgKind int

const (
	pgText    pgKind = iota
	pgBigint         // as it is
	pgInt            // an integer
	pgMaybe          // an integer, or NULL for pgNull
	pgBool           // 0 is false
	pgInstant        // milliseconds; 0 is NULL
)

const (
	pgNull    = -1 << 40  // no exit code, which has 32 bits
	pgCommand = "command" // the column that no table has: what the row depends on
)

// pgColumn is one column of the rows of a save, and how its value is read from what the engine has.
type pgColumn[R any] struct {
	name   string
	kind   pgKind
	number func(*R) int64
	text   func(*R) string // of pgText
}

var (
	pgAttemptIdentity = []pgColumn[groupedAttempt]{
		{name: "id", kind: pgBigint, number: func(r *groupedAttempt) int64 { return r.id }},
		{name: "workflow_instance_id", kind: pgBigint, number: func(r *groupedAttempt) int64 { return r.run }},
		{name: "project_code", kind: pgBigint, number: func(r *groupedAttempt) int64 { return r.project }},
		{name: "task_code", kind: pgBigint, number: func(r *groupedAttempt) int64 { return r.taskCode }},
		{name: "task_version", kind: pgInt, number: func(r *groupedAttempt) int64 { return int64(r.taskVersion) }},
		{name: "name", text: func(r *groupedAttempt) string { return r.name }},
		{name: "task_type", text: func(r *groupedAttempt) string { return r.taskType }},
		{name: "attempt", kind: pgInt, number: func(r *groupedAttempt) int64 { return int64(r.number) }},
		{name: "max_retry_times", kind: pgInt, number: func(r *groupedAttempt) int64 { return int64(r.maxRetries) }},
		{name: "worker_group", text: func(r *groupedAttempt) string { return r.workerGroup }},
		{name: "priority", text: func(r *groupedAttempt) string { return r.priority }},
		{name: "first_submit_time", kind: pgInstant, number: func(r *groupedAttempt) int64 { return millis(r.firstSubmit) }},
	}
	// pgAttemptBare is what an attempt has that is on its way to a worker, or waits; the rest is as the table's defaults say.
	pgAttemptBare = []pgColumn[groupedAttempt]{
		{name: "host", text: func(r *groupedAttempt) string { return r.host }},
		{name: "state", text: func(r *groupedAttempt) string { return r.state }},
		{name: "submit_time", kind: pgInstant, number: func(r *groupedAttempt) int64 { return millis(r.submit) }},
	}
	// pgAttemptRest is what it has besides, once it is under way or over.
	pgAttemptRest = []pgColumn[groupedAttempt]{
		{name: "valid", kind: pgBool, number: func(r *groupedAttempt) int64 { return pgTruth(r.valid) }},
		{name: "pid", kind: pgInt, number: func(r *groupedAttempt) int64 { return int64(r.pid) }},
		{name: "exit_code", kind: pgMaybe, number: func(r *groupedAttempt) int64 {
			if r.exitCode == nil {
				return pgNull
			}
			return int64(*r.exitCode)
		}},
		{name: "log_path", text: func(r *groupedAttempt) string { return r.logPath }},
		{name: "execute_path", text: func(r *groupedAttempt) string { return r.executePath }},
		{name: "app_link", text: func(r *groupedAttempt) string { return r.appLink }},
		{name: "var_pool", text: func(r *groupedAttempt) string { return r.varPool }},
		{name: "message", text: func(r *groupedAttempt) string { return r.message }},
		{name: "due_time", kind: pgInstant, number: func(r *groupedAttempt) int64 { return millis(r.due) }},
		{name: "start_time", kind: pgInstant, number: func(r *groupedAttempt) int64 { return millis(r.start) }},
		{name: "end_time", kind: pgInstant, number: func(r *groupedAttempt) int64 { return millis(r.end) }},
	}
	// What few attempts need.
	pgIdentityWide = []pgColumn[groupedAttempt]{
		{name: "task_group_id", kind: pgBigint, number: func(r *groupedAttempt) int64 { return r.groupID }},
		{name: "task_group_priority", kind: pgInt, number: func(r *groupedAttempt) int64 { return int64(r.groupRank) }},
		{name: "environment_code", kind: pgBigint, number: func(r *groupedAttempt) int64 { return r.environment }},
	}
	pgStateWide = []pgColumn[groupedAttempt]{
		{name: "context", text: func(r *groupedAttempt) string { return r.context }},
		{name: "cache_key", text: func(r *groupedAttempt) string { return r.cacheKey }},
	}
	pgAttemptCommand = []pgColumn[groupedAttempt]{
		{name: pgCommand, kind: pgBigint, number: func(r *groupedAttempt) int64 { return r.command }},
	}

	pgRun = []pgColumn[groupedRun]{
		{name: "id", kind: pgBigint, number: func(r *groupedRun) int64 { return r.id }},
		{name: "epoch", kind: pgBigint, number: func(r *groupedRun) int64 { return r.epoch }},
		{name: "state", text: func(r *groupedRun) string { return r.state }},
		{name: "state_history", text: func(r *groupedRun) string { return r.history }},
		{name: "message", text: func(r *groupedRun) string { return r.message }},
		{name: "var_pool", text: func(r *groupedRun) string { return r.varPool }},
		{name: "end_time", kind: pgInstant, number: func(r *groupedRun) int64 { return millis(r.end) }},
		{name: "finished", kind: pgBool, number: func(r *groupedRun) int64 { return pgTruth(r.finished) }},
	}
	pgRunCommand = []pgColumn[groupedRun]{
		{name: pgCommand, kind: pgBigint, number: func(r *groupedRun) int64 { return r.command }},
	}
)

func pgTruth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// pgRows is a table of the statement, u, made of parameters: all numbers of its rows, one row after the other, in one array,
// and an array for each column of texts. To the server a column that is an array of its own costs as much as the write itself,
// and a text in the midst of an array can only be found by passing those before it.
type pgRows[R any] struct {
	columns        []pgColumn[R]
	numbers, texts int
}

func newPgRows[R any](columns []pgColumn[R]) pgRows[R] {
	t := pgRows[R]{columns: columns}
	for _, c := range columns {
		if c.kind == pgText {
			t.texts++
		} else {
			t.numbers++
		}
	}
	return t
}

// sql returns what follows FROM, and the expression for each column.
func (t pgRows[R]) sql(param func(kind string) string) (from string, values map[string]string) {
	values = make(map[string]string, len(t.columns))
	numbers, nth := param("bigint[]"), 0
	var arrays, names []string
	for _, c := range t.columns {
		if c.kind == pgText {
			arrays, names = append(arrays, param("text[]")), append(names, c.name)
			values[c.name] = "u." + c.name
			continue
		}
		nth++
		values[c.name] = c.kind.sql(fmt.Sprintf("(%s)[(u.nth - 1) * %d + %d]", numbers, t.numbers, nth))
	}
	return "unnest(" + strings.Join(arrays, ", ") + ") WITH ORDINALITY AS u (" + strings.Join(names, ", ") + ", nth)", values
}

// sql makes a value of the kind from a number.
func (k pgKind) sql(number string) string {
	switch k {
	case pgInt:
		return number + "::int"
	case pgMaybe:
		return fmt.Sprintf("NULLIF(%s, %d)::int", number, int64(pgNull))
	case pgBool:
		return "(" + number + " <> 0)"
	case pgInstant: // a double holds milliseconds exactly
		return "to_timestamp(NULLIF(" + number + ", 0)::float8 / 1000)"
	case pgBigint, pgText:
	}
	return number
}

// args are the parameters of rows, in the order in which sql asks for them.
func (t pgRows[R]) args(rows []*R) []any {
	numbers := make([]int64, 0, t.numbers*len(rows))
	for _, r := range rows {
		for i := range t.columns {
			if c := &t.columns[i]; c.kind != pgText {
				numbers = append(numbers, c.number(r))
			}
		}
	}
	args := make([]any, 1, 1+t.texts)
	args[0] = pq.Int64Array(numbers)
	for i := range t.columns {
		c := &t.columns[i]
		if c.kind != pgText {
			continue
		}
		texts := make([]string, len(rows))
		for j, r := range rows {
			texts[j] = c.text(r)
		}
		args = append(args, pq.StringArray(texts))
	}
	return args
}

// pgShape says which parts a group has. What is not there is left out of the statement: to a lone hop of a chain, the end
// of one attempt and the beginning of the next, the unused parts would be half of its time.
type pgShape struct {
	commands, inserts, wideInserts, bareInserts, updates, wideUpdates, runs bool
	again                                                                   bool // some of the new rows may be there
}

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

// attempts are the tables of new attempts and of known ones, without what nobody in the group needs; state are the columns that
// change later.
func (s pgShape) attempts(insert bool) (rows pgRows[groupedAttempt], state []pgColumn[groupedAttempt]) {
	identity, state := pgAttemptIdentity, pgAttemptBare
	if !insert || !s.bareInserts {
		state = slices.Concat(state, pgAttemptRest)
	}
	switch {
	case insert && s.bareInserts:
	case insert && s.wideInserts:
		identity, state = slices.Concat(identity, pgIdentityWide), slices.Concat(state, pgStateWide)
	case !insert && s.wideUpdates:
		state = slices.Concat(state, pgStateWide)
	}
	if !insert {
		identity = identity[:1]
	}
	all := slices.Concat(identity, state)
	if s.commands {
		all = append(all, pgAttemptCommand...)
	}
	return newPgRows(all), state
}

func (s pgShape) runRows() pgRows[groupedRun] {
	columns := pgRun
	if s.commands {
		columns = slices.Concat(columns, pgRunCommand)
	}
	return newPgRows(columns)
}

// pgPlan is what a save of a shape needs.
type pgPlan struct {
	text             string
	inserts, updates pgRows[groupedAttempt]
	runs             pgRows[groupedRun]
}

// plan makes the one statement of a save. Its parameters: the master's name and epoch; the commands; the tables of new
// attempts and of known ones; now, and the table of runs. With commands, a row of these tables counts only if its command was
// taken; 0 = always.
func (s pgShape) plan() pgPlan {
	var p pgPlan
	last := 2
	param := func(kind string) string {
		last++
		return fmt.Sprintf("$%d::%s", last, kind)
	}
	each := func(columns []pgColumn[groupedAttempt], show func(name string) string) string {
		parts := make([]string, 0, len(columns))
		for _, c := range columns {
			if c.name != pgCommand {
				parts = append(parts, show(c.name))
			}
		}
		return strings.Join(parts, ", ")
	}
	taken := "ARRAY[]::bigint[]"
	parts := []string{"fence AS (SELECT 1 FROM master WHERE name = $1 AND epoch = $2 FOR SHARE)"}
	if s.commands {
		parts = append(parts, "taken AS (DELETE FROM command c USING fence WHERE c.id = ANY ("+param("bigint[]")+") RETURNING c.id)")
		taken = "ARRAY (SELECT id FROM taken)"
	}
	counts := func(values map[string]string) string {
		if !s.commands {
			return ""
		}
		return " AND (" + values[pgCommand] + " = 0 OR " + values[pgCommand] + " IN (SELECT id FROM taken))"
	}
	if s.inserts {
		rows, state := s.attempts(true)
		p.inserts = rows
		from, values := rows.sql(param)
		insert := "inserted AS (INSERT INTO task_instance (" + each(rows.columns, func(name string) string { return name }) + ") SELECT " +
			each(rows.columns, func(name string) string { return values[name] }) + " FROM " + from + ", fence WHERE TRUE" + counts(values)
		if s.again {
			insert += " ON CONFLICT (id) DO UPDATE SET " + each(state, func(name string) string { return name + " = EXCLUDED." + name })
		}
		parts = append(parts, insert+")")
	}
	if s.updates {
		rows, state := s.attempts(false)
		p.updates = rows
		from, values := rows.sql(param)
		parts = append(parts, "updated AS (UPDATE task_instance t SET "+each(state, func(name string) string { return name + " = " + values[name] })+
			" FROM "+from+", fence WHERE t.id = "+values["id"]+counts(values)+")")
	}
	if s.runs {
		now := pgInstant.sql(param("bigint"))
		p.runs = s.runRows()
		from, values := p.runs.sql(param)
		parts = append(parts, `runs AS (UPDATE workflow_instance w SET
			state = CASE WHEN u.state = 'RUNNING_EXECUTION' AND w.state IN ('READY_STOP', 'READY_PAUSE') THEN w.state ELSE u.state END,
			state_history = u.state_history, message = u.message, end_time = `+values["end_time"]+`,
			var_pool = CASE WHEN `+values["finished"]+` THEN u.var_pool ELSE w.var_pool END,
			owner = $1, owner_epoch = `+values["epoch"]+`, host = $1, updated_at = `+now+`
			FROM `+from+`, fence WHERE w.id = `+values["id"]+counts(values)+`)`)
	}
	p.text = "WITH " + strings.Join(parts, ",\n") + "\nSELECT (SELECT count(*) FROM fence), " + taken
	return p
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// save implements saver. New rows are taken for new; only where one of them is there, because the answer to an earlier try was
// lost, all is written once more by the statement that looks first, which costs a quarter more.
func (s *postgresSaver) save(ctx context.Context, w *db.Writer, g *group, now time.Time) (taken map[int64]bool, err error) {
	shape := g.shape()
	taken, err = s.saveAs(ctx, w, g, shape, now)
	if constraint, _ := db.Conflict(err); constraint == "task_instance_pkey" {
		shape.again = true
		taken, err = s.saveAs(ctx, w, g, shape, now)
	}
	return taken, err
}

func (s *postgresSaver) saveAs(ctx context.Context, w *db.Writer, g *group, shape pgShape, now time.Time) (taken map[int64]bool, err error) {
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
		plan, known := s.plans[shape]
		if !known {
			plan = shape.plan()
			s.plans[shape] = plan
		}
		stmt, err := w.Stmt(ctx, plan.text)
		if err != nil {
			return fmt.Errorf("prepare the save: %w", err)
		}
		if taken, err = s.write(ctx, stmt, g, shape, plan, now); err != nil {
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

func (s *postgresSaver) write(ctx context.Context, stmt *sql.Stmt, g *group, shape pgShape, plan pgPlan, now time.Time) (map[int64]bool, error) {
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
		args = append(args, plan.inserts.args(g.attemptsToWrite(true))...)
	}
	if shape.updates {
		args = append(args, plan.updates.args(g.attemptsToWrite(false))...)
	}
	if shape.runs {
		runs := make([]*groupedRun, len(g.runs))
		for i := range g.runs {
			runs[i] = &g.runs[i]
		}
		args = append(append(args, millis(now)), plan.runs.args(runs)...)
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

// attemptsToWrite are the new attempts (insert), or the known ones.
func (g *group) attemptsToWrite(insert bool) []*groupedAttempt {
	rows := make([]*groupedAttempt, 0, len(g.attempts))
	for i := range g.attempts {
		if g.attempts[i].insert == insert {
			rows = append(rows, &g.attempts[i])
		}
	}
	return rows
}
