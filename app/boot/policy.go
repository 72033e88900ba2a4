package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v3"

	"dorado/app/config"
	"dorado/app/kit/db"
	"dorado/app/kit/logs"
	"dorado/migrations"
	"dorado/modules/access"
)

// PolicyQuestion asks whether a user may do something; all are names, projects and workflows also codes.
type PolicyQuestion struct {
	User       string `yaml:"user"`
	Permission string `yaml:"permission"`
	Project    string `yaml:"project"`  // empty: the whole installation
	Workflow   string `yaml:"workflow"` // of the project
}

func (q PolicyQuestion) String() string {
	where := ""
	if q.Project != "" {
		where = " in " + q.Project
	}
	if q.Workflow != "" {
		where += " for " + q.Workflow
	}
	return q.User + " " + q.Permission + where
}

// TestPolicy decides a question by the database as the program does, and writes why. It answers false when the user may not.
func TestPolicy(ctx context.Context, cfg config.Config, q PolicyQuestion, out io.Writer) (bool, error) {
	allowed := false
	err := withPolicies(ctx, cfg, func(ctx context.Context, p policies) error {
		d, err := p.explain(ctx, q)
		if err != nil {
			return err
		}
		allowed = d.Allowed
		return p.tell(ctx, q, d, out)
	})
	return allowed, err
}

// PolicyExpectation is a line of a file of expectations.
type PolicyExpectation struct {
	PolicyQuestion `yaml:",inline"`
	Allowed        *bool `yaml:"allowed"`
}

