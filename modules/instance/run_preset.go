package instance

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/flow"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
	view "dorado/views/instance"
)

// maxPresetName bounds the name of a preset, in characters.
const maxPresetName = 100

// ErrPresetNotFound is returned for a preset that is not there.
var ErrPresetNotFound = fault.New(fault.NotFound, "run.preset_not_found")

// Preset is a named set of what a run of one workflow starts with.
type Preset struct {
	ID        int64     `db:"id"`
	Name      string    `db:"name"`
	Body      string    `db:"body"` // JSON
	UserID    int64     `db:"user_id"`
	UpdatedAt time.Time `db:"updated_at"`
}

// presetBody is what a preset remembers.
type presetBody struct {
	FailureStrategy flow.FailureStrategy `json:"failureStrategy"`
	WarningType     flow.WarningType     `json:"warningType"`
	WarningGroupID  int64                `json:"warningGroupId"`
	Priority        flow.Priority        `json:"priority"`
	WorkerGroup     string               `json:"workerGroup"`
	TenantCode      string               `json:"tenantCode"`
	EnvironmentCode int64                `json:"environmentCode"`
	StartParams     []flow.Property      `json:"startParams"`
	DryRun          bool                 `json:"dryRun,omitempty"`
}

func (b presetBody) into(r *StartRequest) {
	r.FailureStrategy, r.WarningType, r.WarningGroupID, r.Priority = b.FailureStrategy, b.WarningType, b.WarningGroupID, b.Priority
	r.WorkerGroup, r.TenantCode, r.EnvironmentCode, r.DryRun = b.WorkerGroup, b.TenantCode, b.EnvironmentCode, b.DryRun
	r.StartParams = laid(r.StartParams, b.StartParams)
}

// laid is base with the values of over in it, and what only over has behind.
func laid(base, over []flow.Property) []flow.Property {
	out := append([]flow.Property(nil), base...)
	at := make(map[string]int, len(out))
	for k := range out {
		at[out[k].Prop] = k
	}
	for _, v := range over {
		if k, known := at[v.Prop]; known {
			out[k] = v
		} else {
			out = append(out, v)
		}
	}
	return out
}

// Presets lists the presets of a workflow by name. Whoever asks must have been allowed to run it.
func (s *Service) Presets(ctx context.Context, code int64) ([]Preset, error) {
	return db.Select[Preset](ctx, s.DB, `SELECT id, name, body, user_id, updated_at FROM run_preset WHERE workflow_code = ? ORDER BY name`, code)
}

// SavePreset remembers what a run starts with under a name; one of the same name is replaced. It returns a Forbidden fault.
func (s *Service) SavePreset(ctx context.Context, w workflow.Workflow, name string, r StartRequest) error {
	if err := s.mayRun(ctx, w.ProjectCode, w.Code, Operate); err != nil {
		return err
	}
	who, err := access.Must(ctx)
	if err != nil {
		return err
	}
	now := s.now()
	body := mustJSON(presetBody{
		FailureStrategy: r.FailureStrategy, WarningType: r.WarningType, WarningGroupID: r.WarningGroupID, Priority: r.Priority,
		WorkerGroup: r.WorkerGroup, TenantCode: r.TenantCode, EnvironmentCode: r.EnvironmentCode, StartParams: r.StartParams, DryRun: r.DryRun,
	})
	_, err = s.DB.Exec(ctx, `INSERT INTO run_preset (workflow_code, name, body, user_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (workflow_code, name) DO UPDATE SET body = excluded.body, user_id = excluded.user_id, updated_at = excluded.updated_at`,
		w.Code, strings.TrimSpace(name), body, who.UserID, now, now)
	return err
}

// DeletePreset forgets a preset. It returns ErrPresetNotFound or a Forbidden fault.
func (s *Service) DeletePreset(ctx context.Context, w workflow.Workflow, id int64) error {
	if err := s.mayRun(ctx, w.ProjectCode, w.Code, Operate); err != nil {
		return err
	}
	res, err := s.DB.Exec(ctx, `DELETE FROM run_preset WHERE id = ? AND workflow_code = ?`, id, w.Code)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		if err != nil {
			return err
		}
		return ErrPresetNotFound
	}
	return nil
}

// deletePreset is the button beside a preset.
func (p pages) deletePreset(r *http.Request) (web.Response, error) {
	t, err := p.runTarget(r, "")
	if err != nil {
		return nil, err
	}
	id, err := web.Number(r, "preset")
	if err != nil {
		return nil, err
	}
	if err := p.DeletePreset(r.Context(), t.workflow, id); err != nil {
		return nil, err
	}
	return web.Redirect(workflowAddress(t.owner.Code, t.workflow.Code) + "/run").Toast("run.preset_deleted"), nil
}

