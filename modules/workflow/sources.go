package workflow

import (
	"context"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// Sources knows data sources.
type Sources interface {
	// Usable returns the types of those of the data sources that whoever acts may use, by id, and the names of those that exist and
	// that he may not use.
	Usable(ctx context.Context, ids []int64) (types, denied map[int64]string, err error)
}

// nameSources notes which data sources the changed tasks name, in place of what they and the removed ones named before.
// Whoever changes a task must be allowed to use all of them: the task may do with them what it likes. Tasks that he leaves
// as they are keep what others gave them. One that does not exist is not noted, and no run of the task will get it.
func (s *Service) nameSources(ctx context.Context, workflow int64, changed []flow.Task, removed []int64) error {
	usable, err := s.mayUseSources(ctx, changed)
	if err != nil {
		return err
	}
	codes := append([]int64(nil), removed...)
	for i := range changed {
		codes = append(codes, changed[i].Code)
	}
	for len(codes) > 0 {
		n := min(len(codes), mirrorRows)
		query, args, err := db.In(`DELETE FROM task_source WHERE workflow_code = ? AND task_code IN (?)`, workflow, codes[:n])
		if err == nil {
			_, err = s.DB.Exec(ctx, query, args...)
		}
		if err != nil {
			return wrap(err, "forget data sources of tasks")
		}
		codes = codes[n:]
	}
	for i := range changed {
		for _, id := range s.Catalog.SourceIDs(changed[i].Type, changed[i].Params) {
			if _, ok := usable[id]; !ok {
				continue
			}
			_, err := s.DB.Exec(ctx, `INSERT INTO task_source (workflow_code, task_code, source_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
				workflow, changed[i].Code, id)
			if err != nil {
				return wrap(err, "write data sources of tasks")
			}
		}
	}
	return nil
}

// mayUseSources refuses tasks that name a data source which whoever acts may not use. It returns the types of the others.
func (s *Service) mayUseSources(ctx context.Context, tasks []flow.Task) (map[int64]string, error) {
	var all []int64
	for i := range tasks {
		all = append(all, s.Catalog.SourceIDs(tasks[i].Type, tasks[i].Params)...)
	}
	if len(all) == 0 || s.sources == nil {
		return nil, nil //nolint:nilnil // none is usable
	}
	usable, denied, err := s.sources.Usable(ctx, all)
	if err != nil || len(denied) == 0 {
		return usable, err
	}
	var problems []flow.Problem
	for i := range tasks {
		for _, id := range s.Catalog.SourceIDs(tasks[i].Type, tasks[i].Params) {
			if name, no := denied[id]; no {
				problems = append(problems, flow.Problem{
					TaskCode: tasks[i].Code, TaskName: tasks[i].Name, Field: "datasource", Key: "datasource.error.task_denied", Args: []any{"name", name},
					Severity: flow.SeverityError,
				})
			}
		}
	}
	return usable, refuse(problems)
}
