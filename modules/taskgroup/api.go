package taskgroup

import (
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/project"
	"dorado/modules/security/crud"
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

func (a api) routes(r chi.Router) {
	e := a.rest.Faults(project.Faults(dsapi.ProjectMissing)).Faults(dsapi.Faults{
		ErrNameMissing.Key: 10134, ErrNameTaken.Key: 130001, ErrSize.Key: 130002, ErrDescription.Key: 1400004, ErrClosed.Key: 130003,
		ErrEntryNotFound.Key: 50001, ErrStarted.Key: 130017,
	})
	r.Post("/task-group/create", e.Created(130008, a.create))
	r.Post("/task-group/update", e.Created(130009, a.update))
	r.Get("/task-group/list-paging", e.OK(130010, a.page))
	r.Get("/task-group/query-list-by-status", e.OK(130010, a.byStatus))
	r.Get("/task-group/query-list-by-projectCode", e.OK(130010, a.byProject))
	turn := e.Faults(dsapi.Faults{
		project.ErrNoGrant.Key: 1400001, project.ErrNoAccess.Key: 1400001, access.ErrDenied.Key: 1400001, ErrClosed.Key: 130018, ErrOpen.Key: 130019,
	})
	r.Post("/task-group/close-task-group", turn.Created(130011, a.turn(false)))
	r.Post("/task-group/start-task-group", turn.Created(130012, a.turn(true)))
	r.Post("/task-group/forceStart", e.Created(130012, a.forceStart))
	r.Post("/task-group/modifyPriority", e.Created(130012, a.modifyPriority))
	r.Get("/task-group/query-list-by-group-id", e.OK(130013, a.queue))
}

// dsGroup is a group as clients know it.
type dsGroup struct {
	ID          int64      `json:"id"`
	Name        string     `json:"name"`
	ProjectCode int64      `json:"projectCode"`
	Description string     `json:"description"`
	GroupSize   int        `json:"groupSize"`
	UseSize     int        `json:"useSize"`
	UserID      int64      `json:"userId"`
	Status      string     `json:"status"`
	CreateTime  dsapi.Time `json:"createTime"`
	UpdateTime  dsapi.Time `json:"updateTime"`
}

func toDS(g Group) dsGroup {
	out := dsGroup{
		ID: g.ID, Name: g.Name, ProjectCode: g.ProjectCode, Description: g.Description, GroupSize: g.Size, UseSize: g.Used, UserID: g.UserID, Status: "YES",
		CreateTime: dsapi.Time(g.CreatedAt), UpdateTime: dsapi.Time(g.UpdatedAt),
	}
	if g.Closed() {
		out.Status = "NO"
	}
	return out
}

func form(p *dsapi.Params) (Draft, error) {
	d := Draft{Name: p.RequiredText("name"), Description: p.RequiredText("description"), Size: p.RequiredInt("groupSize"), ProjectCode: p.Int64("projectCode", AllProjects)}
	return d, p.Err()
}

func (a api) create(r *http.Request, p *dsapi.Params) (any, error) {
	d, err := form(p)
	if err != nil {
		return nil, err
	}
	g, err := a.svc.Create(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return toDS(g), nil
}

func (a api) update(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.RequiredInt64("id")
	d, err := form(p)
	if err != nil {
		return nil, err
	}
	g, err := a.svc.Resize(r.Context(), id, d)
	if err != nil {
		return nil, err
	}
	return toDS(g), nil
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	return a.list(r, p, p.Text("name"))
}

func (a api) byStatus(r *http.Request, p *dsapi.Params) (any, error) { return a.list(r, p, "") }

func (a api) list(r *http.Request, p *dsapi.Params, search string) (any, error) {
	no, size := p.Paging()
	status := p.Int("status", -1)
	if err := p.Err(); err != nil {
		return nil, err
	}
	spec := Spec()
	spec.Search = []string{"g.name"}
	q := listing.New(spec, no, size, search)
	if status >= 0 {
		q = q.WithFilter("status", strconv.Itoa(status))
	}
	page, err := a.svc.Page(r.Context(), q)
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, toDS), nil
}

// byProject lists what tasks of a project may belong to: its groups and those of all projects.
func (a api) byProject(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	code := p.Int64("projectCode", AllProjects)
	if err := p.Err(); err != nil {
		return nil, err
	}
	codes := []string{"0"}
	if code != AllProjects {
		if _, err := a.svc.projects.Require(r.Context(), code, project.Read); err != nil {
			return nil, err
		}
		codes = append(codes, strconv.FormatInt(code, 10))
	}
	page, err := a.svc.Page(r.Context(), listing.New(Spec(), no, size, "").WithFilter("project", codes...))
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, toDS), nil
}

