package workflow

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
	"dorado/modules/project"
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

// routes mounts the endpoints.
func (a api) routes(r chi.Router) {
	e := a.rest.Faults(project.Faults(project.ProjectGone)).Faults(faults())
	// Writing answers another number for a project that does not exist than reading.
	w := a.rest.Faults(project.Faults(dsapi.ProjectMissing)).Faults(faults())
	a.definitions(r, e, w, "/projects/{project}/workflow-definition")
	a.sourceRoutes(r, e, w, "/projects/{project}/workflow-definition")
	a.taskRoutes(r, e, w, "/projects/{project}/task-definition")
	a.relationRoutes(r, e, "/projects/{project}/workflow-task-relation")
	a.lineageRoutes(r, w, "/projects/{project}/lineages")
	a.v2Routes(r, e)
}

func (a api) definitions(r chi.Router, e, w *dsapi.API, base string) {
	r.Post(base, w.Created(10105, a.create))
	r.Get(base, e.OK(10122, a.page))
	r.Get(base+"/list", e.OK(10110, a.list))
	r.Get(base+"/all", e.OK(10110, a.list))
	r.Get(base+"/simple-list", e.OK(10110, a.simple))
	r.Get(base+"/query-by-name", e.OK(10109, a.byName))
	r.Get(base+"/verify-name", e.OK(10106, a.verifyName))
	r.Get(base+"/batch-query-tasks", e.OK(10112, a.batchTasks))
	r.Get(base+"/query-workflow-definition-list", e.OK(10112, a.names))
	r.Get(base+"/query-task-definition-list", e.OK(10112, a.taskNames))
	r.Post(base+"/batch-copy", e.OK(10159, a.batchCopy))
	r.Post(base+"/batch-move", e.Faults(dsapi.Faults{ErrMoved.Key: 10150, ErrNameTaken.Key: 10150}).OK(10160, a.batchMove))
	r.Post(base+"/batch-delete", e.OK(50026, a.batchDelete))
	r.Get(base+"/{code}", e.OK(10109, a.get))
	r.Put(base+"/{code}", w.OK(10107, a.update))
	r.Delete(base+"/{code}", e.OK(50022, a.remove))
	r.Post(base+"/{code}/release", e.OK(10108, a.release))
	r.Get(base+"/{code}/tasks", e.OK(10112, a.tasks))
	r.Get(base+"/{code}/view-variables", e.OK(1300100, a.variables))
	r.Get(base+"/{code}/versions", e.OK(10154, a.versions))
	s := e.Faults(dsapi.Faults{ErrNotFound.Key: 10152, ErrVersionNotFound.Key: 10153})
	r.Get(base+"/{code}/versions/{version}", s.OK(10151, a.switchTo)) // a GET that writes: so clients call it
	r.Post(base+"/{code}/versions/{version}", s.OK(10151, a.switchTo))
	r.Delete(base+"/{code}/versions/{version}", w.OK(10156, a.removeVersion))
}

func faults() dsapi.Faults {
	return dsapi.Faults{
		ErrNotFound.Key: 50003, ErrVersionNotFound.Key: 50003, ErrNameTaken.Key: 10168, ErrOnline.Key: 50008, ErrDeleteOnline.Key: 50021,
		ErrEmpty.Key: 50017, ErrMalformed.Key: 50017, ErrCycle.Key: 50019, ErrTaskInvalid.Key: 50020, ErrEdgeUnknown.Key: 50030,
		ErrTaskNotFound.Key: 50030, errRelation.Key: 50036, ErrDescription.Key: 1400004, ErrInUse.Key: 10163, ErrCurrentVersion.Key: 50053,
		ErrVersionInUse.Key: 10163, ErrTaskCodeTaken.Key: 50017, errNoCodes.Key: 10158, errNoTasks.Key: 50035,
		ErrChildOffline.Key: 50004, ErrNeededOnline.Key: 10163, ErrHasDownstream.Key: 50051, ErrEdgeExists.Key: 50034,
		ErrTaskNeeded.Key: dsapi.Internal, errNothing.Key: 50018,
	}
}

