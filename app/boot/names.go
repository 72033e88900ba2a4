package boot

import (
	"context"
	"errors"

	"dorado/modules/access"
	"dorado/modules/flow/text"
	"dorado/modules/security/alertgroup"
	"dorado/modules/security/calendar"
	"dorado/modules/security/environment"
	"dorado/modules/taskgroup"
	"dorado/modules/workflow"
)

// names tells texts of workflows what other modules call their things. What somebody may not see has no name.
type names struct {
	environments *environment.Service
	groups       *taskgroup.Service
	calendars    *calendar.Service
	alerts       *alertgroup.Service
}

var _ workflow.Lookup = names{}

// Name returns the name of an environment or task group.
func (n names) Name(ctx context.Context, kind text.Kind, code int64) (string, error) {
	found, err := n.all(ctx, kind)
	for name, one := range found {
		if one == code {
			return name, err
		}
	}
	return "", err
}

// Code returns the code of an environment, or the id of a task group.
func (n names) Code(ctx context.Context, kind text.Kind, name string) (int64, error) {
	found, err := n.all(ctx, kind)
	return found[name], err
}

// all lists the codes of one kind by name, without names that several things have.
func (n names) all(ctx context.Context, kind text.Kind) (map[string]int64, error) {
	found := map[string]int64{}
	add := func(name string, code int64) {
		if _, twice := found[name]; twice {
			code = 0
		}
		found[name] = code
	}
	switch kind {
	case text.Environment:
		all, err := n.environments.All(ctx)
		for _, e := range all {
			add(e.Name, e.Code)
		}
		return found, unseen(err)
	case text.TaskGroup:
		all, err := n.groups.Visible(ctx)
		for _, g := range all {
			add(g.Name, g.ID)
		}
		return found, unseen(err)
	case text.Calendar:
		all, err := n.calendars.All(ctx)
		for i := range all {
			add(all[i].Name, all[i].ID)
		}
		return found, unseen(err)
	case text.AlertGroup:
		all, err := n.alerts.All(ctx)
		for i := range all {
			add(all[i].Name, all[i].ID)
		}
		return found, unseen(err)
	case text.Project, text.Workflow, text.Task:
		return nil, nil // the workflow module's own
	default:
		return nil, nil
	}
}

// unseen is nil for a refusal: what somebody may not see has no name for him.
func unseen(err error) error {
	if errors.Is(err, access.ErrDenied) {
		return nil
	}
	return err
}
