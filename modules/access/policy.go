package access

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/fault"
)

// Effect is what a policy does.
type Effect string

// The effects. A denial wins over every permission, whoever gave it.
const (
	EffectAllow Effect = "ALLOW"
	EffectDeny  Effect = "DENY"
)

// Effects are both.
func Effects() []Effect { return []Effect{EffectAllow, EffectDeny} }

const (
	userPrefix = "user:"
	rolePrefix = "role:"
)

// Policy is a rule that administrators add to what the roles give: it allows or denies a permission, or all of a pattern,
// to a user, to everybody with a role or to everybody, in all projects, in one, or for one workflow.
//
// One that allows and names neither project nor workflow reaches only into projects where the user has a role anyway, so
// that a rule never opens all projects by accident; one that names a project or a workflow opens it to whom it names.
// Administrators cannot be denied anything.
type Policy struct {
	ID         int64      `db:"id"`
	Subject    string     `db:"subject"`    // "user:<id>", "role:<role>" or "*"
	Permission Permission `db:"permission"` // a name, or a pattern such as "instance.*"
	Project    int64      `db:"project_code"`
	Workflow   int64      `db:"workflow_code"` // with it the project is for display only: workflows move
	Effect     Effect     `db:"effect"`
	Note       string     `db:"note"`
	CreatedBy  int64      `db:"created_by"`
	CreatedAt  time.Time  `db:"created_at"`
	UpdatedAt  time.Time  `db:"updated_at"`
}

// PolicyColumns are the columns of table policy_rule in the order of Policy.
const PolicyColumns = "id, subject, permission, project_code, workflow_code, effect, note, created_by, created_at, updated_at"

// UserSubject is the subject of a policy about one user.
func UserSubject(id int64) string { return subject(id) }

// RoleSubject is the subject of a policy about everybody with a role.
func RoleSubject(r Role) string { return rolePrefix + string(r) }

// Everybody is the subject of a policy about everybody who is signed in.
const Everybody = anybody

// UserOf is the user a subject names, and false when it names none.
func UserOf(subject string) (int64, bool) {
	text, ok := strings.CutPrefix(subject, userPrefix)
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseInt(text, 10, 64)
	return id, err == nil && id > 0
}

// RoleOf is the role a subject names, and false when it names none.
func RoleOf(subject string) (Role, bool) {
	text, ok := strings.CutPrefix(subject, rolePrefix)
	return Role(text), ok
}

// Covers reports whether a permission is the named one, or fits the pattern: "*" stands for everything or for one of the
// words between dots.
func Covers(pattern string, p Permission) bool {
	if pattern == anybody || pattern == string(p) {
		return true
	}
	if !strings.Contains(pattern, anybody) {
		return false
	}
	want, have := strings.Split(pattern, "."), strings.Split(string(p), ".")
	if len(want) != len(have) {
		return false
	}
	for i, w := range want {
		if w != anybody && w != have[i] {
			return false
		}
	}
	return true
}

// Validate returns a fault with a message for each field that means nothing: a subject that is none, a pattern that no
// declared permission fits, an unknown effect.
func (s *Service) Validate(p Policy) error {
	var c fault.Collector
	_, isUser := UserOf(p.Subject)
	role, isRole := RoleOf(p.Subject)
	switch {
	case p.Subject == "":
		c.Add("subject", "security.required")
	case isRole && role == Admin:
		c.Add("subject", "policy.error.admin")
	case isRole && !slices.Contains(ProjectRoles(), role), !isRole && !isUser && p.Subject != Everybody:
		c.Add("subject", "policy.error.subject")
	}
	switch {
	case p.Permission == "":
		c.Add("permission", "security.required")
	case !slices.ContainsFunc(s.Rules, func(r Rule) bool { return Covers(string(p.Permission), r.Permission) }):
		c.Add("permission", "policy.error.permission")
	}
	if !slices.Contains(Effects(), p.Effect) {
		c.Add("effect", "security.required")
	}
	return c.Err()
}

// words are the policy in the language of the model.
func (p Policy) words() []string {
	domain, workflow, effect := anybody, anybody, allowing
	if p.Effect != EffectAllow { // whatever it is, it does not allow
		effect = denying
	}
	switch {
	case p.Workflow != 0:
		workflow = strconv.FormatInt(p.Workflow, 10)
	case p.Project != 0:
		domain = Project(p.Project)
	case effect == allowing:
		domain = mine
	}
	who := p.Subject
	if who == rolePrefix+string(User) {
		who = anybody
	}
	return []string{who, domain, workflow, string(p.Permission), effect}
}

// about reports whether the policy speaks of this user's question; explanations list those that do.
func (p Policy) about(s *snapshot, q question) bool {
	if !Covers(string(p.Permission), q.act) || p.Effect == EffectDeny && s.admins[q.user] {
		return false
	}
	role, inProject := s.projects[q.user][q.project]
	switch {
	case p.Workflow != 0:
		if p.Workflow != q.workflow {
			return false
		}
	case p.Project != 0:
		if p.Project != q.project {
			return false
		}
	case p.Effect == EffectAllow && q.project != everywhere && !inProject:
		return false
	}
	if named, ok := RoleOf(p.Subject); ok {
		return named == User || inProject && named == role
	}
	return p.Subject == Everybody || p.Subject == subject(q.user)
}
