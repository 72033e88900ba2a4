package workflow

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

func (a api) relationRoutes(r chi.Router, e *dsapi.API, base string) {
	e = e.Faults(dsapi.Faults{ErrEdgeMissing.Key: 50017})
	r.Post(base, e.Created(50032, a.connect))
	r.Delete(base+"/{code}", e.OK(50048, a.removeFrom))
	r.Delete(base+"/{code}/upstream", e.OK(50048, a.cutUpstream))
	r.Delete(base+"/{code}/downstream", e.OK(50048, a.cutDownstream))
	r.Get(base+"/{code}/upstream", e.OK(50049, a.upstreamOf))
	r.Get(base+"/{code}/downstream", e.OK(50049, a.downstreamOf))
	cut := e.Faults(dsapi.Faults{ErrEdgeMissing.Key: 50055})
	r.Delete(base+"/{workflow}/{pre}/{post}", cut.OK(50055, a.cutEdge))
}

// written answers what a change of edges left.
func written(saved Saved, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return toDS(saved.Workflow, saved.Definition)
}

func (a api) connect(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code := p.Path("project"), p.RequiredInt64("workflowDefinitionCode")
	pre, post := p.RequiredInt64("preTaskCode"), p.RequiredInt64("postTaskCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if pre < 0 || post <= 0 {
		return nil, ErrMalformed.With("value", "postTaskCode")
	}
	return written(a.svc.Connect(r.Context(), projectCode, code, pre, post))
}

func (a api) removeFrom(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, task := p.Path("project"), p.Path("code")
	code := p.RequiredInt64("workflowDefinitionCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return written(a.svc.RemoveTask(r.Context(), projectCode, code, task))
}

func (a api) cutUpstream(r *http.Request, p *dsapi.Params) (any, error) {
	return a.cut(r, p, "preTaskCodes")
}

func (a api) cutDownstream(r *http.Request, p *dsapi.Params) (any, error) {
	return a.cut(r, p, "postTaskCodes")
}

// cut removes the edges between the task of the path and those that a parameter lists, on the side that its name says.
func (a api) cut(r *http.Request, p *dsapi.Params, name string) (any, error) {
	projectCode, task, err := a.editable(r, p)
	if err != nil {
		return nil, err
	}
	p.RequiredText(name)
	codes, err := listed(p, name)
	if err != nil {
		return nil, err
	}
	w, err := a.svc.TaskHome(r.Context(), projectCode, task)
	if err != nil {
		return nil, err
	}
	if name == "preTaskCodes" {
		return written(a.svc.Disconnect(r.Context(), projectCode, w.Code, codes, []int64{task}))
	}
	return written(a.svc.Disconnect(r.Context(), projectCode, w.Code, []int64{task}, codes))
}

// listed reads a list of codes of tasks that must name one at least. 0, a root's edge, is no edge here and left out.
func listed(p *dsapi.Params, name string) ([]int64, error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
	texts := p.List(name)
	if len(texts) == 0 {
		return nil, errNothing.With("name", name)
	}
	var codes []int64
	for _, text := range texts {
		code, err := strconv.ParseInt(text, 10, 64)
		if err != nil || code < 0 {
			return nil, ErrMalformed.With("value", text)
		}
		if code > 0 && !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return codes, nil
}

func (a api) upstreamOf(r *http.Request, p *dsapi.Params) (any, error) {
	return a.neighbours(r, p, upstream)
}

func (a api) downstreamOf(r *http.Request, p *dsapi.Params) (any, error) {
	return a.neighbours(r, p, downstream)
}

// neighbours lists the tasks on one side of a task; of one that there is not, nothing.
func (a api) neighbours(r *http.Request, p *dsapi.Params, side func(*flow.Definition, int64) []int64) (any, error) {
	projectCode, task, err := where(p)
	if err != nil {
		return nil, err
	}
	w, def, _, err := a.svc.Task(r.Context(), projectCode, task)
	if f := fault.From(err); f != nil && f.Key == ErrTaskNotFound.Key {
		return []dsTaskLog{}, nil
	}
	if err != nil {
		return nil, err
	}
	codes := side(def, task)
	out := slices.DeleteFunc(taskLogs(w, def), func(t dsTaskLog) bool { return !slices.Contains(codes, t.Code) })
	return out, nil
}

func (a api) cutEdge(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code := p.Path("project"), p.Path("workflow")
	pre, post := p.Path("pre"), p.Path("post")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return written(a.svc.Disconnect(r.Context(), projectCode, code, []int64{pre}, []int64{post}))
}

// Version 2.

// home finds the workflow in which a task is, in whatever project; what whoever acts may not see is not there.
func (a api) home(r *http.Request, task int64) (Workflow, error) {
	projectCode, err := a.svc.TaskProject(r.Context(), task)
	if err != nil {
		return Workflow{}, err
	}
	return a.svc.TaskHome(r.Context(), projectCode, task)
}

// connectV2 adds an edge and answers it.
func (a api) connectV2(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.RequiredInt64("workflowCode", "workflowDefinitionCode")
	pre, post := p.RequiredInt64("preTaskCode"), p.RequiredInt64("postTaskCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if pre < 0 || post <= 0 {
		return nil, ErrMalformed.With("value", "postTaskCode")
	}
	w, err := a.svc.Get(r.Context(), code)
	if err != nil {
		return nil, err
	}
	saved, err := a.svc.Connect(r.Context(), w.ProjectCode, code, pre, post)
	if err != nil {
		return nil, err
	}
	made := edges(saved.Workflow, saved.Definition, func(e dsEdge) bool { return e.PostTaskCode == post && (e.PreTaskCode == pre || pre == 0) })
	if len(made) == 0 {
		return nil, ErrEdgeMissing.With("pre", pre, "post", post)
	}
	return made[0], nil
}

// cutV2 removes the edge that "pre,post" in the address names.
func (a api) cutV2(r *http.Request, _ *dsapi.Params) (any, error) {
	pair, err := url.PathUnescape(chi.URLParam(r, "pair")) // some clients encode the comma
	if err != nil {
		return nil, &dsapi.ParamError{Name: "code-pair"}
	}
	from, to, _ := strings.Cut(pair, ",")
	pre, err1 := strconv.ParseInt(strings.TrimSpace(from), 10, 64)
	post, err2 := strconv.ParseInt(strings.TrimSpace(to), 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return nil, &dsapi.ParamError{Name: "code-pair"}
	}
	w, err := a.home(r, post)
	if err != nil {
		return nil, err
	}
	_, err = a.svc.Disconnect(r.Context(), w.ProjectCode, w.Code, []int64{pre}, []int64{post})
	return nil, err
}

// upstreamV2 makes a task wait for just the tasks of a list and answers the edges that end at it.
func (a api) upstreamV2(r *http.Request, p *dsapi.Params) (any, error) {
	task := p.Path("pair")
	p.RequiredText("upstreams")
	codes := p.Int64s("upstreams")
	if err := p.Err(); err != nil {
		return nil, err
	}
	w, err := a.home(r, task)
	if err != nil {
		return nil, err
	}
	if asked := p.Int64("workflowCode", w.Code); p.Err() == nil && asked != w.Code && asked != 0 {
		return nil, ErrTaskNotFound.With("codes", task)
	}
	codes = slices.DeleteFunc(codes, func(code int64) bool { return code == 0 })
	saved, err := a.svc.SetUpstream(r.Context(), w.Code, task, codes)
	if err != nil {
		return nil, err
	}
	return edges(saved.Workflow, saved.Definition, func(e dsEdge) bool { return e.PostTaskCode == task }), p.Err()
}
