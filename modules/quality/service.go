package quality

import (
	"context"
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
		w.workflow_name AS workflow, t.project_code, COALESCE(p.name, '') AS project, w.executor_id AS user_id, w.executor_name AS user_name`
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
		Columns: map[string]string{"at": "r.created_at", "task": "t.name", "instance": "w.name", "rule": s.member("ruleName"), "state": state},
		Search:  []string{"t.name", "w.name", "w.workflow_name"}, Default: "-at", ID: "t.id",
		Filters: map[string]string{
			"rule": s.member("ruleName"), "type": kind.String(), "state": state, "project": "CAST(t.project_code AS TEXT)",
		},
	}
}

// Results is one page of the results of projects whose runs whoever acts may see.
func (s *Service) Results(ctx context.Context, q listing.Query, during Range) (listing.Page[Result], error) {
	if err := s.access.Require(ctx, View); err != nil {
		return listing.Page[Result]{}, err
	}
	more := []crud.Condition{{SQL: "r.kind = ?", Args: []any{dataquality.Type}}}
	hidden, denied := s.access.NotHidden(ctx, "w.workflow_code", instance.Read)
	if hidden != "" {
		more = append(more, crud.Condition{SQL: "1 = 1" + hidden, Args: denied})
	}
	if codes, all := s.access.ProjectsWith(ctx, instance.Read); !all {
		if len(codes) == 0 {
			return listing.NewPage[Result](q, nil, 0), nil
		}
		within, args, err := db.In("t.project_code IN (?)", codes)
		if err != nil {
			return listing.Page[Result]{}, err
		}
		more = append(more, crud.Condition{SQL: within, Args: args})
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