// CheckPolicy compares the decisions of the database with a file of expectations and writes those that differ. It answers
// false when one does.
func CheckPolicy(ctx context.Context, cfg config.Config, file io.Reader, out io.Writer) (bool, error) {
	var doc struct {
		Expectations []PolicyExpectation `yaml:"expectations"`
	}
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err := decoder.Decode(&doc); err != nil {
		return false, fmt.Errorf("read the expectations: %w", err)
	}
	if len(doc.Expectations) == 0 {
		return false, errors.New("the file has no expectations")
	}
	wrong := 0
	err := withPolicies(ctx, cfg, func(ctx context.Context, p policies) error {
		for n, e := range doc.Expectations {
			if e.Allowed == nil {
				return fmt.Errorf("expectation %d (%s) does not say whether it is allowed", n+1, e)
			}
			d, err := p.explain(ctx, e.PolicyQuestion)
			switch {
			case err != nil:
				wrong++
				fmt.Fprintf(out, "%s: %v\n", e, err)
			case d.Allowed != *e.Allowed:
				wrong++
				fmt.Fprintf(out, "expected %s, but:\n", verdict(*e.Allowed))
				if err := p.tell(ctx, e.PolicyQuestion, d, out); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil {
		fmt.Fprintf(out, "%d of %d expectations hold\n", len(doc.Expectations)-wrong, len(doc.Expectations))
	}
	return wrong == 0, err
}

// ListPolicies writes the rules that administrators added.
func ListPolicies(ctx context.Context, cfg config.Config, out io.Writer) error {
	return withPolicies(ctx, cfg, func(ctx context.Context, p policies) error {
		rules, err := db.Select[access.Policy](ctx, p.db, "SELECT "+access.PolicyColumns+" FROM policy_rule ORDER BY id")
		if err != nil {
			return err
		}
		if len(rules) == 0 {
			fmt.Fprintln(out, "there are no rules: what somebody may do follows from roles alone")
			return nil
		}
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tEFFECT\tWHO\tPERMISSION\tWHERE\tNOTE")
		for _, r := range rules {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Effect, p.who(ctx, r), r.Permission, p.where(ctx, r), r.Note)
		}
		return w.Flush()
	})
}

// PermissionTable is which roles have which permissions before any rule, as a table in Markdown.
func PermissionTable() string {
	rules := slices.SortedFunc(slices.Values(append(declaredRules(), access.Allow(access.AuditRead), access.Allow(access.PolicyManage))),
		func(a, b access.Rule) int { return strings.Compare(string(a.Permission), string(b.Permission)) })
	columns := append([]access.Role{access.Admin}, append(access.ProjectRoles(), access.User)...)
	var b strings.Builder
	b.WriteString("| permission |")
	for _, c := range columns {
		b.WriteString(" " + string(c) + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat(":-:|", len(columns)) + "\n")
	for _, r := range rules {
		b.WriteString("| `" + string(r.Permission) + "` |")
		for _, c := range columns {
			mark := " |"
			if c == access.Admin || slices.Contains(r.Roles, c) || slices.Contains(r.Roles, access.User) {
				mark = " ● |"
			}
			b.WriteString(mark)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// policies answers questions by a database.
type policies struct {
	db     *db.DB
	access *access.Service
}

func withPolicies(ctx context.Context, cfg config.Config, fn func(context.Context, policies) error) error {
	logger := logs.Discard()
	return withDatabase(ctx, cfg, logger, func(d *db.DB) error {
		if _, err := migrations.Up(ctx, d.SQLX().DB, d.Dialect().Name()); err != nil {
			return fmt.Errorf("bring the database up to date: %w", err)
		}
		rights, err := access.New(ctx, access.Deps{DB: d, Log: logger, Now: time.Now, Rules: declaredRules()})
		if err != nil {
			return err
		}
		return fn(access.WithPrincipal(ctx, access.System()), policies{d, rights})
	})
}

// code is what a query for one number finds; what is the answer when it finds nothing.
func (p policies) code(ctx context.Context, what, query string, args ...any) (int64, error) {
	code, err := db.Get[int64](ctx, p.db, query, args...)
	if errors.Is(err, db.ErrNoRows) {
		return 0, errors.New(what)
	}
	return code, err
}

func (p policies) explain(ctx context.Context, q PolicyQuestion) (access.Decision, error) {
	ask := access.Question{Permission: access.Permission(q.Permission)}
	var err error
	if ask.UserID, err = p.code(ctx, fmt.Sprintf("there is no user %q", q.User), "SELECT id FROM users WHERE name = ?", q.User); err != nil {
		return access.Decision{}, err
	}
	if q.Project != "" {
		ask.Project, err = p.code(ctx, fmt.Sprintf("there is no project %q", q.Project),
			"SELECT code FROM project WHERE name = ? OR CAST(code AS TEXT) = ?", q.Project, q.Project)
		if err != nil {
			return access.Decision{}, err
		}
	}
	if q.Workflow != "" {
		if q.Project == "" {
			return access.Decision{}, errors.New("name the project of the workflow, too")
		}
		ask.Workflow, err = p.code(ctx, fmt.Sprintf("the project %q has no workflow %q", q.Project, q.Workflow),
			"SELECT code FROM workflow_definition WHERE project_code = ? AND (name = ? OR CAST(code AS TEXT) = ?)", ask.Project, q.Workflow, q.Workflow)
		if err != nil {
			return access.Decision{}, err
		}
	}
	d, err := p.access.Explain(ask)
	if err != nil {
		return d, err
	}
	enabled, err := p.enabled(ctx, q.User)
	d.Allowed = d.Allowed && enabled
	return d, err
}

func verdict(allowed bool) string {
	if allowed {
		return "allowed"
	}
	return "refused"
}

// tell writes a decision in words.
func (p policies) tell(ctx context.Context, q PolicyQuestion, d access.Decision, out io.Writer) error {
	enabled, err := p.enabled(ctx, q.User)
	if err != nil {
		return err
	}
	var why string
	switch d.Reason {
	case access.ByAdmin:
		why = "administrators may everything"
	case access.ByRole:
		why = "by role"
	case access.ByPolicy:
		why = "a rule allows it"
	case access.ByDenial:
		why = "a rule denies it"
	case access.ByNobody:
		why = "neither a role nor a rule gives it"
	case access.ByUndeclared:
		why = "there is no such permission"
	}
	if !enabled {
		why = q.User + " is disabled and cannot sign in"
	}
	fmt.Fprintf(out, "%s: %s: %s\n", verdict(d.Allowed), q, why)
	role := string(d.Role)
	if role == "" {
		role = "none"
	}
	if q.Project != "" || d.Role == access.Admin {
		fmt.Fprintf(out, "  role of %s: %s\n", q.User, role)
	}
	if len(d.Roles) > 0 {
		fmt.Fprintf(out, "  roles with %s: %s\n", q.Permission, strings.Join(texts(d.Roles), ", "))
	}
	for _, r := range d.Policies {
		fmt.Fprintf(out, "  rule %d: %s %s to %s, %s", r.ID, r.Effect, r.Permission, p.who(ctx, r), p.where(ctx, r))
		if r.Note != "" {
			fmt.Fprintf(out, " (%s)", r.Note)
		}
		fmt.Fprintln(out)
	}
	return nil
}

func (p policies) enabled(ctx context.Context, user string) (bool, error) {
	state, err := db.Get[int](ctx, p.db, "SELECT state FROM users WHERE name = ?", user)
	return state == 1, err
}

func texts(roles []access.Role) []string {
	out := make([]string, len(roles))
	for i, r := range roles {
		out[i] = string(r)
	}
	return out
}

func (p policies) who(ctx context.Context, r access.Policy) string {
	if id, ok := access.UserOf(r.Subject); ok {
		return p.name(ctx, "SELECT name FROM users WHERE id = ?", id)
	}
	if role, ok := access.RoleOf(r.Subject); ok {
		return "everybody with the role " + string(role)
	}
	return "everybody"
}

func (p policies) where(ctx context.Context, r access.Policy) string {
	switch {
	case r.Workflow != 0:
		return "workflow " + p.name(ctx, "SELECT name FROM workflow_definition WHERE code = ?", r.Workflow)
	case r.Project != 0:
		return "project " + p.name(ctx, "SELECT name FROM project WHERE code = ?", r.Project)
	default:
		return "everywhere"
	}
}

// name is what a query for one name finds, or the number when it finds nothing.
func (p policies) name(ctx context.Context, query string, id int64) string {
	name, err := db.Get[string](ctx, p.db, query, id)
	if err != nil {
		return strconv.FormatInt(id, 10)
	}
	return name
}
