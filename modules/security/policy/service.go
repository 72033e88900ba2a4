package policy

import (
	"context"
	"slices"
	"strconv"

	"dorado/modules/access"
	"dorado/modules/security/crud"
)

// Service holds the rules about rules. Page, Get, Create, Update and Delete are those of crud.Keeper.
type Service struct {
	crud.Keeper[Rule, Draft]
	store  store
	access *access.Service
	places Places
}

// check finds what the names of a draft stand for, and refuses one that means nothing.
func (s *Service) check(ctx context.Context, _ *Rule, d Draft) (Draft, error) {
	if err := d.Validate(); err != nil {
		return d, err
	}
	if d.Subject == OneUser {
		id, err := s.store.user(ctx, d.User)
		if err != nil {
			return d, err
		}
		if id == 0 {
			return d, ErrUser.With("name", d.User).OnField("user", ErrUser.Key, "name", d.User)
		}
		d.userID = id
	}
	var err error
	if d.project, d.workflow, err = s.where(ctx, d.Project, d.Workflow); err != nil {
		return d, err
	}
	return d, s.access.Validate(d.policy())
}

// where finds a project and a workflow by code or name; empty is none. It returns ErrProject, ErrWorkflow.
func (s *Service) where(ctx context.Context, inProject, ofWorkflow string) (project, workflow int64, err error) {
	if inProject == "" {
		return 0, 0, nil
	}
	all, err := s.places.Projects(ctx)
	if err != nil {
		return 0, 0, err
	}
	code, _ := strconv.ParseInt(inProject, 10, 64) // a name is no number, and 0 no project
	at := slices.IndexFunc(all, func(p Place) bool { return p.Code == code })
	if at < 0 {
		at = slices.IndexFunc(all, func(p Place) bool { return p.Name == inProject })
	}
	if at < 0 {
		return 0, 0, ErrProject.With("name", inProject).OnField("project", ErrProject.Key, "name", inProject)
	}
	project = all[at].Code
	if ofWorkflow == "" {
		return project, 0, nil
	}
	found, ok, err := s.places.Workflow(ctx, project, ofWorkflow)
	if err == nil && !ok {
		err = ErrWorkflow.With("name", ofWorkflow).OnField("workflow", ErrWorkflow.Key, "name", ofWorkflow)
	}
	return project, found.Code, err
}

// Ask is a question in names.
type Ask struct {
	User       string
	Permission string
	Project    string // code or name; empty: the whole installation
	Workflow   string // code or name
}

// Answer is a decision, with the rules that led to it.
type Answer struct {
	access.Decision
	Question access.Question
	Rules    []Rule // of Decision.Policies, named
	Disabled bool   // the user cannot sign in, so that he may nothing whatever he is given
}

// Explain decides a question as the checks do and tells why, for whoever may keep rules. It returns ErrUser, ErrProject,
// ErrWorkflow.
func (s *Service) Explain(ctx context.Context, ask Ask) (Answer, error) {
	var a Answer
	if err := s.access.Require(ctx, access.PolicyManage); err != nil {
		return a, err
	}
	id, err := s.store.user(ctx, ask.User)
	if err != nil {
		return a, err
	}
	if id == 0 {
		return a, ErrUser.With("name", ask.User).OnField("user", ErrUser.Key, "name", ask.User)
	}
	a.Question = access.Question{UserID: id, Permission: access.Permission(ask.Permission)}
	if a.Question.Project, a.Question.Workflow, err = s.where(ctx, ask.Project, ask.Workflow); err != nil {
		return a, err
	}
	if a.Decision, err = s.access.Explain(a.Question); err != nil {
		return a, err
	}
	enabled, err := s.store.enabled(ctx, id)
	if err != nil {
		return a, err
	}
	a.Disabled, a.Allowed = !enabled, a.Allowed && enabled
	for _, p := range a.Policies {
		r, err := s.store.ByID(ctx, p.ID)
		if err != nil {
			return a, err
		}
		a.Rules = append(a.Rules, r)
	}
	return a, nil
}

// names are the names of the projects and workflows that rules are about.
func (s *Service) names(ctx context.Context, rules []Rule) (projects, workflows map[int64]string, err error) {
	all, err := s.places.Projects(ctx)
	if err != nil {
		return nil, nil, err
	}
	projects = make(map[int64]string, len(all))
	for _, p := range all {
		projects[p.Code] = p.Name
	}
	var codes []int64
	for _, r := range rules {
		if r.Workflow != 0 {
			codes = append(codes, r.Workflow)
		}
	}
	if len(codes) == 0 {
		return projects, nil, nil
	}
	workflows, err = s.places.Workflows(ctx, codes)
	return projects, workflows, err
}
