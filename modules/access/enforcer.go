package access

import (
	_ "embed" // the casbin model
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
)

//go:embed model.conf
var modelText string

// grant is one row of role_grant.
type grant struct {
	UserID int64  `db:"user_id"`
	Domain string `db:"domain"`
	Role   Role   `db:"role"`
}

// known is what decisions are made from: all that is in the database.
type known struct {
	grants   []grant
	objects  []ObjectGrant
	policies []Policy
}

func (k known) same(o known) bool {
	return slices.Equal(k.grants, o.grants) && slices.Equal(k.objects, o.objects) && slices.Equal(k.policies, o.policies)
}

// snapshot decides by what was known at one moment. It is safe for concurrent use.
type snapshot struct {
	known    known
	projects map[int64]map[int64]Role // user → project code → role
	admins   map[int64]bool
	objects  objects
	declared map[Permission]bool

	ruledProjects  map[int64]bool // projects and workflows that a policy names: only they are decided one by one
	ruledWorkflows map[int64]bool

	mu       sync.Mutex // casbin's plain enforcer is for one goroutine
	enforcer *casbin.Enforcer

	decided sync.Map // question → bool
}

// Places that are no project. No project has such a code.
const (
	everywhere int64 = -1 // the whole installation
	elsewhere  int64 = -2 // any project in which the user has no role and that no policy names
)

// question is what decisions are remembered by. There are no more of them than users × (projects with a role or a policy)
// × (workflows with a policy) × permissions, whatever is asked for.
type question struct {
	user     int64
	project  int64
	workflow int64
	act      Permission
}

func newSnapshot(rules []Rule, k known) (*snapshot, error) {
	m, err := model.NewModelFromString(modelText)
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	e.AddFunction("covers", func(args ...any) (any, error) {
		pattern, ok := args[0].(string)
		act, also := args[1].(string)
		if !ok || !also {
			return nil, errors.New("access: a permission is a text")
		}
		return Covers(pattern, Permission(act)), nil
	})
	e.SetAdapter(adapter{rules, k.grants, k.policies})
	if err := e.LoadPolicy(); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	s := &snapshot{
		known: k, enforcer: e, objects: newObjects(k.objects), projects: map[int64]map[int64]Role{}, admins: map[int64]bool{},
		declared: map[Permission]bool{}, ruledProjects: map[int64]bool{}, ruledWorkflows: map[int64]bool{},
	}
	for _, r := range rules {
		s.declared[r.Permission] = true
	}
	for _, g := range k.grants {
		code, ok := projectOf(g.Domain)
		switch {
		case ok && s.projects[g.UserID] == nil:
			s.projects[g.UserID] = map[int64]Role{code: g.Role}
		case ok:
			s.projects[g.UserID][code] = g.Role
		case g.Role == Admin:
			s.admins[g.UserID] = true
		}
	}
	for _, p := range k.policies {
		if p.Workflow != 0 {
			s.ruledWorkflows[p.Workflow] = true
		} else if p.Project != 0 {
			s.ruledProjects[p.Project] = true
		}
	}
	return s, nil
}

// normal turns what is asked into the question that decides the same for all like it, so that asking for made-up projects
// and workflows cannot fill the memory.
func (s *snapshot) normal(q question) question {
	if q.workflow != 0 && !s.ruledWorkflows[q.workflow] {
		q.workflow = 0
	}
	if q.project == everywhere {
		return q
	}
	if _, role := s.projects[q.user][q.project]; q.project < 0 || !role && !s.ruledProjects[q.project] {
		q.project = elsewhere
	}
	return q
}

// allows answers from memory when the same was asked before. An error of casbin denies.
func (s *snapshot) allows(q question) (bool, error) {
	q = s.normal(q)
	if before, ok := s.decided.Load(q); ok {
		return before.(bool), nil
	}
	if !s.declared[q.act] {
		return false, nil
	}
	s.mu.Lock()
	ok, err := s.enforcer.Enforce(subject(q.user), domainWord(q.project), workflowWord(q.workflow), string(q.act))
	s.mu.Unlock()
	if err != nil {
		return false, fmt.Errorf("access: decide %s: %w", q.act, err)
	}
	s.decided.Store(q, ok)
	return ok, nil
}

// hidden are the workflows that a policy about just them denies the user.
func (s *snapshot) hidden(user int64, act Permission) []int64 {
	if len(s.ruledWorkflows) == 0 || s.admins[user] {
		return nil
	}
	var codes []int64
	for _, p := range s.known.policies {
		if p.Workflow == 0 || p.Effect != EffectDeny || slices.Contains(codes, p.Workflow) || !Covers(string(p.Permission), act) {
			continue
		}
		if role, ok := RoleOf(p.Subject); ok && role != User {
			// Which project the workflow is in is not known here, but the role somebody has in the one it was in when the
			// rule was made is; should it have moved, reading it is refused all the same, by its new project.
			if s.projects[user][p.Project] != role {
				continue
			}
		} else if !ok && p.Subject != Everybody && p.Subject != subject(user) {
			continue
		}
		codes = append(codes, p.Workflow)
	}
	slices.Sort(codes)
	return codes
}

func domainWord(project int64) string {
	switch project {
	case everywhere:
		return Everywhere
	case elsewhere:
		return "elsewhere"
	default:
		return Project(project)
	}
}

func workflowWord(workflow int64) string {
	if workflow == 0 {
		return ""
	}
	return strconv.FormatInt(workflow, 10)
}

func subject(user int64) string { return userPrefix + strconv.FormatInt(user, 10) }
