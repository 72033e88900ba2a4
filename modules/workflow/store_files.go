package workflow

import (
	"context"
	"strings"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// nameFiles writes which files of the resource center the changed tasks name, in place of what they and the removed ones
// named before.
func (s store) nameFiles(ctx context.Context, workflow int64, changed []flow.Task, removed []int64) error {
	codes := append([]int64(nil), removed...)
	for i := range changed {
		codes = append(codes, changed[i].Code)
	}
	for len(codes) > 0 {
		n := min(len(codes), mirrorRows)
		query, args, err := db.In(`DELETE FROM task_resource WHERE workflow_code = ? AND task_code IN (?)`, workflow, codes[:n])
		if err == nil {
			_, err = s.db.Exec(ctx, query, args...)
		}
		if err != nil {
			return wrap(err, "forget files of tasks")
		}
		codes = codes[n:]
	}
	for i := range changed {
		for _, name := range flow.ResourceNames(changed[i].Params) {
			_, err := s.db.Exec(ctx, `INSERT INTO task_resource (workflow_code, task_code, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
				workflow, changed[i].Code, flow.ResourceName(flow.ParseResource(name)))
			if err != nil {
				return wrap(err, "write files of tasks")
			}
		}
	}
	return nil
}

// fileUse is a task that names a file.
type fileUse struct {
	Name     string `db:"name"`
	Workflow string `db:"workflow"`
	Task     string `db:"task"`
	Code     int64  `db:"code"`
	Project  int64  `db:"project_code"`
}

// fileUses lists tasks of current versions that name a file or what lies below a folder. A name without a tenant may mean
// anybody's.
func (s store) fileUses(ctx context.Context, name string, limit int) ([]fileUse, error) {
	_, path, _ := strings.Cut(name, "/")
	anybody := flow.ResourceName("", path)
	below := func(n string) []any { return []any{n, len([]rune(n)) + 1, n + "/"} }
	return db.Select[fileUse](ctx, s.db, `SELECT r.name, w.name AS workflow, COALESCE(t.name, '') AS task, w.code, w.project_code
		FROM task_resource r JOIN workflow_definition w ON w.code = r.workflow_code LEFT JOIN task_definition t ON t.code = r.task_code
		WHERE r.name = ? OR substr(r.name, 1, ?) = ? OR r.name = ? OR substr(r.name, 1, ?) = ? ORDER BY w.name, t.name LIMIT ?`,
		append(append(below(name), below(anybody)...), limit)...)
}
