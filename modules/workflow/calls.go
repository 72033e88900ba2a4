package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/project"
)

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
	change := Change{Definition: def, BaseVersion: body.BaseVersion, Message: strings.TrimSpace(body.Message), Online: body.Online, Source: sourceIn(body.Definition)}
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
	in, code, err := p.target(r)
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
	def.Code = code // what it starts must not start it
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
