package access

import (
	_ "embed" // the casbin model
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

// snapshot decides by the grants of one moment. It is safe for concurrent use.
type snapshot struct {
	grants   []grant
	projects map[int64]map[int64]Role // user → project code → role

	mu       sync.Mutex // casbin's plain enforcer is for one goroutine
	enforcer *casbin.Enforcer

	decided sync.Map // question → bool
}

type question struct {
	user   int64
	domain string
	act    Permission
}

func newSnapshot(rules []Rule, grants []grant) (*snapshot, error) {
	m, err := model.NewModelFromString(modelText)
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	e, err := casbin.NewEnforcer(m, adapter{rules, grants})
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	s := &snapshot{grants: grants, enforcer: e, projects: map[int64]map[int64]Role{}}
	for _, g := range grants {
		if code, ok := projectOf(g.Domain); ok {
			if s.projects[g.UserID] == nil {
				s.projects[g.UserID] = map[int64]Role{}
			}
			s.projects[g.UserID][code] = g.Role
		}
	}
	return s, nil
}

// allows answers from memory when the same was asked before. An error of casbin denies.
func (s *snapshot) allows(user int64, domain string, act Permission) (bool, error) {
	if code, ok := projectOf(domain); ok {
		if _, member := s.projects[user][code]; !member {
			domain = Everywhere // decides the same, and asking for made-up projects can't fill the memory
		}
	}
	q := question{user, domain, act}
	if known, ok := s.decided.Load(q); ok {
		return known.(bool), nil
	}
	s.mu.Lock()
	ok, err := s.enforcer.Enforce(subject(user), domain, string(act))
	s.mu.Unlock()
	if err != nil {
		return false, fmt.Errorf("access: decide %s: %w", act, err)
	}
	s.decided.Store(q, ok)
	return ok, nil
}

func (s *snapshot) same(grants []grant) bool { return slices.Equal(s.grants, grants) }

func subject(user int64) string { return strconv.FormatInt(user, 10) }
