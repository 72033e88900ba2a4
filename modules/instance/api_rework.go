package instance

import (
	"net/http"

	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

// executeTask runs a part of a finished instance again.
func (a api) executeTask(r *http.Request, p *dsapi.Params) (any, error) {
	in, id := p.Path("project"), p.RequiredInt64("workflowInstanceId")
	p.RequiredText("taskDependType")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.within(r, in); err != nil {
		return nil, err
	}
	i, err := a.svc.GetIn(r.Context(), in, id)
	if err == nil {
		err = a.svc.may(r.Context(), in, Operate)
	}
	if err != nil {
		return nil, err
	}
	if ok, _ := flow.Allowed(flow.OpExecuteTask, i.State); !ok {
		return nil, errNotEnded.With("name", i.Name)
	}
	return nil, a.executeOne(r, p, id)
}

// executeOne reads which task, and what of its surroundings, is to run again.
func (a api) executeOne(r *http.Request, p *dsapi.Params, id int64) error {
	nodes := p.Int64s("startNodeList")
	depend := choice(p, "taskDependType", flow.TaskPost, flow.TaskOnly, flow.TaskPre, flow.TaskPost)
	if err := p.Err(); err != nil {
		return err
	}
	if len(nodes) != 1 {
		return ErrStartRequest.With("field", "startNodeList", "reason", "1")
	}
	return a.svc.ExecuteTask(r.Context(), id, nodes[0], depend)
}

// task reads the task instance of the path, which must belong to its project.
func (a api) task(r *http.Request, p *dsapi.Params) (*ListedTask, error) {
	in, id := p.Path("project"), p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.within(r, in); err != nil {
		return nil, err
	}
	t, err := a.svc.Task(r.Context(), id)
	if err == nil && t.ProjectCode != in {
		return nil, ErrTaskNotFound.With("id", id)
	}
	return t, err
}

func (a api) forceSuccess(r *http.Request, p *dsapi.Params) (any, error) {
	t, err := a.task(r, p)
	if err != nil {
		return nil, err
	}
	return nil, a.svc.ForceSuccess(r.Context(), t.ID, p.Text("comment"))
}

func (a api) killTask(r *http.Request, p *dsapi.Params) (any, error) {
	t, err := a.task(r, p)
	if err != nil {
		return nil, err
	}
	return nil, a.svc.KillTask(r.Context(), t.ID)
}

// cleared is an answer with a member beside data, as clients expect it.
type cleared struct {
	Code     int     `json:"code"`
	Msg      string  `json:"msg"`
	Data     *string `json:"data"`
	Failed   bool    `json:"failed"`
	Success  bool    `json:"success"`
	CacheKey string  `json:"cacheKey"`
}

func (a api) clearCache(r *http.Request, p *dsapi.Params) (any, error) {
	t, err := a.task(r, p)
	if err != nil {
		return nil, err
	}
	key, err := a.svc.ClearCache(r.Context(), t.ID)
	if err != nil {
		return nil, err
	}
	return dsapi.Bare{Value: cleared{Msg: "success", Success: true, CacheKey: key}}, nil
}

// approval is a decision as our own clients see it: DolphinScheduler has none.
type approval struct {
	TaskInstanceID     int64      `json:"taskInstanceId"`
	WorkflowInstanceID int64      `json:"workflowInstanceId"`
	TaskName           string     `json:"taskName"`
	InstanceName       string     `json:"workflowInstanceName"`
	Question           string     `json:"question"`
	Role               string     `json:"role"`
	CreatedAt          dsapi.Time `json:"createTime"`
	ExpiresAt          dsapi.Time `json:"expireTime"`
}

func (a api) approvals(r *http.Request, p *dsapi.Params) (any, error) {
	in := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.within(r, in); err != nil {
		return nil, err
	}
	list, err := a.svc.Approvals(r.Context(), in)
	if err != nil {
		return nil, err
	}
	out := make([]approval, 0, len(list))
	for k := range list {
		one := approval{
			TaskInstanceID: list[k].TaskInstanceID, WorkflowInstanceID: list[k].WorkflowInstanceID, TaskName: list[k].TaskName,
			InstanceName: list[k].InstanceName, Question: list[k].Question, Role: list[k].Role, CreatedAt: dsapi.Time(list[k].CreatedAt),
		}
		if at := list[k].ExpiresAt; at != nil {
			one.ExpiresAt = dsapi.Time(*at)
		}
		out = append(out, one)
	}
	return out, nil
}

func (a api) decide(r *http.Request, p *dsapi.Params) (any, error) {
	p.RequiredText("approved")
	approved := p.Bool("approved", false)
	t, err := a.task(r, p)
	if err != nil {
		return nil, err
	}
	return nil, a.svc.Decide(r.Context(), t.ID, approved, p.Text("comment"))
}
