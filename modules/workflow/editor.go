package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/project"
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
	Instance     *struct{}         `json:"instance"`
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
func (p *pages) document(ctx context.Context, _ project.Project, w Workflow, def *flow.Definition) (document, error) {
	groups := []string{"default"}
	if p.groups != nil {
		var err error
		if groups, err = p.groups(ctx); err != nil {
			return document{}, err
		}
	}
	state := w.ReleaseState
	if def.Version != w.Version {
		state = flow.Offline
	}
	return document{
		Definition: released{def, state}, Mode: "read", URLs: map[string]string{}, WorkerGroups: groups,
		Schema:   schema{p.svc.Catalog.Describe(func(key string) string { return i18n.T(ctx, key) })},
		Features: map[string]bool{"environments": false, "taskGroups": false, "cache": false, "limits": false},
	}, nil
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
		return p.static(p.editorShell(r, in, w), in, def)
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
		return p.editorPage(r, p.editorShell(r, in, w), doc, in, def)
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
	return p.editorPage(r, p.editorShell(r, in, w), doc, in, def)
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
	urls["versions"] = at + "/versions"
	if p.svc.Can(ctx, in.Code, Release) {
		urls["online"], urls["offline"] = at+"/online", at+"/offline"
	}
	if p.run != "" && p.svc.Can(ctx, in.Code, p.run) {
		urls["run"] = at + "/run"
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

func (p *pages) editorPage(r *http.Request, shell layout.ShellProps, doc document, in project.Project, def *flow.Definition) (web.Response, error) {
	shell.Scripts = append(shell.Scripts, "js/dag/editor.js")
	v := view.EditorPage{Shell: shell, Data: doc, StaticURL: r.URL.Path + "?view=static"}
	if len(def.Tasks) <= staticLimit {
		picture, err := p.picture(in, def)
		if err != nil {
			return nil, err
		}
		v.Static = &picture
	}
	return web.Page(view.Editor(v)), nil
}

// static shows a definition without scripts: the picture and the table of tasks.
func (p *pages) static(shell layout.ShellProps, in project.Project, def *flow.Definition) (web.Response, error) {
	picture, err := p.picture(in, def)
	if err != nil {
		return nil, err
	}
	return web.Page(view.Static(view.StaticPage{Shell: shell, Graph: picture})), nil
}

// The calls of the editor. They answer JSON; other errors than those spelled out here are shown by web.Site.

// posted is what the editor sends along with a definition.
type posted struct {
	BaseVersion int             `json:"baseVersion"`
	Revision    int             `json:"revision"`
	Message     string          `json:"message"`
	Online      bool            `json:"online"`
	Definition  json.RawMessage `json:"definition"`
}

// readJSON decodes the body of a call.
func readJSON(r *http.Request, into any) error {
	err := json.NewDecoder(r.Body).Decode(into)
	if err == nil {
		return nil
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return err
	}
	return ErrMalformed.With("value", "JSON").Because(err)
}

// readDefinition understands a definition as leniently as the REST API does.
func readDefinition(raw json.RawMessage) (*flow.Definition, error) {
	var in struct {
		Name          string          `json:"name"`
		Description   string          `json:"description"`
		Timeout       json.Number     `json:"timeout"`
		ExecutionType string          `json:"executionType"`
		GlobalParams  json.RawMessage `json:"globalParams"`
		Tasks         json.RawMessage `json:"tasks"`
		Relations     json.RawMessage `json:"relations"`
		Locations     json.RawMessage `json:"locations"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, ErrMalformed.With("value", "definition").Because(err)
	}
	def := &flow.Definition{Name: in.Name, Description: in.Description, ExecutionType: flow.ExecutionType(in.ExecutionType)}
	if in.Timeout != "" {
		minutes, err := strconv.Atoi(in.Timeout.String())
		if err != nil {
			return nil, ErrMalformed.With("value", "timeout")
		}
		def.TimeoutMinutes = minutes
	}
	var err error
	if def.Tasks, err = flow.DecodeTasks(string(in.Tasks)); err != nil {
		return nil, malformed(err)
	}
	if def.Edges, err = flow.DecodeRelations(string(in.Relations)); err != nil {
		return nil, malformed(err)
	}
	if def.GlobalParams, err = flow.DecodeProperties(string(in.GlobalParams)); err != nil {
		return nil, malformed(err)
	}
	if def.Locations, err = flow.DecodeLocations(string(in.Locations)); err != nil {
		return nil, malformed(err)
	}
	return def, nil
}

// target reads the project and the code of the address; the workflow need not exist.
func (p *pages) target(r *http.Request) (in project.Project, code int64, err error) {
	if in, err = p.inProject(r, Read); err != nil {
		return in, 0, err
	}
	code, err = web.Number(r, "workflow")
	return in, code, err
}

func (p *pages) save(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, code, err := p.target(r)
	if err != nil {
		return nil, err
	}
	if _, err := p.svc.Projects.Require(ctx, in.Code, Edit); err != nil {
		return nil, err
	}
	var body posted
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	def, err := readDefinition(body.Definition)
	if err != nil {
		return nil, err
	}
	change := Change{Definition: def, BaseVersion: body.BaseVersion, Message: strings.TrimSpace(body.Message), Online: body.Online}
	saved, err := p.put(ctx, in, code, change)
	if err != nil {
		return p.refused(ctx, err)
	}
	urls := map[string]string{}
	p.savedAddresses(ctx, urls, in, code)
	return web.JSON(http.StatusOK, map[string]any{
		"code": code, "version": saved.Workflow.Version, "releaseState": saved.Workflow.ReleaseState, "changed": saved.Changed,
		"url": address(in.Code, code), "urls": urls,
	}), nil
}

// put saves a definition under the code that the editor's page has, for the first time or again.
func (p *pages) put(ctx context.Context, in project.Project, code int64, c Change) (Saved, error) {
	_, err := p.svc.In(ctx, in.Code, code)
	switch {
	case err == nil:
		return p.svc.Update(ctx, code, c)
	case !errors.Is(err, ErrNotFound):
		return Saved{}, err
	case c.BaseVersion != 0 || !plausible(code):
		return Saved{}, err // somebody deleted the workflow meanwhile
	}
	c.Definition.Code = code
	return p.svc.Create(ctx, in.Code, c)
}

// shownError is a fault for the editor.
type shownError struct {
	Key     string `json:"key"`
	Message string `json:"message"`
}

func shown(ctx context.Context, key string, err error) shownError {
	return shownError{key, web.Message(ctx, err)}
}

// refused answers a save that failed for a reason that the editor can help with.
func (p *pages) refused(ctx context.Context, err error) (web.Response, error) {
	if stale, ok := errors.AsType[*StaleError](err); ok {
		w := stale.Current
		def, readErr := p.svc.Definition(ctx, w.Code, w.Version)
		if readErr != nil {
			return nil, readErr
		}
		return web.JSON(http.StatusConflict, map[string]any{
			"error": shown(ctx, ErrStale.Key, err),
			"current": map[string]any{
				"version": w.Version, "savedBy": w.ModifierName, "savedAt": w.UpdatedAt, "definition": released{def, w.ReleaseState},
			},
		}), nil
	}
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		return web.JSON(http.StatusUnprocessableEntity, map[string]any{
			"error": shown(ctx, ErrInvalid.Key, ErrInvalid), "problems": problems(ctx, invalid.Problems),
		}), nil
	}
	return nil, err
}

// shownProblem is a problem for the editor.
type shownProblem struct {
	TaskCode int64  `json:"taskCode"`
	Field    string `json:"field"`
	Message  string `json:"message"`
	Severity string `json:"severity"`
}

func problems(ctx context.Context, in []flow.Problem) []shownProblem {
	out := make([]shownProblem, len(in))
	for i, p := range in {
		out[i] = shownProblem{
			p.TaskCode, strings.TrimPrefix(p.Field, "taskParams."), i18n.T(ctx, p.Key, p.Args...), strings.ToLower(string(p.Severity)),
		}
	}
	return out
}

func (p *pages) saveDraft(r *http.Request) (web.Response, error) {
	in, code, err := p.target(r)
	if err != nil {
		return nil, err
	}
	var body posted
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	// A draft may be wrong in every way that its author still works on, but must be of a shape that the editor opens.
	type row = map[string]json.RawMessage
	var shape struct {
		Name         string `json:"name"`
		GlobalParams []row  `json:"globalParams"`
		Tasks        []row  `json:"tasks"`
		Relations    []row  `json:"relations"`
		Locations    []row  `json:"locations"`
	}
	if !bytes.HasPrefix(bytes.TrimSpace(body.Definition), []byte("{")) || json.Unmarshal(body.Definition, &shape) != nil || !plausible(code) {
		return nil, ErrMalformed.With("value", "definition")
	}
	saved, err := p.svc.SaveDraft(r.Context(), Draft{
		WorkflowCode: code, ProjectCode: in.Code, BaseVersion: max(0, body.BaseVersion), Revision: max(0, body.Revision),
		Name: shape.Name, Body: string(body.Definition),
	})
	if late, ok := errors.AsType[*DraftStaleError](err); ok {
		return web.JSON(http.StatusConflict, map[string]any{"error": shown(r.Context(), ErrDraftStale.Key, late), "revision": late.Revision}), nil
	}
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"revision": saved.Revision, "savedAt": saved.UpdatedAt}), nil
}

func (p *pages) deleteDraft(r *http.Request) (web.Response, error) {
	in, code, err := p.target(r)
	if err != nil {
		return nil, err
	}
	if err := p.svc.DiscardDraft(r.Context(), in.Code, code); err != nil {
		return nil, err
	}
	return web.NoContent(), nil
}

func (p *pages) codes(r *http.Request) (web.Response, error) {
	in, err := p.inProject(r, Edit)
	if err != nil {
		return nil, err
	}
	var body struct {
		N int `json:"n"`
	}
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	codes, err := p.svc.NewCodes(r.Context(), in.Code, body.N)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"codes": codes}), nil
}

func (p *pages) check(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, err := p.inProject(r, Read)
	if err != nil {
		return nil, err
	}
	var body posted
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	def, err := readDefinition(body.Definition)
	if err != nil {
		return nil, err
	}
	found, err := p.svc.Check(ctx, in.Code, def)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"problems": problems(ctx, found)}), nil
}

func (p *pages) online(r *http.Request) (web.Response, error)  { return p.turn(r, flow.Online) }
func (p *pages) offline(r *http.Request) (web.Response, error) { return p.turn(r, flow.Offline) }

func (p *pages) turn(r *http.Request, state flow.ReleaseState) (web.Response, error) {
	_, w, err := p.found(r, Release)
	if err != nil {
		return nil, err
	}
	w, err = p.svc.Release(r.Context(), w.Code, state)
	if err != nil {
		return p.refused(r.Context(), err)
	}
	return web.JSON(http.StatusOK, map[string]any{"releaseState": w.ReleaseState}), nil
}
