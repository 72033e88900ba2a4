package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"dorado/e2e/harness"
)

// mixedTasks are the tasks of one run of B5 that are processes: one branch of two does not run.
const mixedTasks = 23

// mixedGraph is a workflow of 25 tasks: a chain of 5 that passes a parameter on, a diamond, ten side by side, and a
// condition that chooses three tasks and leaves one out.
func mixedGraph(script string) harness.Workflow {
	checked := `[ "${token}" = handed-on ] || exit 9; ` + script
	w := harness.Workflow{Name: "B5"}
	add := func(name, script string, after ...string) {
		w.Tasks = append(w.Tasks, harness.Task{Name: name, Script: script, After: after})
	}
	add("c1", "echo '${setValue(token=handed-on)}'; "+script)
	w.Tasks[0].Params = []harness.Property{{Prop: "token", Direct: "OUT", Type: "VARCHAR"}}
	for i := 2; i <= 5; i++ {
		add(fmt.Sprint("c", i), checked, fmt.Sprint("c", i-1))
	}
	add("d1", checked, "c5")
	add("d2", checked, "d1")
	add("d3", checked, "d1")
	add("d4", checked, "d2", "d3")
	var all []string
	for i := range 10 {
		all = append(all, fmt.Sprint("w", i))
		add(all[i], checked, "d4")
	}
	w.Tasks = append(w.Tasks, harness.Task{Name: "cond", Type: "CONDITIONS", After: all, Settings: func(code map[string]int64) map[string]any {
		return map[string]any{
			"dependence": map[string]any{"relation": "AND", "dependTaskList": []any{map[string]any{
				"relation":       "AND",
				"dependItemList": []any{map[string]any{"depTaskCode": code["w0"], "status": "SUCCESS"}},
			}}},
			"conditionResult": map[string]any{"successNode": []int64{code["s1"]}, "failedNode": []int64{code["f1"]}},
		}
	}})
	add("s1", checked, "cond")
	add("s2", checked, "s1")
	add("s3", checked, "s2")
	add("f1", checked, "cond")
	add("end", checked, "s3", "f1")
	return w
}

// mixed is B5: many runs of a graph of many shapes.
func mixed(ctx context.Context, s *Suite) (Result, error) {
	runs := s.o.size(3, 60, 200)
	n := runs * mixedTasks
	r := Result{Each: runs * 25, Size: fmt.Sprintf("%d runs × 25 tasks", runs)}
	w, err := s.shared(ctx)
	if err != nil {
		return r, err
	}
	l, err := newLedger(filepath.Join(s.dir, "b5"))
	if err != nil {
		return r, err
	}
	d, err := w.Client.Publish(ctx, w.Project, mixedGraph(l.Line(taskID)))
	if err != nil {
		return r, err
	}
	round := 0
	pairs, err := s.pairs(ctx, w,
		func() (float64, error) {
			round++
			if l, err = newLedger(l.Path); err != nil {
				return 0, err
			}
			dir := filepath.Join(s.dir, fmt.Sprintf("raw-b5-%d", round))
			raw, err := rawLoop(ctx, w.Shell, n, lanes(), dir, func(i int) string { return l.Line(strconv.Itoa(i)) })
			if err != nil {
				return 0, err
			}
			return float64(n) / raw.Wall.Seconds(), l.check(n, nil)
		},
		func() (float64, error) {
			if l, err = newLedger(l.Path); err != nil {
				return 0, err
			}
			began := time.Now()
			for range runs {
				if _, err := w.start(ctx, d.Code, false); err != nil {
					return 0, err
				}
			}
			if err := l.await(ctx, n); err != nil {
				return 0, err
			}
			if err := w.settled(ctx, d.Code); err != nil {
				return 0, err
			}
			wall := time.Since(began)
			return float64(n) / wall.Seconds(), errors.Join(l.check(n, nil), w.quiet(ctx))
		})
	if err != nil {
		return r, err
	}
	r.summarise(pairs, true)
	r.Value = fmt.Sprintf("%.0f tasks/s", median(values(pairs, func(p pair) float64 { return p.ours.Value })))
	r.Raw = fmt.Sprintf("%.0f tasks/s", median(values(pairs, func(p pair) float64 { return p.raw.Value })))
	r.bar("0.80", r.Ratio.Median >= 0.80)
	return r, nil
}