func (a api) turn(open bool) dsapi.Func {
	return func(r *http.Request, p *dsapi.Params) (any, error) {
		id := p.RequiredInt64("id")
		if err := p.Err(); err != nil {
			return nil, err
		}
		return nil, a.svc.Switch(r.Context(), id, open)
	}
}

func (a api) forceStart(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.RequiredInt64("queueId")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, a.svc.ForceStart(r.Context(), id)
}

func (a api) modifyPriority(r *http.Request, p *dsapi.Params) (any, error) {
	id, priority := p.RequiredInt64("queueId"), p.RequiredInt("priority")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, a.svc.SetPriority(r.Context(), id, priority)
}

// dsEntry is an attempt of a group as clients know it; its id is that of the task instance.
type dsEntry struct {
	ID           int64      `json:"id"`
	TaskID       int64      `json:"taskId"`
	TaskName     string     `json:"taskName"`
	ProjectName  string     `json:"projectName"`
	ProjectCode  string     `json:"projectCode"`
	InstanceName string     `json:"workflowInstanceName"`
	GroupID      int64      `json:"groupId"`
	InstanceID   int64      `json:"workflowInstanceId"`
	Priority     int        `json:"priority"`
	ForceStart   int        `json:"forceStart"`
	InQueue      int        `json:"inQueue"`
	Status       string     `json:"status"`
	CreateTime   dsapi.Time `json:"createTime"`
	UpdateTime   dsapi.Time `json:"updateTime"`
}

func entryToDS(e Entry) dsEntry {
	out := dsEntry{
		ID: e.ID, TaskID: e.ID, TaskName: e.Task, ProjectName: e.ProjectName, ProjectCode: strconv.FormatInt(e.ProjectCode, 10), InstanceName: e.Instance,
		GroupID: e.GroupID, InstanceID: e.InstanceID, Priority: e.Priority, Status: "ACQUIRE_SUCCESS",
		CreateTime: dsapi.Time(e.SubmittedAt), UpdateTime: dsapi.Time(e.SubmittedAt),
	}
	if e.Waits() {
		out.InQueue, out.Status = 1, "WAIT_QUEUE"
	}
	if e.Forced {
		out.ForceStart = 1
	}
	return out
}

// States of an entry as clients ask for them.
const (
	stateWaiting  = -1
	stateAcquired = 1
	stateReleased = 2
)

func (a api) queue(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	group := p.Int64("groupId", -1)
	if err := p.Err(); err != nil {
		return nil, err
	}
	q := listing.New(QueueSpec(), no, size, "")
	if group > 0 {
		q = q.WithFilter("group", strconv.FormatInt(group, 10))
	}
	var more []crud.Condition
	like := func(column, text string) {
		if text != "" {
			more = append(more, crud.Condition{SQL: a.svc.DB.Dialect().Like(column), Args: []any{db.Contains(text)}})
		}
	}
	like("t.name", p.Text("taskInstanceName"))
	like("w.name", p.Text("workflowInstanceName"))
	if p.Text("status") != "" {
		switch p.Int("status", 0) {
		case stateWaiting:
			q = q.WithFilter("state", "waiting")
		case stateAcquired:
			q = q.WithFilter("state", "acquired")
		case stateReleased:
			return dsapi.Page[dsEntry](nil, 0, no, size), nil // who gave the slot back is not in the queue any more
		}
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	page, err := a.svc.Queue(r.Context(), q, more...)
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, entryToDS), nil
}
