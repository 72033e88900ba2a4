package quality

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/instance"
	"dorado/modules/security/crud"
	dataquality "dorado/plugins/task/data_quality"
)

// Service reads results.
type Service struct {
	db     *db.DB
	access *access.Service
}

// Range narrows results to a time; zero times narrow nothing. To is not included.
type Range struct{ From, To time.Time }

const (
	columns = `t.id, t.name AS task, r.created_at, r.body, w.id AS instance_id, w.name AS instance, w.workflow_code, d.id AS workflow_id,
		w.workflow_name AS workflow, t.project_code, COALESCE(p.name, '') AS project, w.executor_id AS user_id, w.executor_name AS user_name,
		r.detail IS NOT NULL AS has_rows`
	tables = `task_result r JOIN task_instance t ON t.id = r.task_instance_id JOIN workflow_instance w ON w.id = t.workflow_instance_id
		LEFT JOIN workflow_definition d ON d.code = w.workflow_code LEFT JOIN project p ON p.code = t.project_code`
)

// member is the SQL for a member of the result, as text.
func (s *Service) member(name string) string {
	if s.db.Dialect().Name() == "postgres" {
		return "(CAST(r.body AS json) ->> '" + name + "')"
	}
	return "CAST(json_extract(r.body, '$." + name + "') AS TEXT)"
}

// spec is what the list of results can be asked for.
func (s *Service) spec() listing.Spec {
	var kind strings.Builder
	kind.WriteString("CASE " + s.member("ruleType"))
	for n, name := range types() {
		kind.WriteString(" WHEN '" + strconv.Itoa(n) + "' THEN '" + name + "'")
	}
	kind.WriteString(" ELSE '" + unknown + "' END")
	state := "CASE " + s.member("state") + " WHEN '1' THEN '" + kept + "' WHEN '2' THEN '" + broken + "' ELSE '" + unknown + "' END"
	return listing.Spec{
		Columns: map[string]string{"at": "r.created_at", "task": "t.name", "rule": s.member("ruleName"), "state": state},
		Search:  []string{"t.name", "w.name", "w.workflow_name"}, Default: "-at", ID: "t.id",
		Filters: map[string]string{
			"rule": s.member("ruleName"), "type": kind.String(), "state": state, "project": "CAST(t.project_code AS TEXT)",
		},
	}
}

// seen are the conditions of results that whoever acts may see; none reports that there are no such results.
func (s *Service) seen(ctx context.Context) (more []crud.Condition, none bool, err error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, false, err
	}
	more = []crud.Condition{{SQL: "r.kind = ?", Args: []any{dataquality.Type}}}
	hidden, denied := s.access.NotHidden(ctx, "w.workflow_code", instance.Read)
	if hidden != "" {
		more = append(more, crud.Condition{SQL: "1 = 1" + hidden, Args: denied})
	}
	codes, all := s.access.ProjectsWith(ctx, instance.Read)
	if all || len(codes) == 0 {
		return more, !all, nil
	}
	within, args, err := db.In("t.project_code IN (?)", codes)
	return append(more, crud.Condition{SQL: within, Args: args}), false, err
}

// Results is one page of the results of projects whose runs whoever acts may see.
func (s *Service) Results(ctx context.Context, q listing.Query, during Range) (listing.Page[Result], error) {
	more, none, err := s.seen(ctx)
	if err != nil || none {
		return listing.NewPage[Result](q, nil, 0), err
	}
	if !during.From.IsZero() {
		more = append(more, crud.Condition{SQL: "r.created_at >= ?", Args: []any{during.From}})
	}
	if !during.To.IsZero() {
		more = append(more, crud.Condition{SQL: "r.created_at < ?", Args: []any{during.To}})
	}
	page, err := crud.Select[Result](ctx, s.db, q, columns, tables, more...)
	for k := range page.Items {
		page.Items[k].read()
	}
	return page, err
}

// Result is what one attempt found. Errors: ErrNoResult, also for one that whoever acts may not see.
func (s *Service) Result(ctx context.Context, project, attempt int64) (Result, error) {
	more, none, err := s.seen(ctx)
	if err != nil {
		return Result{}, err
	}
	if none {
		return Result{}, ErrNoResult.With("id", attempt)
	}
	more = append(more, crud.Condition{SQL: "t.id = ? AND t.project_code = ?", Args: []any{attempt, project}})
	page, err := crud.Select[Result](ctx, s.db, listing.New(s.spec(), 1, 1, ""), columns, tables, more...)
	if err != nil {
		return Result{}, err
	}
	if len(page.Items) == 0 {
		return Result{}, ErrNoResult.With("id", attempt)
	}
	page.Items[0].read()
	return page.Items[0], nil
}

// rows are the first rows that break the rule of a result; nil when none were kept.
func (s *Service) rows(ctx context.Context, r *Result) (*dataquality.Rows, error) {
	if !r.Rows {
		return nil, nil //nolint:nilnil // nothing is broken, or an older program measured it
	}
	text, err := db.Get[string](ctx, s.db, `SELECT COALESCE(detail, '') FROM task_result WHERE task_instance_id = ?`, r.ID)
	if errors.Is(err, db.ErrNoRows) { // it was removed meanwhile
		return nil, ErrNoResult.With("id", r.ID)
	}
	if err != nil {
		return nil, err
	}
	var rows dataquality.Rows
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		return nil, nil //nolint:nilerr,nilnil // a newer program wrote it
	}
	return &rows, nil
}

// point is one value of a series.
type point struct {
	ID    int64     `db:"id"` // of the attempt
	Value string    `db:"value"`
	At    time.Time `db:"measured_at"`
	State string    `db:"state"` // "": its run is gone
}

// trend is what the task of a result measured, up to that result: the last values of the same series, oldest first.
func (s *Service) trend(ctx context.Context, r *Result, most int) ([]point, error) {
	state := "CASE " + s.member("state") + " WHEN '1' THEN '" + kept + "' WHEN '2' THEN '" + broken + "' ELSE '" + unknown + "' END"
	list, err := db.Select[point](ctx, s.db, `SELECT m.task_instance_id AS id, m.value, m.measured_at,
			CASE WHEN r.body IS NULL THEN '' ELSE `+state+` END AS state
		FROM task_measure own JOIN task_measure m ON m.workflow_code = own.workflow_code AND m.task_code = own.task_code AND m.series = own.series
			AND m.measured_at <= own.measured_at
		LEFT JOIN task_result r ON r.task_instance_id = m.task_instance_id
		WHERE own.task_instance_id = ? ORDER BY m.measured_at DESC, m.task_instance_id DESC LIMIT ?`, r.ID, most)
	slices.Reverse(list)
	return list, err
}
