package instance

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/views/components"
	view "dorado/views/instance"
)

// taskAct is something that a person does to one attempt.
type taskAct string

// What one can do. The values are those of forms.
const (
	actApprove   taskAct = "APPROVE"
	actReject    taskAct = "REJECT"
	actForce     taskAct = "FORCE_SUCCESS"
	actAgain     taskAct = "RERUN"
	actFromHere  taskAct = "RERUN_FROM"
	actKill      taskAct = "KILL"
	actUncache   taskAct = "CLEAR_CACHE"
	actSavepoint taskAct = "SAVEPOINT" // of a streaming task
	actStop      taskAct = "STOP"      // a streaming task
	commentLimit         = 4000
)

func taskActs() []taskAct {
	return []taskAct{actApprove, actReject, actForce, actAgain, actFromHere, actKill, actUncache, actSavepoint, actStop}
}

// commented reports whether a comment is asked for.
func (a taskAct) commented() bool { return a == actApprove || a == actReject || a == actForce }

// actOn is an attempt with what its actions depend on.
type actOn struct {
	project, id int64
	name        string
	valid       bool
	cached      bool
	state       flow.TaskState
	run         flow.WorkflowState
	stream      bool
	approval    *Approval
}

func (p pages) onAttempt(t *ListedTask, a *Approval, cached bool) actOn {
	return actOn{
		project: t.ProjectCode, id: t.ID, name: t.Name, valid: t.Valid, cached: cached, state: t.State, run: t.RunState, stream: t.Stream, approval: a,
	}
}

// taskActions are the actions on an attempt that the viewer could be allowed, each possible now or with the reason why not.
func (p pages) taskActions(ctx context.Context, t actOn, next string) []view.Action {
	var out []view.Action
	add := func(act taskAct, icon, refused string, danger bool) {
		out = append(out, view.Action{
			Op: string(act), Label: i18n.T(ctx, "operate.act."+string(act)), Icon: icon, Disabled: refused, Danger: danger, Dialog: true,
			URL: taskAddress(t.project, t.id) + "/act?" + url.Values{"op": {string(act)}, "next": {next}}.Encode(), Primary: act == actApprove,
		})
	}
	if t.approval != nil && t.approval.State == ApprovalWaiting {
		refused := ""
		if !p.MayDecide(ctx, t.approval) {
			refused = i18n.T(ctx, "operate.act.not_yours", "role", i18n.T(ctx, "operate.role."+roleKey(t.approval.Role)))
		}
		add(actApprove, "check", refused, false)
		add(actReject, "x", refused, true)
	}
	if !p.Access.CanProject(ctx, t.project, Operate) {
		return out
	}
	if t.stream {
		add(actSavepoint, "archive", t.refused(ctx, actSavepoint), false)
		add(actStop, "stop", t.refused(ctx, actStop), true)
		return out
	}
	add(actForce, "circle-check", t.refused(ctx, actForce), false)
	add(actAgain, "rerun", t.refused(ctx, actAgain), false)
	add(actFromHere, "fast-forward", t.refused(ctx, actFromHere), false)
	add(actKill, "stop", t.refused(ctx, actKill), true)
	add(actUncache, "archive", t.refused(ctx, actUncache), false)
	return out
}

// refused says why an action is not possible now; empty when it is.
func (t *actOn) refused(ctx context.Context, act taskAct) string {
	reason := ""
	switch act {
	case actApprove, actReject:
	case actSavepoint, actStop:
		reason = t.streamRefused(act)
	case actForce:
		ok, key := flow.AllowedOnTask(flow.OpForceSuccess, t.state, t.run)
		switch {
		case !ok:
			reason = key
		case !t.valid:
			reason = "operate.act.old"
		}
	case actAgain, actFromHere:
		if ok, key := flow.Allowed(flow.OpExecuteTask, t.run); !ok {
			reason = key
		}
	case actKill:
		if t.state.Finished() || t.run.Finished() {
			reason = "operate.act.over"
		}
	case actUncache:
		if !t.cached {
			reason = "operate.act.no_cache"
		}
	}
	if reason == "" {
		return ""
	}
	return i18n.T(ctx, reason)
}

