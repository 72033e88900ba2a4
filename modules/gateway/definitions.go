package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	"dorado/modules/flow"
	"dorado/modules/gateway/py4j"
	"dorado/modules/identity"
	"dorado/modules/project"
	"dorado/modules/schedule"
	"dorado/modules/workflow"
)

// submission is what createOrUpdateWorkflow is given, in whichever form.
type submission struct {
	project, name, description  string
	globals, timing             string // JSON; timing "" = no schedule
	scheduleOnline              bool
	warning                     string
	warningGroup, timeout       int64
	workerGroup                 string
	tenant                      string // "" = that of the user
	online                      bool
	relations, tasks, locations string // JSON
	execution                   string
}

func (e *entry) createOrUpdateWorkflow(ctx context.Context, a args) (py4j.Value, error) {
	return e.submit(ctx, a.text(0), submission{
		project: a.text(1), name: a.text(2), description: a.text(3), globals: a.text(4), timing: a.text(5), scheduleOnline: a.truth(6),
		warning: a.text(7), warningGroup: a.number(8), timeout: a.number(9), workerGroup: a.text(10), online: a.number(11) == 1,
		relations: a.text(12), tasks: a.text(13), execution: a.text(15),
	})
}

// createOrUpdate31 is what 3.1 called it.
func (e *entry) createOrUpdate31(ctx context.Context, a args) (py4j.Value, error) {
	return e.submit(ctx, a.text(0), submission{
		project: a.text(1), name: a.text(2), description: a.text(3), globals: a.text(4), timing: a.text(5), scheduleOnline: true,
		warning: a.text(6), warningGroup: a.number(7), timeout: a.number(8), workerGroup: a.text(9), tenant: a.text(10),
		online: a.number(11) == 1, relations: a.text(12), tasks: a.text(13), execution: a.text(15),
	})
}

// createOrUpdate30 is what 3.0 called it.
func (e *entry) createOrUpdate30(ctx context.Context, a args) (py4j.Value, error) {
	return e.submit(ctx, a.text(0), submission{
		project: a.text(1), name: a.text(2), description: a.text(3), globals: a.text(4), timing: a.text(5), scheduleOnline: true,
		warning: a.text(6), warningGroup: a.number(7), locations: a.text(8), timeout: a.number(9), workerGroup: a.text(10),
		tenant: a.text(11), online: a.number(12) == 1, relations: a.text(13), tasks: a.text(14), execution: a.text(15),
	})
}

// submit saves a workflow with its schedule and its state: all of it or nothing.
func (e *entry) submit(ctx context.Context, user string, s submission) (py4j.Value, error) {
	ctx, u, err := e.as(ctx, user)
	if err != nil {
		return py4j.Value{}, err
	}
	in, err := e.projectNamed(ctx, s.project)
	if err != nil {
		return py4j.Value{}, err
	}
	if err := e.place(ctx, u, &s); err != nil {
		return py4j.Value{}, err
	}
	def, err := s.definition()
	if err != nil {
		return py4j.Value{}, err
	}
	e.given.withNames(def.Tasks)
	var code int64
	err = e.DB.InTx(ctx, func(ctx context.Context) error {
		saved, err := e.save(ctx, in.Code, def, s.online)
		if err != nil {
			return err
		}
		code = saved.Workflow.Code
		if err := e.timed(ctx, saved.Workflow, s); err != nil {
			return err
		}
		return e.released(ctx, code, s.online)
	})
	return py4j.OfLong(code), err
}

// place decides as which tenant the schedule runs.
func (e *entry) place(ctx context.Context, u identity.User, s *submission) error {
	if s.tenant == "" {
		t, err := e.tenantOf(ctx, u)
		s.tenant = t.Code
		return err
	}
	t, found, err := e.tenantByCode(ctx, s.tenant)
	if err == nil && !found {
		err = illegal("Tenant " + s.tenant + " does not exist")
	}
	s.tenant = t.Code
	return err
}

// projectNamed is a project of whoever acts; the message names one that does not exist.
func (e *entry) projectNamed(ctx context.Context, name string) (project.Project, error) {
	p, err := e.Projects.Named(ctx, name)
	if errors.Is(err, project.ErrNotFound) {
		err = illegal("Project " + name + " does not exist")
	}
	return p, err
}

