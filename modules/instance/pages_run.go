package instance

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/ids"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/workflow"
)

// runTarget is what a run dialog is about.
type runTarget struct {
	owner    project.Project
	workflow workflow.Workflow
	program  *program
	node     *flow.Task // the start node, when the dialog was opened from one
}

func (p pages) runTarget(r *http.Request, node string) (runTarget, error) {
	ctx := r.Context()
	var t runTarget
	var err error
	if t.owner, err = p.within(r); err != nil {
		return t, err
	}
	if _, err = p.Projects.Require(ctx, t.owner.Code, Operate); err != nil {
		return t, err
	}
	code, err := web.Number(r, "workflow")
	if err != nil {
		return t, err
	}
	if t.workflow, err = p.Workflows.In(ctx, t.owner.Code, code); err != nil {
		return t, err
	}
	if t.program, err = p.program(ctx, code, t.workflow.Version); err != nil {
		return t, err
	}
	if node == "" {
		return t, nil
	}
	start, err := strconv.ParseInt(node, 10, 64)
	if n, ok := t.program.graph.Index[start]; err == nil && ok {
		t.node = &t.program.graph.Tasks[n]
		return t, nil
	}
	return t, ErrStartNode.With("code", node)
}

// runForm is the dialog, prefilled: by the preferences of the project, by a preset (?preset=), or by an earlier run (?like=,
// "last" for the latest one).
func (p pages) runForm(r *http.Request) (web.Response, error) {
	ctx, q := r.Context(), r.URL.Query()
	t, err := p.runTarget(r, q.Get("startNode"))
	if err != nil {
		return nil, err
	}
	depend, err := flow.ParseTaskDependType(q.Get("depend"))
	if err != nil {
		depend = flow.TaskPost
	}
	in := runInput{key: ids.Token(), dates: freshDates(i18n.Zone(ctx))}
	if in.req, err = p.preferred(ctx, t.owner.Code); err != nil {
		return nil, err
	}
	for _, g := range t.program.def.GlobalParams {
		if g.Direct != flow.Out {
			in.req.StartParams = append(in.req.StartParams, g)
		}
	}
	if err := p.prefill(ctx, t, &in, q.Get("preset"), q.Get("like")); err != nil {
		return nil, err
	}
	in.req.Depend = depend
	in.complement = q.Get("complement") == "true"
	return p.runView(r, t, in, nil, nil)
}

// freshDates are those of today.
func freshDates(zone *time.Location) runDates {
	now := time.Now().In(zone)
	return runDates{
		From: now.Format("2006-01-02") + "T00:00", To: now.Format("2006-01-02") + "T23:59", Width: "2", Order: "ASC_ORDER", Mode: "RUN_MODE_SERIAL",
		Kind: "range", Depend: "OFF_MODE", Skip: string(SkipNone),
	}
}

// runInput is what was typed into the dialog.
type runInput struct {
	req        StartRequest
	key        string
	complement bool
	dates      runDates
	plan       string // of the plan that was shown
	at         string // the date whose parameters are shown
	presetName string
}

// runDates are the fields of a backfill, as typed.
type runDates struct {
	Depend, Mode, Width, Order, Kind, From, To, List, Skip string
	AllLevels, IgnoreCycle, ContinueChain                  bool
}

// run starts the workflow and leads to the page of its instance, or of the backfill; or it shows what would happen.
func (p pages) run(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	t, err := p.runTarget(r, f.Text("startNode"))
	if err != nil {
		return nil, err
	}
	in := p.readRun(r, f, t)
	if f.Text("do") == "preview" || in.complement && in.plan == "" {
		return p.previewed(r, t, in, f)
	}
	var target string
	if f.OK() {
		target, err = p.started(ctx, t, in, f)
	}
	if isPlanChanged(err) {
		f.Rejects(err)
		return p.previewed(r, t, in, f)
	}
	if f.Rejects(err) {
		return p.runView(r, t, in, f, nil)
	}
	if err != nil {
		return nil, err
	}
	if in.presetName != "" {
		if err := p.SavePreset(ctx, t.workflow, in.presetName, in.req); err != nil {
			p.Logger.WarnContext(ctx, "a preset was not saved", "workflow_code", t.workflow.Code, "error", err)
		}
	}
	return web.Redirect(target).Toast("instance.run.started", "name", t.workflow.Name), nil
}

// isPlanChanged reports whether a plan that was shown is not what would happen any more.
func isPlanChanged(err error) bool {
	if err == nil {
		return false
	}
	fe := fault.From(err)
	return fe != nil && fe.Key == "backfill.plan_changed"
}

// started starts what was asked for and returns the page to go to.
func (p pages) started(ctx context.Context, t runTarget, in runInput, f *web.Form) (string, error) {
	if !in.complement {
		id, err := p.Start(ctx, t.owner.Code, in.req)
		return address(t.owner.Code, id), err
	}
	b, err := p.backfillOf(ctx, t, in, f)
	if err != nil || !f.OK() {
		return "", err
	}
	out, err := p.backfills.Start(ctx, t.owner.Code, b, in.plan)
	return out.URL, err
}