// cached tells which attempts keep a result that others may take over.
func (s *Service) cached(ctx context.Context, ids []int64) (map[int64]bool, error) {
	out := map[int64]bool{}
	if len(ids) == 0 {
		return out, nil
	}
	query, args, err := db.In(`SELECT id FROM task_instance WHERE id IN (?) AND cache_key <> ''`, ids)
	if err != nil {
		return nil, err
	}
	rows, err := db.Select[int64](ctx, s.DB, query, args...)
	for _, id := range rows {
		out[id] = true
	}
	return out, err
}

// askAct asks before an action on an attempt, for a comment where one belongs to it.
func (p pages) askAct(r *http.Request) (web.Response, error) {
	return p.actForm(r, taskAct(r.URL.Query().Get("op")), "", nil)
}

func (p pages) actForm(r *http.Request, act taskAct, comment string, failed error) (web.Response, error) {
	ctx := r.Context()
	owner, t, err := p.attempt(r)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(taskActs(), act) {
		return nil, ErrStartRequest.With("field", "op", "reason", string(act))
	}
	here := taskAddress(owner.Code, t.ID)
	back := web.Next(r, here)
	title := i18n.T(ctx, "operate.ask."+string(act), "name", t.Name)
	v := view.ActPage{
		Shell: p.frame.InProject(r, ref(owner), title, runCrumbs(ctx, owner, t)...),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "operate.ask_text."+string(act)), Action: here + "/act", Submit: i18n.T(ctx, "operate.act."+string(act)),
			CancelURL: back, Fields: map[string]string{"op": string(act), "next": back}, Safe: act != actReject && act != actKill && act != actStop, Test: "act.confirm",
		},
		Commented: act.commented(), Comment: comment,
	}
	if act == actApprove || act == actReject {
		a, err := p.Approval(ctx, t.ID)
		if err != nil {
			return nil, err
		}
		v.Confirm.Text = a.Question
		if !p.MayDecide(ctx, a) {
			return nil, ErrNotYours.With("role", i18n.T(ctx, "operate.role."+roleKey(a.Role)))
		}
	} else if _, err := p.Projects.Require(ctx, owner.Code, Operate); err != nil {
		return nil, err
	}
	if failed != nil {
		v.Confirm.Error = web.Message(ctx, failed)
		return web.Invalid(view.Act(v)), nil
	}
	return web.Page(view.Act(v)), nil
}

// act does it and goes back to where the button was.
func (p pages) act(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, t, err := p.attempt(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	act, comment := taskAct(f.Text("op")), f.Text("comment")
	if len(comment) > commentLimit {
		return p.actForm(r, act, comment, ErrStartRequest.With("field", "comment", "reason", strconv.Itoa(commentLimit)))
	}
	switch act {
	case actApprove, actReject:
		err = p.Decide(ctx, t.ID, act == actApprove, comment)
	case actForce:
		if _, err := p.Projects.Require(ctx, owner.Code, Operate); err == nil && comment == "" {
			return p.actForm(r, act, comment, ErrComment)
		}
		err = p.ForceSuccess(ctx, t.ID, comment)
	case actAgain:
		err = p.ExecuteTask(ctx, t.WorkflowInstanceID, t.TaskCode, flow.TaskOnly)
	case actFromHere:
		err = p.ExecuteTask(ctx, t.WorkflowInstanceID, t.TaskCode, flow.TaskPost)
	case actKill, actStop:
		err = p.KillTask(ctx, t.ID)
	case actSavepoint:
		return p.savepoint(ctx, t, web.Next(r, home(t)))
	case actUncache:
		_, err = p.ClearCache(ctx, t.ID)
	default:
		err = ErrStartRequest.With("field", "op", "reason", string(act))
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(web.Next(r, home(t))).Toast("operate.did."+string(act), "name", t.Name), nil
}

// kinLinks are links to runs; those of projects that the viewer may not see are named only.
func kinLinks(ctx context.Context, list []Kin) []view.KinLink {
	out := make([]view.KinLink, 0, len(list))
	for _, k := range list {
		l := view.KinLink{Name: k.Name, State: string(k.State)}
		if k.Visible {
			l.URL = address(k.ProjectCode, k.ID)
			if k.TaskName != "" {
				l.URL += "?task=" + strconv.FormatInt(k.TaskCode, 10)
				l.Task = k.TaskName
			}
		} else {
			l.Name = i18n.T(ctx, "operate.kin.hidden")
		}
		out = append(out, l)
	}
	return out
}
