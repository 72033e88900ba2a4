package workflow

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

// Tasks are parts of workflows here, so all that clients do to a task makes a new version of its workflow (ADR 2, ADR 23).

func (a api) taskRoutes(r chi.Router, e, w *dsapi.API, base string) {
	r.Get(base+"/gen-task-codes", e.OK(10049, a.genCodes))
	r.Get(base, e.OK(50044, a.taskPage))
	r.Post(base, w.Created(50037, a.holdTasks))
	r.Post(base+"/save-single", w.Created(50037, a.addTask))
	r.Get(base+"/{code}", e.OK(50043, a.task))
	r.Put(base+"/{code}", w.Faults(dsapi.Faults{ErrOnline.Key: 50056}).OK(50038, a.changeTask))
	r.Delete(base+"/{code}", w.Faults(dsapi.Faults{ErrOnline.Key: 50050, ErrTaskNeeded.Key: 10194}).OK(50042, a.removeTask))
	r.Put(base+"/{code}/with-upstream", w.Faults(dsapi.Faults{ErrOnline.Key: 50057}).OK(50038, a.changeTaskAndUpstream))
	r.Post(base+"/{code}/release", e.OK(50046, a.releaseTask))
	r.Get(base+"/{code}/versions", e.OK(50039, a.taskVersions))
	s := e.Faults(dsapi.Faults{ErrOnline.Key: 50021})
	r.Get(base+"/{code}/versions/{version}", s.OK(50040, a.switchTask)) // a GET that writes: so clients call it
	r.Post(base+"/{code}/versions/{version}", s.OK(50040, a.switchTask))
	r.Delete(base+"/{code}/versions/{version}", w.Faults(dsapi.Faults{ErrVersionInUse.Key: 50041}).OK(50041, a.removeTaskVersion))
}

// oneTask reads the JSON text of a single task.
func oneTask(text string) (flow.Task, error) {
	if !strings.HasPrefix(strings.TrimSpace(text), "[") {
		text = "[" + text + "]"
	}
	list, err := flow.DecodeTasks(text)
	if err != nil {
		return flow.Task{}, malformed(err)
	}
	if len(list) != 1 {
		return flow.Task{}, ErrMalformed.With("value", "taskDefinitionJsonObj")
	}
	return list[0], nil
}

// editable checks that the caller may write before anything he sent is looked at.
func (a api) editable(r *http.Request, p *dsapi.Params) (projectCode, code int64, err error) {
	projectCode = p.Path("project")
	if chi.URLParam(r, "code") != "" {
		code = p.Path("code")
	}
	if err := p.Err(); err != nil {
		return 0, 0, err
	}
	_, err = a.svc.Projects.Require(r.Context(), projectCode, Edit)
	return projectCode, code, err
}

// replaceTask gives the task of the path the content of the parameter.
func (a api) replaceTask(r *http.Request, p *dsapi.Params, upstream *[]int64) (any, error) {
	projectCode, code, err := a.editable(r, p)
	if err != nil {
		return nil, err
	}
	next, err := oneTask(p.RequiredText("taskDefinitionJsonObj"))
	if err := errors.Join(p.Err(), err); err != nil {
		return nil, err
	}
	_, err = a.svc.ChangeTask(r.Context(), projectCode, code, upstream, func(t *flow.Task) error {
		*t = next
		return nil
	})
	return code, err
}

func (a api) changeTask(r *http.Request, p *dsapi.Params) (any, error) {
	return a.replaceTask(r, p, nil)
}

// changeTaskAndUpstream replaces what a task waits for, too: nothing when the list is empty.
func (a api) changeTaskAndUpstream(r *http.Request, p *dsapi.Params) (any, error) {
	codes := p.Int64s("upstreamCodes")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return a.replaceTask(r, p, &codes)
}

// holdTasks stores tasks that a client of DolphinScheduler 3.2 puts into a workflow later.
func (a api) holdTasks(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, _, err := a.editable(r, p)
	if err != nil {
		return nil, err
	}
	tasks, err := flow.DecodeTasks(p.RequiredText("taskDefinitionJson"))
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, malformed(err)
	}
	if len(tasks) == 0 {
		return nil, ErrEmpty
	}
	saved, err := a.svc.Hold(r.Context(), projectCode, tasks)
	if err != nil {
		return nil, err
	}
	codes := make([]string, len(tasks))
	for i, t := range saved.Definition.Tasks {
		codes[i] = number64(t.Code)
	}
	return struct {
		Total int    `json:"total"`
		Code  string `json:"code"`
	}{len(codes), strings.Join(codes, ",")}, nil
}

func (a api) addTask(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, _, err := a.editable(r, p)
	if err != nil {
		return nil, err
	}
	code, upstream := p.RequiredInt64("workflowDefinitionCode"), p.Int64s("upstreamCodes")
	text := p.RequiredText("taskDefinitionJsonObj")
	if err := p.Err(); err != nil {
		return nil, err
	}
	t, err := oneTask(text)
	if err != nil {
		return nil, err
	}
	saved, t, err := a.svc.AddTask(r.Context(), projectCode, code, t, upstream)
	return toDSTask(saved.Workflow, t), err
}

