package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/datasource"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/security/alertgroup"
	"dorado/plugins/task"
	"dorado/views/components"
	"dorado/views/layout"
	view "dorado/views/workflow"
)

// document is what the editor element finds on its page.
type document struct {
	Definition   any               `json:"definition"`
	Draft        *draftNote        `json:"draft"`
	Mode         string            `json:"mode"` // edit or read
	ReadReason   string            `json:"readReason,omitempty"`
	URLs         map[string]string `json:"urls"`
	Schema       schema            `json:"schema"`
	WorkerGroups []string          `json:"workerGroups"`
	Features     map[string]bool   `json:"features"`
	Environments []Choice          `json:"environments,omitempty"`
	TaskGroups   []Choice          `json:"taskGroups,omitempty"`
	Resources    []string          `json:"resources,omitempty"`
	DateCycles   []dateCycle       `json:"dateCycles"`
	Preference   any               `json:"preference"` // what a new task begins with
	// ProjectParams are the names of the project's parameters; their values are nobody's business here.
	ProjectParams []string  `json:"projectParams"`
	Instance      *struct{} `json:"instance"`
}

type schema struct {
	Types []task.Description `json:"types"`
}

// draftNote tells the editor that the definition is an edit not saved yet.
type draftNote struct {
	Revision    int       `json:"revision"`
	SavedAt     time.Time `json:"savedAt"`
	BaseVersion int       `json:"baseVersion"`
}

// released is a definition with the state of its workflow.
type released struct {
	*flow.Definition
	ReleaseState flow.ReleaseState `json:"releaseState"`
}

// document is the page's data for a version of a workflow, to be looked at.
func (p *pages) document(ctx context.Context, in project.Project, w Workflow, def *flow.Definition) (document, error) {
	state := w.ReleaseState
	if def.Version != w.Version {
		state = flow.Offline
	}
	doc := document{
		Definition: released{def, state}, Mode: "read", URLs: map[string]string{},
		Schema:   schema{p.svc.Catalog.Describe(func(key string) string { return i18n.T(ctx, key) })},
		Features: map[string]bool{"environments": false, "taskGroups": false, "cache": true, "finally": true, "limits": false},
	}
	// What a reader's form may look up.
	at := listAddress(in.Code)
	doc.URLs["projects"], doc.URLs["workflows"] = at+"/choices/projects", "/projects/{project}/workflows/choices"
	doc.URLs["tasks"], doc.URLs["preview"] = "/projects/{project}/workflows/{workflow}/tasks", at+"/preview"
	doc.URLs["sources"], doc.URLs["newSource"] = datasource.Path+"/choices", datasource.Path+"/new"
	doc.URLs["alertGroups"] = alertgroup.Path + "/choices"
	if p.svc.Projects.Access.Can(ctx, alertgroup.Manage) {
		doc.URLs["newAlertGroup"] = alertgroup.Path + "/new"
	}
	err := p.offer(ctx, &doc, in)
	return doc, err
}

// new shows a blank canvas, or the draft of a workflow that was never saved. The address holds the code that the
// workflow will have, so that reloading the page finds the draft again.
func (p *pages) new(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, err := p.inProject(r, Edit)
	if err != nil {
		return nil, err
	}
	asked := r.URL.Query().Get("code")
	if asked == "" {
		return web.Redirect(newAddress(in.Code, p.svc.Codes.Next())), nil
	}
	code, err := strconv.ParseInt(asked, 10, 64)
	if err != nil || !plausible(code) {
		return nil, ErrNotFound.With("code", asked)
	}
	switch _, err := p.svc.In(ctx, in.Code, code); {
	case err == nil:
		return web.Redirect(address(in.Code, code)), nil // saved meanwhile
	case !errors.Is(err, ErrNotFound):
		return nil, err
	}
	w := Workflow{ReleaseState: flow.Offline}
	def := &flow.Definition{
		ProjectCode: in.Code, ExecutionType: flow.Parallel,
		GlobalParams: []flow.Property{}, Tasks: []flow.Task{}, Edges: []flow.Edge{}, Locations: []flow.Location{},
	}
	return p.canvas(r, in, code, w, def)
}

// newAddress is the page on which a workflow is drawn that will have the code.
func newAddress(projectCode, code int64) string {
	return listAddress(projectCode) + "/new?code=" + strconv.FormatInt(code, 10)
}

// editor shows a workflow to be changed, or to be looked at.
func (p *pages) editor(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, w, err := p.found(r, Read)
	if err != nil {
		return nil, err
	}
	def, err := p.svc.Definition(ctx, w.Code, w.Version)
	if err != nil {
		return nil, err
	}
	if r.URL.Query().Get("view") == "static" {
		return p.static(p.editorShell(r, in, w), def)
	}
	return p.canvas(r, in, w.Code, w, def)
}