// switches is a workflow of chains of SWITCH tasks. Each chain ends in a forbidden task, since a branch has to lead
// somewhere.
func switches(chains, length int) harness.Workflow {
	w := harness.Workflow{Name: "B6"}
	for c := range chains {
		name := func(i int) string { return fmt.Sprintf("s%d-%d", c, i) }
		for i := range length {
			t := harness.Task{Name: name(i), Type: "SWITCH", Settings: func(code map[string]int64) map[string]any {
				next := code[name(i+1)]
				return map[string]any{"switchResult": map[string]any{
					"dependTaskList": []any{map[string]any{"condition": "1 + 1 == 2", "nextNode": next}}, "nextNode": next,
				}}
			}}
			if i > 0 {
				t.After = []string{name(i - 1)}
			}
			w.Tasks = append(w.Tasks, t)
		}
		w.Tasks = append(w.Tasks, harness.Task{Name: name(length), Script: "true", Flag: "NO", After: []string{name(length - 1)}})
	}
	return w
}

// logicOnly is B6: tasks that are decided in the master and start no process. Its denominator writes rows as wide as theirs
// in groups, on one connection.
func logicOnly(ctx context.Context, s *Suite) (Result, error) {
	chains, runs := s.o.size(2, 100, 100), s.o.size(1, 5, 5)
	const length = 100
	n := runs * chains * length
	r := Result{Size: fmt.Sprintf("%d runs × %d tasks", runs, chains*length)}
	w, err := s.shared(ctx)
	if err != nil {
		return r, err
	}
	d, err := w.Client.Publish(ctx, w.Project, switches(chains, length))
	if err != nil {
		return r, err
	}
	if _, err := w.start(ctx, d.Code, true); err != nil { // so that the denominator has a row to copy, and the graph is cached
		return r, err
	}
	pairs, err := s.pairs(ctx, w,
		func() (float64, error) {
			wall, err := w.groupedInserts(ctx, n)
			return float64(n) / wall.Seconds(), err
		},
		func() (float64, error) {
			began := time.Now()
			for range runs {
				if _, err := w.start(ctx, d.Code, false); err != nil {
					return 0, err
				}
			}
			if err := w.settled(ctx, d.Code); err != nil {
				return 0, err
			}
			wall := time.Since(began)
			return float64(n) / wall.Seconds(), errors.Join(w.countLogic(ctx, d.Code, chains*length), w.quiet(ctx))
		})
	if err != nil {
		return r, err
	}
	r.summarise(pairs, true)
	r.CPU = spread{} // the denominator's work is done by the database server
	speed := median(values(pairs, func(p pair) float64 { return p.ours.Value }))
	r.Value = fmt.Sprintf("%.0f tasks/s", speed)
	r.Raw = fmt.Sprintf("%.0f rows/s", median(values(pairs, func(p pair) float64 { return p.raw.Value })))
	r.bar("0.35 and 20000/s", r.Ratio.Median >= 0.35 && speed >= 20_000)
	return r, nil
}

// countLogic checks that every run of a workflow has one successful row for each of its tasks.
func (w *World) countLogic(ctx context.Context, code int64, each int) error {
	db, err := w.open()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	query := fmt.Sprintf(`SELECT count(*) FROM (SELECT i.id FROM workflow_instance i JOIN task_instance t ON t.workflow_instance_id = i.id
		WHERE i.workflow_code = %d GROUP BY i.id
		HAVING count(*) <> %d OR count(DISTINCT t.task_code) <> %d OR sum(CASE WHEN t.state = 'SUCCESS' THEN 0 ELSE 1 END) <> 0) AS odd`, code, each, each)
	var odd int
	if err := db.QueryRowContext(ctx, query).Scan(&odd); err != nil {
		return err
	}
	if odd > 0 {
		return fmt.Errorf("%d runs do not have exactly one successful row for each task", odd)
	}
	return nil
}

