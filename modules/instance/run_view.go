package instance

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/security/tenant"
	"dorado/views/components"
	view "dorado/views/instance"
)

// spareParams is how many empty rows the dialog offers for further startup parameters.
const spareParams = 2

func (p pages) runView(r *http.Request, t runTarget, in runInput, f *web.Form, shown *runPreview) (web.Response, error) {
	ctx := r.Context()
	req := in.req
	here := workflowAddress(t.owner.Code, t.workflow.Code)
	title := i18n.T(ctx, "instance.run.title", "name", t.workflow.Name)
	v := view.RunForm{
		Shell: p.frame.InProject(r, ref(t.owner), title, components.Crumb{Label: t.workflow.Name, URL: here}),
		Title: title, Text: i18n.T(ctx, "instance.run.text", "version", t.workflow.Version), Action: here + "/run", CancelURL: here, Key: in.key,
		Depend: string(req.Depend), Failure: string(req.FailureStrategy), Warning: string(req.WarningType),
		AlertGroup: strconv.FormatInt(req.WarningGroupID, 10), Priority: string(req.Priority), Group: req.WorkerGroup, Tenant: req.TenantCode,
		Environment: strconv.FormatInt(req.EnvironmentCode, 10), DryRun: req.DryRun, SaveAs: in.presetName, Error: f.Notice(), Errors: f.Errors(),
		Submit: i18n.T(ctx, "instance.run.submit"),
	}
	if !t.workflow.Online() {
		v.Refused = i18n.T(ctx, ErrOffline.Key, "name", t.workflow.Name)
	}
	if _, err := p.Workflows.Draft(ctx, t.owner.Code, t.workflow.Code); err == nil {
		v.Draft = i18n.T(ctx, "run.draft", "version", t.workflow.Version)
	}
	if t.node != nil {
		v.Node, v.NodeCode = t.node.Name, strconv.FormatInt(t.node.Code, 10)
		for _, cut := range []flow.TaskDependType{flow.TaskPost, flow.TaskPre, flow.TaskOnly} {
			v.Depends = append(v.Depends, components.Option{
				Value: string(cut), Label: i18n.T(ctx, "instance.depend."+string(cut)), Hint: i18n.T(ctx, "instance.run.count", "count", t.size(cut)),
			})
		}
	}
	p.groups(ctx, &v)
	if err := p.choices(ctx, &v); err != nil {
		return nil, err
	}
	v.Complement = p.backfillView(ctx, t, in)
	for _, s := range req.StartParams {
		v.Params = append(v.Params, view.StartParam{Name: s.Prop, Type: string(s.Type), Value: s.Value, Out: s.Direct == flow.Out})
	}
	for range spareParams {
		v.Params = append(v.Params, view.StartParam{Type: string(flow.Varchar)})
	}
	var err error
	if v.Presets, v.LastURL, err = p.presetLinks(ctx, t); err != nil {
		return nil, err
	}
	v.Curl, v.CLI = call(r, t, in), commandLine(t, in)
	if shown != nil {
		v.Preview, v.Plan = shown.view(ctx, in), shown.plan()
		if n := shown.runs(); in.complement && n > 0 {
			v.Submit = i18n.T(ctx, "run.submit_plan", "count", n)
		}
	} else if in.complement {
		v.Submit = i18n.T(ctx, "run.check_plan")
	}
	return f.Again(view.Run(v)), nil
}

// backfillView is the part about past dates; nil where there are no backfills.
func (p pages) backfillView(ctx context.Context, t runTarget, in runInput) *view.Complement {
	if p.backfills == nil {
		return nil
	}
	d := in.dates
	c := &view.Complement{
		On: in.complement, Depend: d.Depend, AllLevels: d.AllLevels, IgnoreCycle: d.IgnoreCycle, Mode: d.Mode, Width: d.Width, Order: d.Order,
		Policy: "STOP_CHAIN", Kind: d.Kind, From: d.From, To: d.To, List: d.List, Skip: d.Skip,
	}
	if d.ContinueChain {
		c.Policy = "CONTINUE_CHAIN"
	}
	zone, scheduled, err := p.backfills.Zone(ctx, t.workflow.Code, i18n.Zone(ctx).String())
	if err != nil { // a schedule with a zone that this server does not know: the plan will say so
		zone = time.UTC
	}
	c.Zone = i18n.T(ctx, "run.c.zone", "zone", zone.String())
	c.DatesHint = i18n.T(ctx, "run.c.daily")
	if scheduled {
		c.DatesHint = i18n.T(ctx, "run.c.scheduled")
	}
	return c
}