// presetLinks are the ways to fill the dialog.
func (p pages) presetLinks(ctx context.Context, t runTarget) (list []view.RunPreset, last string, err error) {
	here := workflowAddress(t.owner.Code, t.workflow.Code)
	node := ""
	if t.node != nil {
		node = "&startNode=" + strconv.FormatInt(t.node.Code, 10)
	}
	presets, err := p.Presets(ctx, t.workflow.Code)
	if err != nil {
		return nil, "", err
	}
	for _, one := range presets {
		id := strconv.FormatInt(one.ID, 10)
		list = append(list, view.RunPreset{Name: one.Name, URL: here + "/run?preset=" + id + node, DeleteURL: here + "/presets/" + id + "/delete"})
	}
	if i, err := p.lastRun(ctx, t.workflow.Code); err != nil {
		return nil, "", err
	} else if i != nil {
		last = here + "/run?like=last" + node
	}
	return list, last, nil
}

// lastRun is the latest run of a workflow that somebody started by hand; nil without one.
func (s *Service) lastRun(ctx context.Context, code int64) (*Instance, error) {
	i, err := db.Get[Instance](ctx, s.DB, `SELECT `+instanceColumns+` FROM workflow_instance w WHERE w.workflow_code = ?
		AND w.schedule_time IS NULL AND w.is_sub_workflow = ? ORDER BY w.id DESC LIMIT 1`, code, false)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	return &i, err
}

// prefill fills the dialog from a preset, or from an earlier run of the workflow.
func (p pages) prefill(ctx context.Context, t runTarget, in *runInput, preset, like string) error {
	if id, err := strconv.ParseInt(preset, 10, 64); err == nil {
		list, err := p.Presets(ctx, t.workflow.Code)
		if err != nil {
			return err
		}
		for _, one := range list {
			var body presetBody
			if one.ID == id && json.Unmarshal([]byte(one.Body), &body) == nil {
				body.into(&in.req)
				in.presetName = one.Name
			}
		}
	}
	var i *Instance
	var err error
	if like == "last" {
		i, err = p.lastRun(ctx, t.workflow.Code)
	} else if id, bad := strconv.ParseInt(like, 10, 64); bad == nil {
		i, err = p.GetIn(ctx, t.owner.Code, id)
	}
	if err != nil || i == nil || i.WorkflowCode != t.workflow.Code {
		return err
	}
	param, err := commandParam(i)
	if err != nil {
		return err
	}
	presetBody{
		FailureStrategy: i.FailureStrategy, WarningType: i.WarningType, WarningGroupID: i.WarningGroupID, Priority: i.Priority,
		WorkerGroup: i.WorkerGroup, TenantCode: i.TenantCode, EnvironmentCode: i.EnvironmentCode, StartParams: param.CommandParams, DryRun: i.DryRun,
	}.into(&in.req)
	return nil
}

// preferred is what the project suggests for a run.
func (p pages) preferred(ctx context.Context, project int64) (StartRequest, error) {
	r := StartRequest{
		FailureStrategy: flow.FailureContinue, WarningType: flow.WarningNone, Priority: flow.Medium, WorkerGroup: "default",
		TenantCode: tenant.Default, EnvironmentCode: -1,
	}
	body, err := db.Get[string](ctx, p.DB, `SELECT body FROM project_preference WHERE project_code = ? AND enabled = ?`, project, true)
	if errors.Is(err, db.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	var fields map[string]any // none when it cannot be read
	_ = json.Unmarshal([]byte(body), &fields)
	// The names are those of DolphinScheduler's preferences; numbers may be written as text.
	text := func(names ...string) string {
		for _, name := range names {
			switch v := fields[name].(type) {
			case string:
				if v != "" {
					return v
				}
			case float64:
				return strconv.FormatInt(int64(v), 10)
			}
		}
		return ""
	}
	if v := text("workerGroup"); v != "" {
		r.WorkerGroup = v
	}
	if v := text("tenant", "tenantCode"); v != "" {
		r.TenantCode = v
	}
	if n, err := strconv.ParseInt(text("environmentCode"), 10, 64); err == nil && n > 0 {
		r.EnvironmentCode = n
	}
	if v, err := flow.ParsePriority(text("workflowInstancePriority", "taskPriority")); err == nil {
		r.Priority = v
	}
	if v, err := flow.ParseWarningType(text("warningType")); err == nil {
		r.WarningType = v
	}
	if v, err := flow.ParseFailureStrategy(text("failureStrategy")); err == nil {
		r.FailureStrategy = v
	}
	if n, err := strconv.ParseInt(text("warningGroupId", "alertGroups", "alertGroup"), 10, 64); err == nil && r.WarningType != flow.WarningNone {
		r.WarningGroupID = n
	}
	return r, nil
}