// insertGroup is how many rows the denominator of B6 writes at once.
const insertGroup = 400

// groupedInserts writes n rows like those of task_instance, a group a commit, and returns how long that took. The rows
// go to a table of the same columns and indexes.
func (w *World) groupedInserts(ctx context.Context, n int) (time.Duration, error) {
	var db *sql.DB
	var err error
	create := []string{`DROP TABLE IF EXISTS bench_rows`}
	if w.Worker != nil {
		create = append(create, `CREATE TABLE bench_rows (LIKE task_instance INCLUDING ALL)`)
		db, err = sql.Open("postgres", w.DB)
	} else { // a file of its own beside the product's, under the same rules of durability
		create = append(create, `CREATE TABLE bench_rows AS SELECT * FROM product.task_instance LIMIT 0`, `CREATE UNIQUE INDEX bench_rows_id ON bench_rows (id)`,
			`CREATE INDEX bench_rows_run ON bench_rows (workflow_instance_id)`, `CREATE INDEX bench_rows_project ON bench_rows (project_code, submit_time)`)
		db, err = sql.Open("sqlite", "file:"+w.DB+".bench?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	source := "task_instance"
	if w.Worker == nil {
		source = "product.task_instance"
		if _, err := conn.ExecContext(ctx, `ATTACH DATABASE ? AS product`, w.DB); err != nil {
			return 0, err
		}
	}
	for _, stmt := range create {
		if _, err := conn.ExecContext(ctx, stmt); err != nil {
			return 0, err
		}
	}
	columns, sample, err := sampleRow(ctx, conn, source)
	if err != nil {
		return 0, err
	}
	insert, args, idAt := wideInsert(w.Worker != nil, columns, sample)
	stmt, err := conn.PrepareContext(ctx, insert)
	if err != nil {
		return 0, err
	}
	defer func() { _ = stmt.Close() }()
	began := time.Now()
	for at := 0; at < n; at += insertGroup {
		for i := range insertGroup {
			args[i*len(columns)+idAt] = int64(at + i)
		}
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// sampleRow reads the newest row of a table.
func sampleRow(ctx context.Context, conn *sql.Conn, table string) (columns []string, values []any, err error) {
	rows, err := conn.QueryContext(ctx, `SELECT * FROM `+table+` ORDER BY id DESC LIMIT 1`) //nolint:gosec // a constant of this file
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	if columns, err = rows.Columns(); err != nil {
		return nil, nil, err
	}
	if !rows.Next() {
		return nil, nil, errors.Join(errors.New("no row to copy"), rows.Err())
	}
	values = make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, nil, err
	}
	for i, v := range values {
		if raw, ok := v.([]byte); ok {
			values[i] = string(raw)
		}
	}
	return columns, values, rows.Err()
}

// wideInsert returns a statement that inserts a group of rows, its arguments, and which column is the id.
func wideInsert(numbered bool, columns []string, sample []any) (query string, args []any, idAt int) {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO bench_rows (%s) VALUES ", strings.Join(columns, ", "))
	for row := range insertGroup {
		if row > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for i, name := range columns {
			if i > 0 {
				b.WriteByte(',')
			}
			if name == "id" {
				idAt = i
			}
			if numbered {
				fmt.Fprintf(&b, "$%d", row*len(columns)+i+1)
			} else {
				b.WriteByte('?')
			}
			args = append(args, sample[i])
		}
		b.WriteByte(')')
	}
	return b.String(), args, idAt
}
