package workflow

import "context"

// TakenCodes reports which of the codes a workflow or a task has already, in any project. It says no more than that,
// since a save with such a code would say as much.
func (s *Service) TakenCodes(ctx context.Context, codes []int64) (map[int64]bool, error) {
	out := make(map[int64]bool, len(codes))
	for _, query := range []string{
		`SELECT code FROM workflow_definition WHERE code IN (?)`, `SELECT code FROM task_definition WHERE code IN (?)`,
	} {
		taken, err := selectIn[int64](ctx, s.store.db, query, codes)
		if err != nil {
			return nil, wrap(err, "look for codes")
		}
		for _, code := range taken {
			out[code] = true
		}
	}
	return out, nil
}