// choices fills the selects whose options are in the database.
func (p pages) choices(ctx context.Context, v *view.RunForm) error {
	tenants, err := p.Tenants.All(ctx)
	if err != nil {
		return err
	}
	v.Tenants = []components.Option{{Value: tenant.Default, Label: i18n.T(ctx, "instance.run.tenant_default")}}
	for _, tn := range tenants {
		v.Tenants = append(v.Tenants, components.Option{Value: tn.Code, Label: tn.Code})
	}
	type named struct {
		ID    int64  `db:"id"`
		Name  string `db:"name"`
		Group string `db:"worker_group"`
	}
	v.AlertGroups = []components.Option{{Value: "0", Label: i18n.T(ctx, "run.choose")}}
	groups, err := db.Select[named](ctx, p.DB, `SELECT id, name, '' AS worker_group FROM alert_group ORDER BY name`)
	if err != nil {
		return err
	}
	for _, g := range groups {
		v.AlertGroups = append(v.AlertGroups, components.Option{Value: strconv.FormatInt(g.ID, 10), Label: g.Name})
	}
	v.Environments = []components.Option{{Value: "-1", Label: i18n.T(ctx, "run.no_environment")}}
	envs, err := db.Select[named](ctx, p.DB, `SELECT e.code AS id, e.name, COALESCE(g.worker_group, '') AS worker_group FROM environment e
		LEFT JOIN environment_worker_group g ON g.environment_code = e.code ORDER BY e.name, g.worker_group`)
	if err != nil {
		return err
	}
	for k := 0; k < len(envs); {
		e := envs[k]
		label, groups := e.Name, ""
		for ; k < len(envs) && envs[k].ID == e.ID; k++ {
			if envs[k].Group != "" {
				groups += ", " + envs[k].Group
			}
		}
		if groups != "" {
			label += " · " + groups[2:]
		}
		v.Environments = append(v.Environments, components.Option{Value: strconv.FormatInt(e.ID, 10), Label: label})
	}
	return nil
}

// size is how many tasks a cut at the start node runs.
func (t runTarget) size(cut flow.TaskDependType) int {
	in, err := t.program.graph.Scope([]int64{t.node.Code}, cut)
	if err != nil {
		return 0
	}
	n := 0
	for k, yes := range in {
		if yes && !t.program.graph.Tasks[k].Passed() {
			n++
		}
	}
	return n
}

// groups offers the groups that are served now, the default one, and the chosen one; and warns when nobody would take the
// tasks.
func (p pages) groups(ctx context.Context, v *view.RunForm) {
	names, err := db.Select[string](ctx, p.DB, `SELECT name FROM worker_group ORDER BY name`)
	if err != nil {
		names = nil // the others are offered all the same
	}
	names = append(names, "default")
	if p.Workers != nil {
		names = append(names, p.Workers.Groups()...)
	}
	if v.Group != "" {
		names = append(names, v.Group)
	}
	slices.Sort(names)
	for _, g := range slices.Compact(names) {
		label := g
		if p.Workers != nil {
			_, serving := p.Workers.Backlog(g)
			label = i18n.T(ctx, "instance.run.group_workers", "group", g, "count", serving)
			if g == v.Group && serving == 0 {
				v.GroupNote = i18n.T(ctx, "instance.run.no_worker")
			}
		}
		v.Groups = append(v.Groups, components.Option{Value: g, Label: label})
	}
}
