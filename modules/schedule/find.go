package schedule

import (
	"context"
	"slices"

	"dorado/app/kit/db"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/workflow"
)

var (
	_ workflow.Follower  = (*Service)(nil)
	_ workflow.Timetable = (*Service)(nil)
)

// Search narrows the schedules of all projects that whoever acts may see. Empty fields narrow nothing.
type Search struct {
	Project  int64  // code
	Workflow string // a part of its name
	State    flow.ReleaseState
}

// Find returns limit schedules after offset, the one changed last first, with the names of their projects, and how many there
// are.
func (s *Service) Find(ctx context.Context, q Search, limit, offset int) (rows []Schedule, projects map[int64]string, total int, err error) {
	if _, err := access.Must(ctx); err != nil {
		return nil, nil, 0, err
	}
	where, args := `s.project_code > 0`, []any{}
	switch codes, all := s.Projects.Access.ProjectsOf(ctx); {
	case q.Project != 0:
		if _, err := s.Projects.Require(ctx, q.Project, Read); err != nil {
			return nil, nil, 0, err
		}
		where, args = `s.project_code = ?`, []any{q.Project}
	case all:
	default:
		codes = slices.DeleteFunc(codes, func(code int64) bool { return !s.Projects.Can(ctx, code, Read) })
		if len(codes) == 0 {
			return nil, nil, 0, nil
		}
		if where, args, err = db.In(`s.project_code IN (?)`, codes); err != nil {
			return nil, nil, 0, err
		}
	}
	hidden, more := s.Projects.Access.NotHidden(ctx, "s.workflow_code", Read)
	where, args = where+hidden, append(args, more...)
	if q.Workflow != "" {
		where, args = where+` AND `+s.DB.Dialect().Like("w.name"), append(args, db.Contains(q.Workflow))
	}
	if q.State != "" {
		where, args = where+` AND s.release_state = ?`, append(args, q.State)
	}
	if total, err = db.Get[int](ctx, s.DB, `SELECT count(*)`+tables+` WHERE `+where, args...); err != nil {
		return nil, nil, 0, err
	}
	rows, err = db.Select[Schedule](ctx, s.DB, selected+` WHERE `+where+` ORDER BY s.updated_at DESC, s.id DESC LIMIT ? OFFSET ?`, append(args, limit, offset)...)
	if err != nil {
		return nil, nil, 0, err
	}
	var of []int64
	for _, r := range rows {
		of = append(of, r.ProjectCode)
	}
	projects, err = s.Projects.Names(ctx, of)
	return rows, projects, total, err
}

// ByID is Get for a schedule of whatever project. It returns ErrNotFound, and what project.Service.Require does.
func (s *Service) ByID(ctx context.Context, id int64) (Schedule, error) {
	if _, err := access.Must(ctx); err != nil {
		return Schedule{}, err
	}
	r, err := s.store.byID(ctx, id)
	if err != nil {
		return r, err
	}
	return s.Get(ctx, r.ProjectCode, id)
}

// WorkflowTimetable shows a schedule of each workflow that has one: the one that is online, else the oldest. It is
// workflow.Timetable; whoever asks has been allowed to see the workflows.
func (s *Service) WorkflowTimetable(ctx context.Context, codes []int64) (map[int64]workflow.TimedRow, error) {
	out := make(map[int64]workflow.TimedRow, len(codes))
	for part := range slices.Chunk(codes, 500) {
		query, args, err := db.In(selected+` WHERE s.workflow_code IN (?) ORDER BY s.id`, part)
		if err != nil {
			return nil, err
		}
		rows, err := db.Select[Schedule](ctx, s.DB, query, args...)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			r := &rows[i]
			if known, ok := out[r.WorkflowCode]; !ok || r.Online() && known.State != flow.Online {
				out[r.WorkflowCode] = workflow.TimedRow{State: r.ReleaseState, Start: r.Start, End: r.End, Crontab: r.Crontab, Object: toPlain(*r, "")}
			}
		}
	}
	return out, nil
}

// WorkflowMoved takes the schedules of a workflow along into its new project. They are offline, so no clock knows them.
func (s *Service) WorkflowMoved(ctx context.Context, code, project int64) error {
	_, err := s.DB.Exec(ctx, `UPDATE schedule SET project_code = ?, revision = revision + 1 WHERE workflow_code = ?`, project, code)
	return err
}