// Faults that only clients of the REST API meet.
var (
	errRelation = fault.New(fault.Invalid, "workflow.relation_invalid")
	errNoCodes  = fault.New(fault.Invalid, "workflow.codes_empty")
	errNoTasks  = fault.New(fault.Conflict, "workflow.no_tasks")
	errNothing  = fault.New(fault.Invalid, "workflow.value_missing")
)

// malformed is the fault of a JSON text that cannot be understood.
func malformed(err error) error {
	wire, ok := errors.AsType[*flow.WireError](err)
	if !ok {
		return err
	}
	if strings.HasSuffix(wire.Path, ".postTaskCode") || strings.HasSuffix(wire.Path, ".preTaskCode") {
		return errRelation.With("value", wire.Error())
	}
	return ErrMalformed.With("value", wire.Error())
}

// where reads the project and, when the path has one, the code of the workflow or task.
func where(p *dsapi.Params) (projectCode, code int64, err error) {
	projectCode, code = p.Path("project"), p.Path("code")
	return projectCode, code, p.Err()
}

func (a api) create(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if _, err := a.svc.Projects.Require(r.Context(), projectCode, Edit); err != nil {
		return nil, err // who may not write learns nothing about the rest
	}
	def, err := decoded(p)
	if err != nil {
		return nil, err
	}
	saved, err := a.svc.Create(r.Context(), projectCode, Change{Definition: def})
	if err != nil {
		return nil, err
	}
	return toDS(saved.Workflow, saved.Definition)
}

func (a api) update(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	if err != nil {
		return nil, err
	}
	w, err := a.svc.in(r.Context(), projectCode, code, Edit)
	if err != nil {
		return nil, err
	}
	if w.Online() {
		return nil, ErrOnline.With("name", w.Name)
	}
	state := p.Enum("releaseState", "ONLINE", "OFFLINE")
	def, err := decoded(p)
	if err != nil {
		return nil, err
	}
	saved, err := a.svc.Update(r.Context(), code, Change{Definition: def, BaseVersion: AnyVersion, Online: state == string(flow.Online)})
	if err != nil {
		return nil, err
	}
	return toDS(saved.Workflow, saved.Definition)
}

// dag answers a workflow with all it consists of.
func (a api) dag(r *http.Request, w Workflow, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	def, err := a.svc.Definition(r.Context(), w.Code, w.Version)
	if err != nil {
		return nil, err
	}
	return toDAG(w, def)
}

func (a api) get(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	if err != nil {
		return nil, err
	}
	w, err := a.svc.In(r.Context(), projectCode, code)
	return a.dag(r, w, err)
}

func (a api) byName(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, name := p.Path("project"), p.RequiredText("name")
	if err := p.Err(); err != nil {
		return nil, err
	}
	w, err := a.svc.ByName(r.Context(), projectCode, name)
	return a.dag(r, w, err)
}

func (a api) list(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	out := []dsDAG{}
	err := a.svc.Definitions(r.Context(), projectCode, func(w Workflow, def *flow.Definition) error {
		dag, err := toDAG(w, def)
		out = append(out, dag)
		return err
	})
	return out, err
}

func (a api) simple(r *http.Request, p *dsapi.Params) (any, error) {
	return each(a, r, p, func(w Workflow) dsName { return dsName{w.ID, w.Code, w.Name, w.ProjectCode} })
}

func (a api) names(r *http.Request, p *dsapi.Params) (any, error) {
	return each(a, r, p, func(w Workflow) dsVersioned { return dsVersioned{w.Code, w.Name, w.Version} })
}

// each converts every workflow of the project in the path.
func each[T any](a api, r *http.Request, p *dsapi.Params, convert func(Workflow) T) (any, error) {
	projectCode := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	all, err := a.svc.All(r.Context(), projectCode)
	out := make([]T, len(all))
	for i, w := range all {
		out[i] = convert(w)
	}
	return out, err
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode := p.Path("project")
	no, size := p.Paging()
	owner := p.Int64("userId", 0)
	if err := p.Err(); err != nil {
		return nil, err
	}
	q := listing.New(Spec(), no, size, p.Text("searchVal"))
	if owner != 0 {
		q = q.WithFilter("owner", strconv.FormatInt(owner, 10))
	}
	page, err := a.svc.List(r.Context(), projectCode, q)
	if err != nil {
		return nil, err
	}
	shown, err := a.shown(r.Context(), page.Items)
	if err != nil {
		return nil, err
	}
	rows := make(map[int64]dsWorkflow, len(shown))
	for _, w := range shown {
		rows[w.Code] = w
	}
	return dsapi.Listed(page, no, size, func(w Workflow) dsWorkflow { return rows[w.Code] }), nil
}

