package instance

import (
	"context"
	"slices"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/access"
	"dorado/modules/flow"
)

// Failed is a run that failed and that nobody has recovered or run again since, or a streaming task that failed and that nobody
// has started again since.
type Failed struct {
	Instance
	Tasks   []string // that failed for good, at most three
	attempt int64    // of a streaming task: the one that failed; 0 when none was begun
	logged  bool     // there is something to read
}

// Title is the name of the run; that of the task for a streaming task.
func (f *Failed) Title() string {
	if f.Stream && len(f.Tasks) > 0 {
		return f.Tasks[0]
	}
	return f.Name
}

// At is when it failed.
func (f *Failed) At() time.Time {
	if f.EndTime != nil {
		return *f.EndTime
	}
	return f.Began()
}

// URL is the page of the run. The run of a streaming task is nobody's to see: it is that of the attempt, or the list of streaming
// tasks when none was begun.
func (f *Failed) URL() string {
	switch {
	case f.Stream && f.attempt == 0:
		return streamsAddress(f.ProjectCode)
	case f.Stream:
		return taskAddress(f.ProjectCode, f.attempt)
	}
	return address(f.ProjectCode, f.ID)
}

// LogURL is the page of what the failed tasks wrote; "" when there is none.
func (f *Failed) LogURL() string {
	switch {
	case !f.logged:
		return ""
	case f.Stream:
		return f.URL() + "/log"
	}
	return f.URL() + "/logs"
}

// OperateURL takes what is to be done with the run, as a form; "" for a streaming task, which is not gone on with.
func (f *Failed) OperateURL() string {
	if f.Stream {
		return ""
	}
	return f.URL() + "/operate"
}

// FailedSince lists limit runs that began since then and failed, and streaming tasks that failed since then, whenever they began,
// in all projects that whoever acts may see, the latest failure first; with mine only those that are run in his name.
func (s *Service) FailedSince(ctx context.Context, since time.Time, mine bool, limit int) ([]Failed, error) {
	who, err := access.Must(ctx)
	if err != nil {
		return nil, err
	}
	within, args, err := inProjects(s.Access.ProjectsWith(ctx, Read))
	if err != nil {
		return nil, err
	}
	hidden, more := s.Access.NotHidden(ctx, "w.workflow_code", Read)
	where := `w.` + within + ` AND w.state = ?` + hidden
	args = slices.Concat(args, []any{flow.WorkflowFailure}, more)
	if mine {
		where, args = where+` AND w.executor_id = ?`, append(args, who.UserID)
	}
	runs, err := s.store.some(ctx, where+` AND w.start_time >= ? AND w.is_sub_workflow = ?`, append(slices.Clip(args), since, false), limit)
	if err != nil {
		return nil, err
	}
	streams, err := s.store.failedStreams(ctx, where+` AND w.end_time >= ?`, append(slices.Clip(args), since), limit)
	if err != nil {
		return nil, err
	}
	out := make([]Failed, 0, len(runs)+len(streams))
	if len(runs) > 0 {
		ids := make([]int64, len(runs))
		for k := range runs {
			ids[k] = runs[k].ID
		}
		names, err := s.store.failedNames(ctx, ids)
		if err != nil {
			return nil, err
		}
		for k := range runs {
			out = append(out, Failed{Instance: runs[k], Tasks: names[runs[k].ID], logged: true})
		}
	}
	for k := range streams {
		one := &streams[k]
		f := Failed{Instance: one.Instance, attempt: one.Attempt, logged: one.LogPath != ""}
		if one.Task != "" {
			f.Tasks = []string{one.Task}
		}
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b Failed) int { return b.At().Compare(a.At()) })
	return out[:min(len(out), limit)], nil
}

// failedStream is the run of a streaming task with the attempt that failed; it has none when it failed before one was begun.
type failedStream struct {
	Instance
	Attempt int64  `db:"attempt_id"`
	Task    string `db:"task_name"`
	LogPath string `db:"attempt_log"`
}

// failedStreams lists limit runs of streaming tasks for which where holds, without those of a task that was started again since,
// the latest end first.
func (s *store) failedStreams(ctx context.Context, where string, args []any, limit int) ([]failedStream, error) {
	return db.Select[failedStream](ctx, s.db, `SELECT `+instanceColumns+`, COALESCE(t.id, 0) AS attempt_id, COALESCE(t.name, '') AS task_name,
		COALESCE(t.log_path, '') AS attempt_log FROM workflow_instance w
		LEFT JOIN task_instance t ON t.workflow_instance_id = w.id AND t.valid = ? WHERE w.stream AND `+where+`
		AND NOT EXISTS (SELECT 1 FROM workflow_instance n JOIN task_instance a ON a.workflow_instance_id = n.id
			WHERE n.stream AND n.project_code = w.project_code AND n.id > w.id AND a.task_code = t.task_code)
		ORDER BY w.end_time DESC, w.id DESC LIMIT ?`, append(append([]any{true}, args...), limit)...)
}