// definition reads the JSON texts.
func (s submission) definition() (*flow.Definition, error) {
	execution, err := flow.ParseExecutionType(s.execution)
	if err != nil {
		return nil, illegal(err.Error())
	}
	def := &flow.Definition{Name: s.name, Description: s.description, TimeoutMinutes: int(s.timeout), ExecutionType: execution}
	if def.Tasks, err = flow.DecodeTasks(s.tasks); err != nil {
		return nil, malformed(err)
	}
	if def.Edges, err = flow.DecodeRelations(s.relations); err != nil {
		return nil, malformed(err)
	}
	if def.GlobalParams, err = flow.DecodeProperties(s.globals); err != nil {
		return nil, malformed(err)
	}
	if def.Locations, err = flow.DecodeLocations(s.locations); err != nil {
		return nil, malformed(err)
	}
	return def, nil
}

func malformed(err error) error {
	if wire, ok := errors.AsType[*flow.WireError](err); ok {
		return workflow.ErrMalformed.With("value", wire.Error())
	}
	return err
}

// save makes the definition the workflow of its name, or the next version of it. One that is online stays online when it
// is to be in the end: workflows that start it may need it.
func (e *entry) save(ctx context.Context, in int64, def *flow.Definition, online bool) (workflow.Saved, error) {
	w, err := e.Workflows.ByName(ctx, in, def.Name)
	if errors.Is(err, workflow.ErrNotFound) {
		return e.Workflows.Create(ctx, in, workflow.Change{Definition: def})
	}
	if err != nil {
		return workflow.Saved{}, err
	}
	if len(def.Locations) == 0 {
		if err := e.keepLocations(ctx, w, def); err != nil {
			return workflow.Saved{}, err
		}
	}
	stays := online && w.Online()
	if w.Online() && !stays {
		if _, err := e.Workflows.Release(ctx, w.Code, flow.Offline); err != nil {
			return workflow.Saved{}, err
		}
	}
	return e.Workflows.Update(ctx, w.Code, workflow.Change{Definition: def, BaseVersion: workflow.AnyVersion, Online: stays})
}

// keepLocations leaves tasks where somebody put them in the editor: scripts know nothing of that.
func (e *entry) keepLocations(ctx context.Context, w workflow.Workflow, def *flow.Definition) error {
	last, err := e.Workflows.Definition(ctx, w.Code, w.Version)
	if err != nil {
		return err
	}
	for _, l := range last.Locations {
		if slices.ContainsFunc(def.Tasks, func(t flow.Task) bool { return t.Code == l.TaskCode }) {
			def.Locations = append(def.Locations, l)
		}
	}
	return nil
}

// released brings a workflow into a state.
func (e *entry) released(ctx context.Context, code int64, online bool) error {
	w, err := e.Workflows.Get(ctx, code)
	if err != nil || w.Online() == online {
		return err
	}
	state := flow.Offline
	if online {
		state = flow.Online
	}
	_, err = e.Workflows.Release(ctx, code, state)
	return err
}

// timing is the JSON text of a schedule.
type timing struct {
	Start   string `json:"startTime"`
	End     string `json:"endTime"`
	Crontab string `json:"crontab"`
	Zone    string `json:"timezoneId"`
}

