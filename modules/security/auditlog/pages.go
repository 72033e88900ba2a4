package auditlog

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/views/components"
	"dorado/views/security"
)

// Path is the address of the log.
const Path = "/monitor/audit"

// Deps are what the module needs.
type Deps struct {
	Audit  *audit.Service
	Access *access.Service
	Site   *web.Site
	Frame  *frame.Frame
}

// Module is the page of the audit log.
type Module struct {
	audit  *audit.Service
	access *access.Service
	site   *web.Site
	frame  *frame.Frame
}

// New makes the module.
func New(d Deps) *Module {
	return &Module{audit: d.Audit, access: d.Access, site: d.Site, frame: d.Frame}
}

// Routes adds the page.
func (m *Module) Routes(r chi.Router) { r.Get(Path, m.site.Handle(m.index)) }

// Menu is where the page stands in the navigation.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{{
		Group: frame.Monitor, Order: 50, Label: "auditlog.title", Path: Path, Icon: "history",
		Visible: func(ctx context.Context) bool { return m.access.Can(ctx, access.AuditRead) },
	}}
}

func (m *Module) index(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if err := m.access.Require(ctx, access.AuditRead); err != nil {
		return nil, err
	}
	q := frame.Query(r, audit.Spec())
	page, err := m.audit.List(ctx, q, audit.Filter{})
	if err != nil {
		return nil, err
	}
	view := security.AuditPage{
		Shell: m.frame.Page(r, i18n.T(ctx, "auditlog.title")), List: frame.Listed(Path, q, page),
		Objects: []components.Option{{Label: i18n.T(ctx, "auditlog.filter.kind")}},
	}
	for _, kind := range kinds() {
		view.Objects = append(view.Objects, components.Option{Value: kind, Label: word(ctx, "auditlog.kind.", kind)})
	}
	for _, row := range page.Items {
		_, verb, _ := strings.Cut(row.Action, ".")
		view.Rows = append(view.Rows, security.AuditRow{
			At: row.At, User: row.UserName, Client: row.Client, Action: word(ctx, "auditlog.verb.", verb),
			Kind: word(ctx, "auditlog.kind.", row.ObjectType), Object: row.ObjectName, Detail: detail(row.Detail),
		})
	}
	return web.Page(security.Audit(view)), nil
}

// detail makes "name: value" pairs of the JSON object in the log.
func detail(text string) string {
	var fields map[string]json.RawMessage
	if text == "" || json.Unmarshal([]byte(text), &fields) != nil {
		return text
	}
	pairs := make([]string, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := string(fields[name])
		var plain string
		if json.Unmarshal(fields[name], &plain) == nil {
			value = plain
		}
		pairs = append(pairs, name+": "+value)
	}
	return strings.Join(pairs, ", ")
}

// kinds are the object types one can filter by.
func kinds() []string {
	return []string{
		"project", "parameter", "workflow", "workflow_instance", "task_instance", "schedule", "backfill", "taskgroup", "tenant", "user",
		"workergroup", "environment", "alertgroup", "calendar", "queue", "token", "backup", "retention", "worker", "command",
	}
}

// word translates a name from the log; one without a translation stands for itself.
func word(ctx context.Context, prefix, name string) string {
	if i18n.Has(prefix + name) {
		return i18n.T(ctx, prefix+name)
	}
	return name
}
