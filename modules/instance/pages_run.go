package instance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"dorado/app/kit/i18n"
	"dorado/app/kit/ids"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
	"dorado/views/components"
	view "dorado/views/instance"
)

// spareParams is how many empty rows the dialog offers for further startup parameters.
const spareParams = 2

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

// runForm is the dialog, prefilled.
func (p pages) runForm(r *http.Request) (web.Response, error) {
	q := r.URL.Query()
	t, err := p.runTarget(r, q.Get("startNode"))
	if err != nil {
		return nil, err
	}
	depend, err := flow.ParseTaskDependType(q.Get("depend"))
	if err != nil {
		depend = flow.TaskPost
	}
	req := StartRequest{Depend: depend, FailureStrategy: flow.FailureContinue, Priority: flow.Medium, WorkerGroup: "default", TenantCode: tenant.Default}
	for _, g := range t.program.def.GlobalParams {
		if g.Direct != flow.Out {
			req.StartParams = append(req.StartParams, g)
		}
	}
	return p.runView(r, t, req, ids.Token(), nil)
}

// run starts the workflow and leads to the page of its instance.
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
	req := p.readRun(r, f, t)
	var id int64
	if f.OK() {
		id, err = p.Start(ctx, t.owner.Code, req)
	}
	if f.Rejects(err) {
		return p.runView(r, t, req, f.Text("key"), f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(address(t.owner.Code, id)).Toast("instance.run.started", "name", t.workflow.Name), nil
}

func (p pages) readRun(r *http.Request, f *web.Form, t runTarget) StartRequest {
	req := StartRequest{
		WorkflowCode: t.workflow.Code, WorkerGroup: f.Text("group"), TenantCode: f.Text("tenant"), DryRun: f.Bool("dry_run"),
		TimeZone: i18n.Zone(r.Context()).String(), IdempotencyKey: f.Text("key"),
	}
	choose := func(field string, err error) {
		if err != nil {
			f.Reject(field, "instance.run.choice")
		}
	}
	var err error
	req.FailureStrategy, err = flow.ParseFailureStrategy(f.Text("failure"))
	choose("failure", err)
	req.Priority, err = flow.ParsePriority(f.Text("priority"))
	choose("priority", err)
	req.Depend, err = flow.ParseTaskDependType(f.Text("depend"))
	choose("depend", err)
	if t.node != nil {
		req.StartNodes = []int64{t.node.Code}
	}
	names, kinds, values := r.Form["param_name"], r.Form["param_type"], r.Form["param_value"]
	for k, name := range names {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		v := flow.Property{Prop: clean(name), Direct: flow.In, Type: flow.Varchar}
		if k < len(kinds) && slices.Contains(flow.ParamTypes(), flow.ParamType(kinds[k])) {
			v.Type = flow.ParamType(kinds[k])
		}
		if k < len(values) {
			v.Value = clean(values[k])
		}
		if slices.ContainsFunc(req.StartParams, func(other flow.Property) bool { return other.Prop == v.Prop }) {
			f.Reject("params", ErrStartParam.Key, "name", v.Prop)
		}
		req.StartParams = append(req.StartParams, v)
	}
	return req
}

// clean makes text from a form storable.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

func (p pages) runView(r *http.Request, t runTarget, req StartRequest, key string, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	here := workflowAddress(t.owner.Code, t.workflow.Code)
	title := i18n.T(ctx, "instance.run.title", "name", t.workflow.Name)
	v := view.RunForm{
		Shell: p.frame.InProject(r, ref(t.owner), title, components.Crumb{Label: t.workflow.Name, URL: here}),
		Title: title, Action: here + "/run", CancelURL: here, Key: key, Version: t.workflow.Version, Depend: string(req.Depend),
		Failure: string(req.FailureStrategy), Priority: string(req.Priority), Group: req.WorkerGroup, Tenant: req.TenantCode, DryRun: req.DryRun,
		Error: f.Notice(), Errors: f.Errors(),
	}
	if !t.workflow.Online() {
		v.Refused = i18n.T(ctx, ErrOffline.Key, "name", t.workflow.Name)
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
	tenants, err := p.Tenants.All(ctx)
	if err != nil {
		return nil, err
	}
	v.Tenants = []components.Option{{Value: tenant.Default, Label: i18n.T(ctx, "instance.run.tenant_default")}}
	for _, tn := range tenants {
		v.Tenants = append(v.Tenants, components.Option{Value: tn.Code, Label: tn.Code})
	}
	for _, s := range req.StartParams {
		v.Params = append(v.Params, view.StartParam{Name: s.Prop, Type: string(s.Type), Value: s.Value})
	}
	for range spareParams {
		v.Params = append(v.Params, view.StartParam{Type: string(flow.Varchar)})
	}
	v.Curl = call(r, t)
	return f.Again(view.Run(v)), nil
}

// size is how many tasks a cut at the start node runs.
func (t runTarget) size(cut flow.TaskDependType) int {
	in, err := t.program.graph.Scope([]int64{t.node.Code}, cut)
	if err != nil {
		return 0
	}
	n := 0
	for k, yes := range in {
		if yes && t.program.graph.Tasks[k].Flag != flow.FlagNo {
			n++
		}
	}
	return n
}

// groups offers the groups that are served now, the default one, and the chosen one; and warns when nobody would take the
// tasks.
func (p pages) groups(ctx context.Context, v *view.RunForm) {
	names := []string{"default"}
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

// call is the same run as a call of the REST interface.
func call(r *http.Request, t runTarget) string {
	scheme := "http"
	if web.Secure(r) {
		scheme = "https"
	}
	nodes := ""
	if t.node != nil {
		nodes = fmt.Sprintf(" \\\n  -d startNodeList=%d -d taskDependType=%s", t.node.Code, flow.TaskPost)
	}
	return fmt.Sprintf("curl -H \"token: $DORADO_TOKEN\" \\\n  %s://%s/dolphinscheduler/projects/%d/executors/start-workflow-instance \\\n"+
		"  -d workflowDefinitionCode=%d -d scheduleTime= -d failureStrategy=CONTINUE -d warningType=NONE%s",
		scheme, host(r), t.owner.Code, t.workflow.Code, nodes)
}

// host is the name this server was called by, without anything that a shell would take for more.
func host(r *http.Request) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(".-:[]", c) {
			return c
		}
		return -1
	}, r.Host)
}