// timed gives the workflow its schedule. Clients know of one; the oldest counts.
func (e *entry) timed(ctx context.Context, w workflow.Workflow, s submission) error {
	if strings.TrimSpace(s.timing) == "" {
		return nil
	}
	var t timing
	if err := json.Unmarshal([]byte(s.timing), &t); err != nil {
		return illegal("The schedule is not JSON: " + err.Error())
	}
	warning, err := flow.ParseWarningType(s.warning)
	if err != nil {
		return illegal(err.Error())
	}
	there, err := e.Schedules.OfWorkflow(ctx, w.ProjectCode, w.Code)
	if err != nil {
		return err
	}
	d := schedule.Draft{}
	if len(there) > 0 {
		d = there[0].Draft()
	}
	d.Start, d.End, d.Crontab, d.TimeZone = t.Start, t.End, t.Crontab, t.Zone
	d.FailureStrategy, d.Priority, d.WarningType, d.WarningGroupID = flow.FailureContinue, flow.Medium, warning, s.warningGroup
	d.WorkerGroup, d.TenantCode, d.EnvironmentCode = s.workerGroup, s.tenant, -1
	var id int64
	if len(there) == 0 {
		if err := e.released(ctx, w.Code, true); err != nil { // only what is online can have a new one
			return err
		}
		r, err := e.Schedules.Create(ctx, w.ProjectCode, w.Code, d)
		if err != nil {
			return err
		}
		id = r.ID
	} else {
		id = there[0].ID
		if _, err := e.Schedules.Offline(ctx, w.ProjectCode, id); err != nil {
			return err
		}
		if _, err := e.Schedules.Update(ctx, w.ProjectCode, id, d, schedule.AnyRevision); err != nil {
			return err
		}
	}
	if !s.scheduleOnline {
		return nil
	}
	if err := e.released(ctx, w.Code, true); err != nil {
		return err
	}
	_, err = e.Schedules.Online(ctx, w.ProjectCode, id)
	return err
}

// taskCodes remembers the tasks of the workflow that was asked about last: a client asks once for each of its tasks.
type taskCodes struct {
	mu       sync.Mutex
	workflow int64
	version  int
	tasks    map[string]flow.Task
}

// tasksOf are the tasks of a version by name. Only their codes and versions are kept.
func (e *entry) tasksOf(ctx context.Context, w workflow.Workflow) (map[string]flow.Task, error) {
	c := &e.codes
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.workflow == w.Code && c.version == w.Version && c.tasks != nil {
		return c.tasks, nil
	}
	def, err := e.Workflows.Definition(ctx, w.Code, w.Version)
	if err != nil {
		return nil, err
	}
	tasks := make(map[string]flow.Task, len(def.Tasks))
	for _, t := range def.Tasks {
		tasks[t.Name] = flow.Task{Code: t.Code, Version: t.Version}
	}
	c.workflow, c.version, c.tasks = w.Code, w.Version, tasks
	return tasks, nil
}

// getCodeAndVersion tells the code and version of a task, or a new code and 0. It names no user, so the program looks.
func (e *entry) getCodeAndVersion(ctx context.Context, a args) (py4j.Value, error) {
	ctx = program(ctx)
	answer := func(code int64, version int) py4j.Value {
		return mapOf(pair("code", py4j.OfLong(code)), pair("version", py4j.OfLong(int64(version))))
	}
	in, err := e.Projects.Named(ctx, a.text(0))
	if errors.Is(err, project.ErrNotFound) {
		return answer(e.Codes.Next(), 0), nil
	}
	if err != nil {
		return py4j.Value{}, err
	}
	w, err := e.Workflows.ByName(ctx, in.Code, a.text(1))
	if errors.Is(err, workflow.ErrNotFound) {
		return answer(e.Codes.Next(), 0), nil
	}
	if err != nil {
		return py4j.Value{}, err
	}
	tasks, err := e.tasksOf(ctx, w)
	if err != nil {
		return py4j.Value{}, err
	}
	if t, ok := tasks[a.text(2)]; ok {
		return answer(t.Code, t.Version), nil
	}
	return answer(e.Codes.Next(), 0), nil
}

// maxGenerated is how many codes a client gets at once.
const maxGenerated = 100

// genTaskCodeList is how older clients got codes.
func (e *entry) genTaskCodeList(_ context.Context, a args) (py4j.Value, error) {
	status := func(name string, code int64, message string) py4j.Pair {
		return pair("status", enum(api+"Status", name, code, message))
	}
	n := a.number(0)
	if n < 1 || n > maxGenerated {
		const message = "generate task definition list code error"
		return mapOf(status("GEN_TASK_DEFINITION_LIST_CODE_ERROR", 10049, message), pair("msg", py4j.OfText(message))), nil
	}
	codes := make([]py4j.Value, n)
	for i, code := range e.Codes.NextN(int(n)) {
		codes[i] = py4j.OfLong(code)
	}
	return mapOf(status("SUCCESS", 0, "success"), pair("msg", py4j.OfText("success")), pair("data", py4j.OfObject(py4j.NewList(codes...)))), nil
}
