package gateway

import (
	"context"
	"errors"
	"time"

	"dorado/modules/access"
	"dorado/modules/gateway/py4j"
	"dorado/modules/project"
)

// createOrGrantProject makes a project of the user, or lets the user into one of somebody else.
func (e *entry) createOrGrantProject(ctx context.Context, a args) (py4j.Value, error) {
	ctx, u, err := e.as(ctx, a.text(0))
	if err != nil {
		return py4j.Value{}, err
	}
	name := a.text(1)
	p, err := e.Projects.Named(program(ctx), name)
	if errors.Is(err, project.ErrNotFound) {
		if _, err = e.Projects.Create(ctx, project.Draft{Name: name, Description: a.text(2)}); !errors.Is(err, project.ErrNameTaken) {
			return py4j.OfVoid(), err
		}
		p, err = e.Projects.Named(program(ctx), name) // another thread of the script was faster
	}
	if err != nil || e.Projects.Role(ctx, p.Code) != "" {
		return py4j.OfVoid(), err
	}
	if err := e.Projects.Access.Refresh(ctx); err != nil { // the project may be a moment old, made by another thread of the script
		return py4j.Value{}, err
	}
	if e.Projects.Role(ctx, p.Code) != "" {
		return py4j.OfVoid(), nil
	}
	return py4j.OfVoid(), e.Projects.SetMember(instead(ctx, u), p.Code, u.Name, string(access.All))
}

// queryProjectByName returns null for a project that does not exist, or not for the user.
func (e *entry) queryProjectByName(ctx context.Context, a args) (py4j.Value, error) {
	ctx, _, err := e.as(ctx, a.text(0))
	if err != nil {
		return py4j.Value{}, err
	}
	p, err := e.Projects.Named(ctx, a.text(1))
	if errors.Is(err, project.ErrNotFound) || errors.Is(err, project.ErrNoAccess) {
		return py4j.OfNull(), nil
	}
	if err != nil {
		return py4j.Value{}, err
	}
	return projectBean(p), nil
}

func (e *entry) updateProject(ctx context.Context, a args) (py4j.Value, error) {
	ctx, _, err := e.as(ctx, a.text(0))
	if err != nil {
		return py4j.Value{}, err
	}
	_, err = e.Projects.Update(ctx, a.number(1), project.Draft{Name: a.text(2), Description: a.text(3)}, time.Time{})
	return py4j.OfVoid(), err
}

func (e *entry) deleteProject(ctx context.Context, a args) (py4j.Value, error) {
	ctx, _, err := e.as(ctx, a.text(0))
	if err != nil {
		return py4j.Value{}, err
	}
	return py4j.OfVoid(), e.Projects.Delete(ctx, a.number(1))
}