func (a api) removeTask(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := a.editable(r, p)
	if err != nil {
		return nil, err
	}
	w, err := a.svc.TaskHome(r.Context(), projectCode, code)
	if err != nil {
		return nil, err
	}
	_, err = a.svc.RemoveTask(r.Context(), projectCode, w.Code, code)
	return nil, err
}

// releaseTask switches a task on, or off: then runs pass through it.
func (a api) releaseTask(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	state := p.Enum("releaseState", "ONLINE", "OFFLINE")
	if err := errors.Join(err, p.Err()); err != nil {
		return nil, err
	}
	_, err = a.svc.ChangeTask(r.Context(), projectCode, code, nil, func(t *flow.Task) error {
		t.Flag = flow.FlagNo
		if state == string(flow.Online) {
			t.Flag = flow.FlagYes
		}
		return nil
	})
	return nil, err
}

func (a api) taskVersions(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	no, size := p.Paging()
	if err := errors.Join(err, p.Err()); err != nil {
		return nil, err
	}
	w, all, err := a.svc.TaskVersions(r.Context(), projectCode, code)
	if err != nil {
		return nil, err
	}
	from := min((no-1)*size, len(all))
	rows := make([]dsTaskLog, 0, size)
	for _, v := range all[from:min(from+size, len(all))] {
		at := dsapi.Time(v.SavedAt)
		t := toDSTask(w, v.Task)
		t.UpdateTime = at
		rows = append(rows, dsTaskLog{t, v.OperatorID, at})
	}
	return dsapi.Page(rows, int64(len(all)), no, size), nil
}

// switchTask makes an old version current by saving it again: history is never rewritten.
func (a api) switchTask(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	version := p.Path("version")
	if err := errors.Join(err, p.Err()); err != nil {
		return nil, err
	}
	_, err = a.svc.RestoreTask(r.Context(), projectCode, code, int(version))
	return nil, err
}

func (a api) removeTaskVersion(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := a.editable(r, p)
	version := p.Path("version")
	if err := errors.Join(err, p.Err()); err != nil {
		return nil, err
	}
	return nil, a.svc.DeleteTaskVersion(r.Context(), projectCode, code, int(version))
}

// dsTaskMain is a task in the list of DolphinScheduler 3.2. The older names are the only ones it ever had.
type dsTaskMain struct {
	ID              int64             `json:"id"`
	Name            string            `json:"taskName"`
	Code            int64             `json:"taskCode"`
	Version         int               `json:"taskVersion"`
	Type            string            `json:"taskType"`
	CreateTime      dsapi.Time        `json:"taskCreateTime"`
	UpdateTime      dsapi.Time        `json:"taskUpdateTime"`
	ProjectCode     int64             `json:"projectCode"`
	WorkflowCode    int64             `json:"processDefinitionCode"`
	WorkflowVersion int               `json:"processDefinitionVersion"`
	WorkflowName    string            `json:"processDefinitionName"`
	WorkflowState   flow.ReleaseState `json:"processReleaseState"`
	Upstream        map[string]string `json:"upstreamTaskMap"`
	UpstreamCode    int64             `json:"upstreamTaskCode"`
	UpstreamName    *string           `json:"upstreamTaskName"`
}

func (a api) taskPage(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode := p.Path("project")
	no, size := p.Paging()
	q := Search{
		Project: projectCode, Name: p.Text("searchTaskName"), Type: p.Text("taskType"),
		Execute: flow.ExecuteType(p.Enum("taskExecuteType", "BATCH", "STREAM")),
	}
	if q.Execute == "" {
		q.Execute = flow.Batch
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	found, total, err := a.svc.FindTasks(r.Context(), q, size, (no-1)*size)
	if err != nil {
		return nil, err
	}
	rows := make([]dsTaskMain, len(found))
	for i, f := range found {
		w, t := f.Workflow, f.Task
		rows[i] = dsTaskMain{
			ID: rowID(t.Code), Name: t.Name, Code: t.Code, Version: t.Version, Type: t.Type, CreateTime: dsapi.Time(w.CreatedAt), UpdateTime: dsapi.Time(w.UpdatedAt),
			ProjectCode: w.ProjectCode, WorkflowCode: w.Code, WorkflowVersion: w.Version, WorkflowName: w.Name, WorkflowState: w.ReleaseState,
			Upstream: map[string]string{},
		}
		for code, name := range f.Upstream {
			rows[i].Upstream[number64(code)] = name
			if len(f.Upstream) == 1 {
				rows[i].UpstreamCode, rows[i].UpstreamName = code, &name
			}
		}
	}
	return dsapi.Page(rows, int64(total), no, size), nil
}

// merged overlays a task with the members of a JSON object; what is missing or null stays.
func merged(t flow.Task, members map[string]json.RawMessage) (flow.Task, error) {
	own, err := json.Marshal(t)
	if err != nil {
		return t, wrap(err, "encode task")
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(own, &all); err != nil {
		return t, wrap(err, "encode task")
	}
	for name, value := range members {
		if _, known := all[name]; known && string(value) != "null" {
			all[name] = value
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return t, wrap(err, "encode task")
	}
	return oneTask(string(text))
}
