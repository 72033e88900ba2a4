package workflow

import (
	"cmp"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
	flowtext "dorado/modules/flow/text"
)

// sourceRoutes mounts what DolphinScheduler does not have: workflows as YAML, for files under version control.
func (a api) sourceRoutes(r chi.Router, e, w *dsapi.API, base string) {
	bad := dsapi.Faults{ErrSource.Key: 50017, ErrStale.Key: 50017}
	r.Post(base+"/yaml", w.Faults(bad).OK(10105, a.importSource))
	r.Get(base+"/{code}/yaml", e.OK(10109, a.source))
	r.Put(base+"/{code}/yaml", w.Faults(bad).OK(10107, a.importSource))
}

// dsSource is a workflow as YAML.
type dsSource struct {
	Code         int64             `json:"code"`
	Name         string            `json:"name"`
	Version      int               `json:"version"`
	ReleaseState flow.ReleaseState `json:"releaseState"`
	YAML         string            `json:"yaml"`
}

func (a api) source(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	if err != nil {
		return nil, err
	}
	version := p.Int("version", 0)
	style := flowtext.Style{Codes: p.Bool("codes", false), Layout: p.Bool("layout", true), Schedules: p.Bool("schedules", true)}
	if err := p.Err(); err != nil {
		return nil, err
	}
	w, err := a.svc.In(r.Context(), projectCode, code)
	if err != nil {
		return nil, err
	}
	src, err := a.svc.Source(r.Context(), code, version, style)
	return dsSource{w.Code, w.Name, cmp.Or(version, w.Version), w.ReleaseState, src}, err
}

// dsImported says what an import did, or would do.
type dsImported struct {
	Code         int64             `json:"code"`
	Name         string            `json:"name"`
	Version      int               `json:"version"`
	ReleaseState flow.ReleaseState `json:"releaseState"`
	Created      bool              `json:"created"`
	Changed      bool              `json:"changed"`
	Problems     []SourceProblem   `json:"problems"`
}

// importSource saves a text, or with dryRun only says what that would do. The PUT names the workflow to change, the
// POST finds it by the name in the text, or creates it.
func (a api) importSource(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode := p.Path("project")
	target := int64(0)
	if r.Method == http.MethodPut {
		target = p.Path("code")
	}
	src, message, dry := p.RequiredText("yaml"), p.Text("message"), p.Bool("dryRun", false)
	base := p.Int("baseVersion", AnyVersion)
	state := p.Enum("releaseState", "ONLINE", "OFFLINE")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ctx := r.Context()
	if _, err := a.svc.Projects.Require(ctx, projectCode, Edit); err != nil {
		return nil, err
	}
	found, err := a.svc.PreviewImport(ctx, projectCode, target, src)
	if err != nil {
		return nil, err
	}
	if dry {
		out := dsImported{
			Code: found.Code, Name: found.Name, Version: found.Version, ReleaseState: flow.Offline, Created: found.Code == 0,
			Changed: !found.Same, Problems: found.Problems,
		}
		if found.Online {
			out.ReleaseState = flow.Online
		}
		return out, nil
	}
	saved, err := a.svc.ImportSource(ctx, projectCode, target, src, message, base, state == string(flow.Online))
	if err != nil {
		return nil, err
	}
	w := saved.Workflow
	return dsImported{
		Code: w.Code, Name: w.Name, Version: w.Version, ReleaseState: w.ReleaseState, Created: found.Code == 0, Changed: saved.Changed, Problems: found.Problems,
	}, nil
}