// shown are the rows of a list of workflows, with their schedules.
func (a api) shown(ctx context.Context, list []Workflow) ([]dsWorkflow, error) {
	codes := make([]int64, len(list))
	for i, w := range list {
		codes[i] = w.Code
	}
	timed, err := a.svc.timetable(ctx, codes)
	if err != nil {
		return nil, err
	}
	out := make([]dsWorkflow, len(list))
	for i, w := range list {
		def, err := a.svc.Definition(ctx, w.Code, w.Version)
		if err != nil {
			return nil, err
		}
		if out[i], err = toDS(w, def); err != nil {
			return nil, err
		}
		if t, ok := timed[w.Code]; ok {
			state := string(t.State)
			out[i].ScheduleReleaseState, out[i].Schedule = &state, t.Object
		}
	}
	return out, nil
}

func (a api) verifyName(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, name := p.Path("project"), p.RequiredText("name")
	code := p.Int64("workflowDefinitionCode", p.Int64("code", 0))
	if err := p.Err(); err != nil {
		return nil, err
	}
	taken, err := a.svc.NameTaken(r.Context(), projectCode, name, code)
	if err == nil && taken {
		err = ErrNameTaken.With("name", strings.TrimSpace(name))
	}
	return nil, err
}

func (a api) release(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	if err != nil {
		return nil, err
	}
	p.RequiredText("releaseState")
	state := flow.ReleaseState(p.Enum("releaseState", "ONLINE", "OFFLINE"))
	if err := p.Err(); err != nil {
		return nil, err
	}
	if _, err := a.svc.In(r.Context(), projectCode, code); err != nil {
		return nil, err
	}
	if state == "" {
		return nil, &dsapi.ParamError{Name: "releaseState", Missing: true}
	}
	if _, err = a.svc.Release(r.Context(), code, state); errors.Is(err, ErrEmpty) {
		err = errNoTasks
	}
	return true, err
}

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	if err != nil {
		return nil, err
	}
	if _, err := a.svc.In(r.Context(), projectCode, code); err != nil {
		return nil, err
	}
	return nil, a.svc.Delete(r.Context(), code)
}

// chosen reads a list of workflow codes, all of them in the project of the path.
func (a api) chosen(r *http.Request, p *dsapi.Params) ([]int64, error) {
	projectCode, codes := p.Path("project"), p.Int64s("codes")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if _, err := a.svc.Projects.Require(r.Context(), projectCode, Read); err != nil {
		return nil, err
	}
	if len(codes) == 0 {
		return nil, errNoCodes
	}
	for _, code := range codes {
		if _, err := a.svc.In(r.Context(), projectCode, code); err != nil {
			return nil, err
		}
	}
	return codes, nil
}

func (a api) batchDelete(r *http.Request, p *dsapi.Params) (any, error) {
	codes, err := a.chosen(r, p)
	if err != nil {
		return nil, err
	}
	return nil, a.svc.DeleteAll(r.Context(), codes)
}