// previewed shows the dialog with what a run, or a backfill, would do.
func (p pages) previewed(r *http.Request, t runTarget, in runInput, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	var shown *runPreview
	if f.OK() || f.Notice() != "" {
		var err error
		if shown, err = p.preview(ctx, t, &in, f); err != nil {
			if shown = nil; !f.Rejects(err) {
				return nil, err
			}
		}
	}
	if f.OK() {
		f = nil // nothing is wrong
	}
	return p.runView(r, t, in, f, shown)
}

func (p pages) readRun(r *http.Request, f *web.Form, t runTarget) runInput {
	in := runInput{
		key: f.Text("key"), plan: f.Text("plan"), at: f.Text("at"), presetName: f.Text("preset_name"), complement: f.Bool("complement"),
		dates: runDates{
			Depend: f.Text("c_depend"), Mode: f.Text("c_mode"), Width: f.Text("c_width"), Order: f.Text("c_order"), Kind: f.Text("c_kind"),
			From: f.Text("c_from"), To: f.Text("c_to"), List: f.Text("c_list"), Skip: f.Text("c_skip"), AllLevels: f.Bool("c_all"),
			IgnoreCycle: f.Bool("c_cycle"), ContinueChain: f.Text("c_policy") == "CONTINUE_CHAIN",
		},
	}
	in.req = StartRequest{
		WorkflowCode: t.workflow.Code, WorkerGroup: f.Text("group"), TenantCode: f.Text("tenant"), DryRun: f.Bool("dry_run"),
		EnvironmentCode: f.Int64("environment"), WarningGroupID: f.Int64("alert_group"),
		TimeZone: i18n.Zone(r.Context()).String(), IdempotencyKey: f.Text("key"),
	}
	if in.req.EnvironmentCode == 0 {
		in.req.EnvironmentCode = -1
	}
	choose := func(field string, err error) {
		if err != nil {
			f.Reject(field, "instance.run.choice")
		}
	}
	var err error
	in.req.FailureStrategy, err = flow.ParseFailureStrategy(f.Text("failure"))
	choose("failure", err)
	in.req.Priority, err = flow.ParsePriority(f.Text("priority"))
	choose("priority", err)
	in.req.Depend, err = flow.ParseTaskDependType(f.Text("depend"))
	choose("depend", err)
	in.req.WarningType, err = flow.ParseWarningType(f.Text("warning"))
	choose("warning", err)
	if in.req.WarningType == flow.WarningNone {
		in.req.WarningGroupID = 0
	} else if in.req.WarningGroupID <= 0 {
		f.Reject("alert_group", "run.alert_group_missing")
	}
	if t.node != nil {
		in.req.StartNodes = []int64{t.node.Code}
	}
	in.req.StartParams = readParams(r, f)
	if len([]rune(in.presetName)) > maxPresetName {
		f.Reject("preset_name", "run.preset_name_long", "max", maxPresetName)
	}
	return in
}

// readParams reads the rows of startup parameters.
func readParams(r *http.Request, f *web.Form) []flow.Property {
	var out []flow.Property
	names, kinds, directs, values := r.Form["param_name"], r.Form["param_type"], r.Form["param_direct"], r.Form["param_value"]
	for k, name := range names {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		v := flow.Property{Prop: clean(name), Direct: flow.In, Type: flow.Varchar}
		if k < len(kinds) && slices.Contains(flow.ParamTypes(), flow.ParamType(kinds[k])) {
			v.Type = flow.ParamType(kinds[k])
		}
		if k < len(directs) && directs[k] == string(flow.Out) {
			v.Direct = flow.Out
		}
		if k < len(values) {
			v.Value = clean(values[k])
		}
		if slices.ContainsFunc(out, func(other flow.Property) bool { return other.Prop == v.Prop }) {
			f.Reject("params", ErrStartParam.Key, "name", v.Prop)
		}
		out = append(out, v)
	}
	return out
}

// backfillOf reads the fields of a backfill. What is wrong with one of them is noted in f.
func (p pages) backfillOf(ctx context.Context, t runTarget, in runInput, f *web.Form) (BackfillRequest, error) {
	d := in.dates
	b := BackfillRequest{
		StartRequest: in.req, Width: 1, Ascending: d.Order != "DESC_ORDER", ContinueChain: d.ContinueChain, Skip: SkipNone,
		Dependents: d.Depend == "ALL_DEPENDENT", AllLevels: d.AllLevels, IgnoreCycle: d.IgnoreCycle,
	}
	if slices.Contains(Skips(), Skip(d.Skip)) {
		b.Skip = Skip(d.Skip)
	}
	if d.Mode == "RUN_MODE_PARALLEL" {
		n, err := strconv.Atoi(d.Width)
		if err != nil || n < 1 {
			f.Reject("c_width", "run.width")
		}
		b.Width = n
	}
	zone, _, err := p.backfills.Zone(ctx, t.workflow.Code, in.req.TimeZone)
	if err != nil {
		return b, err
	}
	if d.Kind == "list" {
		if b.Dates, err = ParseDates(d.List, zone); err != nil || len(b.Dates) == 0 {
			f.Reject("c_list", ErrDate.Key, "text", d.List)
		}
		return b, nil
	}
	if b.From, err = ParseDate(d.From, zone); err != nil {
		f.Reject("c_from", ErrDate.Key, "text", d.From)
	}
	if b.To, err = ParseDate(d.To, zone); err != nil {
		f.Reject("c_to", ErrDate.Key, "text", d.To)
	}
	return b, nil
}

// clean makes text from a form storable.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}