// canvas is the page of the editor for a workflow, or with an empty head for one that was never saved.
func (p *pages) canvas(r *http.Request, in project.Project, code int64, w Workflow, def *flow.Definition) (web.Response, error) {
	ctx := r.Context()
	doc, err := p.document(ctx, in, w, def)
	if err != nil {
		return nil, err
	}
	p.addresses(ctx, &doc, in, code, w.Code == 0)
	if doc.Mode != "edit" {
		doc.ReadReason = i18n.T(ctx, "workflow.read_only", "owner", in.OwnerName)
		return p.editorPage(r, p.editorShell(r, in, w), doc, def)
	}
	draft, err := p.svc.Draft(ctx, in.Code, code)
	switch {
	case err == nil:
		if doc.Definition, err = draftDefinition(draft, w); err != nil {
			return nil, err
		}
		doc.Draft = &draftNote{draft.Revision, draft.UpdatedAt, draft.BaseVersion}
	case !errors.Is(err, ErrNoDraft):
		return nil, err
	}
	return p.editorPage(r, p.editorShell(r, in, w), doc, def)
}

func (p *pages) editorShell(r *http.Request, in project.Project, w Workflow) layout.ShellProps {
	ctx := r.Context()
	title := w.Name
	if title == "" {
		title = i18n.T(ctx, "workflow.new")
	}
	return p.frame.InProject(r, project.Ref(in), title, components.Crumb{Label: i18n.T(ctx, "workflow.title"), URL: listAddress(in.Code)})
}

// plausible reports whether a code can be one of ours; clients have always known them to exceed 32 bits, and browsers
// lose digits beyond 53.
func plausible(code int64) bool { return code > 1<<31 && code < 1<<53 }

// addresses fills in what the editor may call.
func (p *pages) addresses(ctx context.Context, doc *document, in project.Project, code int64, unborn bool) {
	at := address(in.Code, code)
	doc.URLs["yaml"] = at + "/yaml"
	doc.URLs["layout"], doc.URLs["check"], doc.URLs["close"], doc.URLs["login"] = at+"/layout", at+"/check", listAddress(in.Code), "/login"
	if !unborn {
		p.savedAddresses(ctx, doc.URLs, in, code)
	}
	if p.svc.Can(ctx, in.Code, Edit) {
		doc.Mode = "edit"
		doc.URLs["save"], doc.URLs["draft"], doc.URLs["codes"] = at+"/save", at+"/draft", at+"/codes"
	}
}

// savedAddresses are those that a workflow has once it was saved.
func (p *pages) savedAddresses(ctx context.Context, urls map[string]string, in project.Project, code int64) {
	at := address(in.Code, code)
	urls["versions"], urls["dependants"] = at+"/versions", at+"/dependants"
	if p.svc.Can(ctx, in.Code, Release) {
		urls["online"], urls["offline"] = at+"/online", at+"/offline"
	}
	if p.run != "" && p.svc.Can(ctx, in.Code, p.run) {
		urls["run"], urls["stream"] = at+"/run", at+"/tasks/{task}/start"
	}
	if p.timings != nil {
		urls["schedules"] = at + "/schedules"
	}
}

// draftDefinition is a draft as the browser wrote it, with what the server knows better: code, version and state. The
// body is its author's own and is not understood here; saving it as a version is what checks it.
func draftDefinition(d Draft, w Workflow) (any, error) {
	body := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(d.Body), &body); err != nil {
		return nil, wrap(err, "decode draft")
	}
	for name, value := range map[string]any{
		"code": w.Code, "version": w.Version, "projectCode": d.ProjectCode, "releaseState": w.ReleaseState,
	} {
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, wrap(err, "encode draft")
		}
		body[name] = raw
	}
	for _, list := range []string{"tasks", "relations", "globalParams", "locations"} {
		if !bytes.HasPrefix(bytes.TrimSpace(body[list]), []byte("[")) {
			body[list] = json.RawMessage("[]")
		}
	}
	return body, nil
}

// staticLimit is up to how many tasks the page itself carries the picture for readers without scripts.
const staticLimit = 200

func (p *pages) editorPage(r *http.Request, shell layout.ShellProps, doc document, def *flow.Definition) (web.Response, error) {
	shell.Scripts = append(shell.Scripts, "js/dag/editor.js")
	v := view.EditorPage{Shell: shell, Data: doc, StaticURL: r.URL.Path + "?view=static"}
	if len(def.Tasks) <= staticLimit {
		picture, err := p.picture(def)
		if err != nil {
			return nil, err
		}
		v.Static = &picture
	}
	return web.Page(view.Editor(v)), nil
}

// static shows a definition without scripts: the picture and the table of tasks.
func (p *pages) static(shell layout.ShellProps, def *flow.Definition) (web.Response, error) {
	picture, err := p.picture(def)
	if err != nil {
		return nil, err
	}
	return web.Page(view.Static(view.StaticPage{Shell: shell, Graph: picture})), nil
}
