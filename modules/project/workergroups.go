package project

import (
	"context"
	"slices"
	"strings"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/modules/security/crud"
)

// defaultGroup is the worker group that every project may use.
const defaultGroup = "default"

// Faults about the worker groups of a project.
var (
	ErrGroupsEmpty   = fault.New(fault.Invalid, "project.groups.error.empty")
	ErrGroupsUnknown = fault.New(fault.Invalid, "project.groups.error.unknown")
	ErrGroupsUsed    = fault.New(fault.Conflict, "project.groups.error.used")
)

// GroupUsers knows which worker groups the workflows, schedules and instances of a project name.
type GroupUsers interface {
	// ProjectGroups lists the worker groups that something in the project asks for.
	ProjectGroups(ctx context.Context, project int64) ([]string, error)
}

// AddGroupUser lets u object to taking a worker group from a project. It must not be called once requests are served.
func (s *Service) AddGroupUser(u GroupUsers) { s.groupUsers = append(s.groupUsers, u) }

// SetWorkerGroups hands in what lists all worker groups. It must not be called once requests are served.
func (s *Service) SetWorkerGroups(names func(ctx context.Context) ([]string, error)) {
	s.allGroups = names
}

// AssignedGroups are the worker groups that a project is bound to; none means all.
func (s *Service) AssignedGroups(ctx context.Context, project int64) ([]string, error) {
	if _, err := s.Require(ctx, project, Read); err != nil {
		return nil, err
	}
	rows, err := db.Select[string](ctx, s.DB, "SELECT worker_group FROM project_worker_group WHERE project_code = ? ORDER BY worker_group", project)
	return rows, wrap(err, "read worker groups")
}

// WorkerGroups are those that whoever acts may let the tasks of a project ask for, "default" first: what the project may use,
// without what is granted to others.
func (s *Service) WorkerGroups(ctx context.Context, project int64) ([]string, error) {
	assigned, err := s.AssignedGroups(ctx, project)
	if err != nil {
		return nil, err
	}
	if len(assigned) == 0 && s.allGroups != nil {
		if assigned, err = s.allGroups(ctx); err != nil {
			return nil, err
		}
	}
	assigned = slices.DeleteFunc(assigned, func(n string) bool { return n == defaultGroup || !s.Access.MayUseWorkerGroup(ctx, n) })
	return append([]string{defaultGroup}, assigned...), nil
}

// AssignGroups binds a project to these worker groups and "default"; with all set it may use every group there is or will
// be. Only administrators may. It returns ErrGroupsUnknown, ErrGroupsUsed for a group that the project uses and would
// lose, and what Require does.
func (s *Service) AssignGroups(ctx context.Context, project int64, names []string, all bool) error {
	if err := s.Access.Require(ctx, AssignGroups); err != nil {
		return err
	}
	in, err := s.Require(ctx, project, Read)
	if err != nil {
		return err
	}
	var keep []string
	for _, n := range names {
		if n = strings.TrimSpace(n); n != "" && !slices.Contains(keep, n) {
			keep = append(keep, n)
		}
	}
	if all {
		keep = nil
	} else if !slices.Contains(keep, defaultGroup) {
		keep = append(keep, defaultGroup) // the row that says "no others" when it is the only one
	}
	if err := s.checkGroups(ctx, project, keep, all); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.DB.Exec(ctx, "DELETE FROM project_worker_group WHERE project_code = ?", project); err != nil {
			return wrap(err, "write worker groups")
		}
		for _, n := range keep {
			if _, err := s.DB.Exec(ctx, "INSERT INTO project_worker_group (project_code, worker_group) VALUES (?, ?)", project, n); err != nil {
				return wrap(err, "write worker groups")
			}
		}
		if err := crud.NotifyMasters(ctx, s.DB); err != nil {
			return err
		}
		return s.recordSetting(ctx, in, "project.worker_groups", map[string]any{"groups": keep})
	})
}

func (s *Service) checkGroups(ctx context.Context, project int64, keep []string, all bool) error {
	var missing []string
	for _, n := range keep {
		if s.known.WorkerGroup == nil {
			break
		}
		ok, err := s.known.WorkerGroup(ctx, n)
		if err != nil {
			return err
		}
		if !ok {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		names := strings.Join(missing, ", ")
		return ErrGroupsUnknown.With("names", names).OnField("groups", ErrGroupsUnknown.Key, "names", names)
	}
	if all {
		return nil
	}
	var lost []string
	for _, u := range s.groupUsers {
		used, err := u.ProjectGroups(ctx, project)
		if err != nil {
			return err
		}
		for _, n := range used {
			if !slices.Contains(keep, n) && n != "" && !slices.Contains(lost, n) {
				lost = append(lost, n)
			}
		}
	}
	if len(lost) > 0 {
		names := strings.Join(lost, ", ")
		return ErrGroupsUsed.With("names", names).OnField("groups", ErrGroupsUsed.Key, "names", names)
	}
	return nil
}