func (a api) batchCopy(r *http.Request, p *dsapi.Params) (any, error) {
	target := p.RequiredInt64("targetProjectCode")
	codes, err := a.chosen(r, p)
	if err != nil {
		return nil, err
	}
	for _, code := range codes {
		if _, err := a.svc.Copy(r.Context(), code, target); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (a api) batchMove(r *http.Request, p *dsapi.Params) (any, error) {
	target := p.RequiredInt64("targetProjectCode")
	codes, err := a.chosen(r, p)
	if err != nil || target == p.Path("project") {
		return nil, err
	}
	return nil, a.svc.Move(r.Context(), codes, target)
}

func (a api) tasks(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	if err != nil {
		return nil, err
	}
	w, def, err := a.current(r, projectCode, code)
	if err != nil {
		return nil, err
	}
	return plainTasks(w, def), nil
}

func (a api) current(r *http.Request, projectCode, code int64) (Workflow, *flow.Definition, error) {
	w, err := a.svc.In(r.Context(), projectCode, code)
	if err != nil {
		return w, nil, err
	}
	def, err := a.svc.Definition(r.Context(), code, w.Version)
	return w, def, err
}

func (a api) batchTasks(r *http.Request, p *dsapi.Params) (any, error) {
	codes, err := a.chosen(r, p)
	if err != nil {
		return nil, err
	}
	out := make(map[string][]dsTask, len(codes))
	for _, code := range codes {
		w, def, err := a.current(r, p.Path("project"), code)
		if err != nil {
			return nil, err
		}
		out[strconv.FormatInt(code, 10)] = plainTasks(w, def)
	}
	return out, nil
}

func (a api) taskNames(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code := p.Path("project"), p.RequiredInt64("workflowDefinitionCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	_, def, err := a.current(r, projectCode, code)
	if err != nil {
		return nil, err
	}
	out := make([]dsVersioned, len(def.Tasks))
	for i, t := range def.Tasks {
		out[i] = dsVersioned{t.Code, t.Name, t.Version}
	}
	return out, nil
}

// dsLocal are the parameters of one task.
type dsLocal struct {
	TaskType string          `json:"taskType"`
	Params   []flow.Property `json:"localParamsList"`
}

func (a api) variables(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	if err != nil {
		return nil, err
	}
	w, def, err := a.current(r, projectCode, code)
	if err != nil {
		return nil, err
	}
	locals := make(map[string]dsLocal, len(def.Tasks))
	for _, t := range def.Tasks {
		if list := toDSTask(w, t).TaskParamList; len(list) > 0 {
			locals[t.Name] = dsLocal{t.Type, list}
		}
	}
	return struct {
		Globals []flow.Property    `json:"globalParams"`
		Locals  map[string]dsLocal `json:"localParams"`
	}{def.GlobalParams, locals}, nil
}

func (a api) versions(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	no, size := p.Paging()
	if err := errors.Join(err, p.Err()); err != nil {
		return nil, err
	}
	w, err := a.svc.In(r.Context(), projectCode, code)
	if err != nil {
		return nil, err
	}
	list, total, err := a.svc.Versions(r.Context(), code, size, (no-1)*size)
	if err != nil {
		return nil, err
	}
	rows := make([]dsWorkflowLog, len(list))
	for i, v := range list {
		def, err := a.svc.Definition(r.Context(), code, v.Version)
		if err != nil {
			return nil, err
		}
		if rows[i], err = toDSLog(w, v, def); err != nil {
			return nil, err
		}
	}
	return dsapi.Page(rows, int64(total), no, size), nil
}

// switchTo makes an old version current by saving it again: history is never rewritten.
func (a api) switchTo(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	version := p.Path("version")
	if err := errors.Join(err, p.Err()); err != nil {
		return nil, err
	}
	if _, err := a.svc.In(r.Context(), projectCode, code); err != nil {
		return nil, err
	}
	_, err = a.svc.Restore(r.Context(), code, int(version), "")
	return nil, err
}

func (a api) removeVersion(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	version := p.Path("version")
	if err := errors.Join(err, p.Err()); err != nil {
		return nil, err
	}
	if _, err := a.svc.In(r.Context(), projectCode, code); err != nil {
		return nil, err
	}
	return nil, a.svc.DeleteVersion(r.Context(), code, int(version))
}

// maxGenerated is how many task codes clients may ask for at once.
const maxGenerated = 100

func (a api) genCodes(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, n := p.Path("project"), p.RequiredInt("genNum")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if n > maxGenerated {
		return nil, ErrMalformed.With("value", n)
	}
	return a.svc.NewCodes(r.Context(), projectCode, n)
}

func (a api) task(r *http.Request, p *dsapi.Params) (any, error) {
	projectCode, code, err := where(p)
	if err != nil {
		return nil, err
	}
	w, def, at, err := a.svc.Task(r.Context(), projectCode, code)
	if err != nil {
		return nil, err
	}
	around := edges(w, def, func(e dsEdge) bool { return e.PreTaskCode == code || e.PostTaskCode == code })
	return dsTaskVO{toDSTask(w, def.Tasks[at]), around}, nil
}
