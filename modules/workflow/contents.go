package workflow

import (
	"context"
	"strconv"

	"dorado/app/kit/listing"
	"dorado/modules/project"
)

var _ project.Contents = (*Service)(nil)

// WorkflowCounts returns how many workflows each of the projects has, without those that a rule hides. The project module,
// which asks, has checked that the caller may see them.
func (s *Service) WorkflowCounts(ctx context.Context, projects []int64) (map[int64]int, error) {
	hidden, args := s.Projects.Access.NotHidden(ctx, "code", Read)
	return s.store.counts(ctx, projects, hidden, args...)
}

// ProjectUses names workflows of a project, at most limit, and says how many there are. The project module, which
// asks, has checked that the caller may see the project.
func (s *Service) ProjectUses(ctx context.Context, projectCode int64, limit int) ([]project.Use, int, error) {
	counts, err := s.store.counts(ctx, []int64{projectCode}, "")
	if err != nil || counts[projectCode] == 0 {
		return nil, 0, err
	}
	names, err := s.store.names(ctx, projectCode, limit)
	uses := make([]project.Use, len(names))
	for i, w := range names {
		uses[i] = project.Use{Name: w.Name, URL: address(projectCode, w.Code)}
	}
	return uses, counts[projectCode], err
}

// RecentWorkflows returns the workflows of a project that changed last, to whoever may read them.
func (s *Service) RecentWorkflows(ctx context.Context, projectCode int64, limit int) ([]project.Recent, error) {
	page, err := s.List(ctx, projectCode, listing.New(Spec(), 1, limit, ""))
	out := make([]project.Recent, len(page.Items))
	for i, w := range page.Items {
		out[i] = project.Recent{
			Name: w.Name, URL: address(projectCode, w.Code), State: string(w.ReleaseState), Tasks: w.TaskCount, Modifier: w.ModifierName, At: w.UpdatedAt,
		}
	}
	return out, err
}

// MayCreate reports whether whoever acts may create a workflow in the project.
func (s *Service) MayCreate(ctx context.Context, projectCode int64) bool {
	return s.Projects.Can(ctx, projectCode, Edit)
}

// listAddress is the page of a project's workflows.
func listAddress(projectCode int64) string {
	return "/projects/" + strconv.FormatInt(projectCode, 10) + "/workflows"
}

// address is the page of a workflow.
func address(projectCode, code int64) string {
	return listAddress(projectCode) + "/" + strconv.FormatInt(code, 10)
}
