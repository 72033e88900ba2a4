package search

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/datasource"
	"dorado/modules/flow"
	"dorado/modules/frame"
	"dorado/modules/identity"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/modules/resource"
	"dorado/modules/security/user"
	"dorado/modules/workflow"
)

// sources are all of them.
func (d Deps) sources() []Source {
	return []Source{
		{Kind: Action, Find: d.actions, Spell: d.spelledActions},
		{Kind: Workflow, Find: d.workflows, Spell: d.spelledWorkflows, Open: d.workflow},
		{Kind: Project, Find: d.projects, Spell: d.spelledProjects, Open: d.project},
		{Kind: Page, Find: d.pages, Spell: d.spelledPages},
		{Kind: Run, Find: d.runs, Spell: d.spelledRuns, Open: d.run},
		{Kind: Task, Find: d.tasks, Spell: d.spelledTasks},
		{Kind: File, Find: d.files, Spell: d.spelledFiles, Open: d.file},
		{Kind: DataSource, Find: d.connections, Spell: d.spelledConnections},
		{Kind: User, Find: d.users, Open: d.user},
	}
}

// query asks for the first page of a list.
func query(spec listing.Spec, text string, limit int) listing.Query {
	return listing.New(spec, 1, limit, text)
}

// number is the code or number that a text is; false when it is none.
func number(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n > 0
}

// verb cuts the word for "run" off a text. English and Chinese are understood in both languages.
func verb(text string) (rest string, ok bool) {
	for _, word := range []string{"run ", "start ", "运行", "启动"} {
		if len(text) > len(word) && strings.EqualFold(text[:len(word)], word) {
			return strings.TrimSpace(text[len(word):]), true
		}
	}
	return "", false
}

// actions are the workflows that "run x" means: those that are online, for whoever may start them.
func (d Deps) actions(ctx context.Context, text string, limit int) ([]Hit, error) {
	name, ok := verb(text)
	if !ok {
		return nil, nil
	}
	found, _, err := d.Workflows.FindWorkflows(ctx, workflow.Search{Name: name, State: flow.Online}, limit, 0)
	if err != nil {
		return nil, err
	}
	return d.starts(ctx, found)
}

func (d Deps) spelledActions(ctx context.Context, text string, limit int) ([]Hit, error) {
	name, ok := verb(text)
	if !ok {
		return nil, nil
	}
	found, err := d.Workflows.FittingWorkflows(ctx, workflow.Search{State: flow.Online}, d.Spelling.Text(name).In, limit)
	if err != nil {
		return nil, err
	}
	return d.starts(ctx, found)
}

// starts are the run dialogs of those of the workflows that whoever acts may start.
func (d Deps) starts(ctx context.Context, list []workflow.Workflow) ([]Hit, error) {
	names, err := d.projectNames(ctx, list)
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for _, w := range list {
		if !d.Access.CanWorkflow(ctx, w.ProjectCode, w.Code, instance.Operate) {
			continue
		}
		hits = append(hits, Hit{Name: i18n.T(ctx, "search.run", "name", w.Name), Note: names[w.ProjectCode], URL: editor(w) + "/run", Icon: "play"})
	}
	return hits, nil
}

// pages are those of the navigation, by their words or their address.
func (d Deps) pages(ctx context.Context, text string, _ int) ([]Hit, error) {
	if text == "" {
		return nil, nil // the navigation shows them
	}
	return d.places(ctx, func(p frame.Place) bool { return contains(p.Label, text) || contains(p.URL, text) }), nil
}

func (d Deps) spelledPages(ctx context.Context, text string, _ int) ([]Hit, error) {
	spelled := d.Spelling.Text(text)
	return d.places(ctx, func(p frame.Place) bool { return spelled.In(p.Label) }), nil
}

func (d Deps) places(ctx context.Context, wanted func(frame.Place) bool) []Hit {
	var hits []Hit
	for _, p := range d.Frame.Places(ctx) {
		if wanted(p) {
			hits = append(hits, Hit{Name: p.Label, Note: p.Group, URL: p.URL, Icon: p.Icon})
		}
	}
	return hits
}

func contains(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

func projectHit(p project.Project, note string) Hit {
	return Hit{Name: p.Name, Note: note, URL: project.Address(p.Code, ""), Icon: "boxes"}
}

func (d Deps) projects(ctx context.Context, text string, limit int) ([]Hit, error) {
	found, err := d.Projects.List(ctx, query(project.Spec(), text, limit))
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for _, p := range found.Items {
		hits = append(hits, projectHit(p.Project, p.Description))
	}
	if code, ok := number(text); ok {
		if p, err := d.Projects.Require(ctx, code, project.Read); err == nil {
			hits = append(hits, projectHit(p, text))
		}
	}
	return hits, nil
}

func (d Deps) spelledProjects(ctx context.Context, text string, limit int) ([]Hit, error) {
	found, err := d.Projects.Fitting(ctx, d.Spelling.Text(text).In, limit)
	var hits []Hit
	for _, p := range found {
		hits = append(hits, projectHit(p.Project, p.Description))
	}
	return hits, err
}

func (d Deps) project(ctx context.Context, object string) (Hit, error) {
	code, _ := number(object)
	p, err := d.Projects.Require(ctx, code, project.Read)
	return projectHit(p, p.Description), err
}

// projectNames are the names of the projects that workflows are in.
func (d Deps) projectNames(ctx context.Context, list []workflow.Workflow) (map[int64]string, error) {
	codes := make([]int64, 0, len(list))
	for _, w := range list {
		codes = append(codes, w.ProjectCode)
	}
	return d.Projects.Names(ctx, codes)
}

func (d Deps) workflows(ctx context.Context, text string, limit int) ([]Hit, error) {
	found, _, err := d.Workflows.FindWorkflows(ctx, workflow.Search{Name: text}, limit, 0)
	if err != nil {
		return nil, err
	}
	if code, ok := number(text); ok {
		if w, err := d.Workflows.Get(ctx, code); err == nil {
			found = append(found, w)
		}
	}
	return d.editors(ctx, found...)
}

func (d Deps) spelledWorkflows(ctx context.Context, text string, limit int) ([]Hit, error) {
	found, err := d.Workflows.FittingWorkflows(ctx, workflow.Search{}, d.Spelling.Text(text).In, limit)
	if err != nil {
		return nil, err
	}
	return d.editors(ctx, found...)
}

func (d Deps) workflow(ctx context.Context, object string) (Hit, error) {
	code, _ := number(object)
	w, err := d.Workflows.Get(ctx, code)
	if err != nil {
		return Hit{}, err
	}
	return only(d.editors(ctx, w))
}

// only is the hit of a list of one.
func only(hits []Hit, err error) (Hit, error) {
	if err != nil {
		return Hit{}, err
	}
	return hits[0], nil
}

func (d Deps) editors(ctx context.Context, list ...workflow.Workflow) ([]Hit, error) {
	names, err := d.projectNames(ctx, list)
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for _, w := range list {
		hits = append(hits, Hit{Name: w.Name, Note: names[w.ProjectCode], URL: editor(w), Icon: "flow"})
	}
	return hits, nil
}

func editor(w workflow.Workflow) string {
	return project.Address(w.ProjectCode, "/workflows/"+strconv.FormatInt(w.Code, 10))
}

func (d Deps) tasks(ctx context.Context, text string, limit int) ([]Hit, error) {
	if text == "" {
		return nil, nil
	}
	found, err := d.Workflows.TasksNamed(ctx, text, limit)
	return taskHits(found), err
}

func (d Deps) spelledTasks(ctx context.Context, text string, limit int) ([]Hit, error) {
	found, err := d.Workflows.FittingTasks(ctx, d.Spelling.Text(text).In, limit)
	return taskHits(found), err
}

func taskHits(list []workflow.TaskNamed) []Hit {
	var hits []Hit
	for _, t := range list {
		at := project.Address(t.Project, "/workflows/"+strconv.FormatInt(t.Workflow, 10)+"?task="+strconv.FormatInt(t.Code, 10))
		hits = append(hits, Hit{Name: t.Name, Note: t.Type + " · " + t.WorkflowName, URL: at, Icon: "tasks"})
	}
	return hits
}

func (d Deps) runs(ctx context.Context, text string, limit int) ([]Hit, error) {
	found, err := d.Instances.Named(ctx, text, limit)
	if err != nil {
		return nil, err
	}
	return d.runHits(ctx, found...)
}

func (d Deps) spelledRuns(ctx context.Context, text string, limit int) ([]Hit, error) {
	found, err := d.Instances.Fitting(ctx, d.Spelling.Text(text).In, limit)
	if err != nil {
		return nil, err
	}
	return d.runHits(ctx, found...)
}

func (d Deps) run(ctx context.Context, object string) (Hit, error) {
	id, _ := number(object)
	i, err := d.Instances.Get(ctx, id)
	if err != nil {
		return Hit{}, err
	}
	return only(d.runHits(ctx, *i))
}

func (d Deps) runHits(ctx context.Context, list ...instance.Instance) ([]Hit, error) {
	var codes []int64
	for k := range list {
		codes = append(codes, list[k].ProjectCode)
	}
	names, err := d.Projects.Names(ctx, codes)
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for k := range list {
		i := &list[k]
		hits = append(hits, Hit{Name: i.Name, Note: names[i.ProjectCode], URL: instance.Address(i.ProjectCode, i.ID), Icon: "runs", State: string(i.State)})
	}
	return hits, nil
}

// maxTrees bounds in the files of how many tenants an administrator's search looks.
const maxTrees = 20

// trees are the tenants in whose files whoever acts looks; none when no files are kept.
func (d Deps) trees(ctx context.Context) ([]string, error) {
	if !d.Files.Ready() {
		return nil, nil
	}
	all, err := d.Files.Trees(ctx)
	return all[:min(maxTrees, len(all))], err
}

func (d Deps) files(ctx context.Context, text string, limit int) ([]Hit, error) {
	if text == "" {
		return nil, nil
	}
	all, err := d.trees(ctx)
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for _, tree := range all {
		found, err := d.Files.Page(ctx, resource.Ref{Tenant: tree}, query(resource.Spec(), text, limit))
		if err != nil {
			return nil, err
		}
		for _, f := range found.Items {
			if hits = append(hits, fileHit(f)); len(hits) == limit {
				return hits, nil
			}
		}
	}
	return hits, nil
}

func (d Deps) spelledFiles(ctx context.Context, text string, limit int) ([]Hit, error) {
	all, err := d.trees(ctx)
	if err != nil {
		return nil, err
	}
	found, err := d.Files.Fitting(ctx, all, d.Spelling.Text(text).In, limit)
	var hits []Hit
	for _, f := range found {
		hits = append(hits, fileHit(f))
	}
	return hits, err
}

func (d Deps) file(ctx context.Context, object string) (Hit, error) {
	if !d.Files.Ready() {
		return Hit{}, resource.ErrNotFound.With("name", object)
	}
	f, err := d.Files.Get(ctx, unfiled(object))
	return fileHit(f), err
}

func fileHit(f resource.File) Hit {
	h := Hit{Name: f.Name, Note: f.Ref().String(), URL: resource.Address("/show", f.Ref()), Icon: "file-text"}
	if f.Dir {
		h.URL, h.Icon = resource.Address("", f.Ref()), "folder"
	}
	return h
}

func (d Deps) connections(ctx context.Context, text string, limit int) ([]Hit, error) {
	if text == "" {
		return nil, nil
	}
	found, err := d.Sources.Page(ctx, query(datasource.Spec(), text, limit))
	return connectionHits(found.Items), err
}

func (d Deps) spelledConnections(ctx context.Context, text string, limit int) ([]Hit, error) {
	found, err := d.Sources.Fitting(ctx, d.Spelling.Text(text).In, limit)
	return connectionHits(found), err
}

func connectionHits(list []datasource.DataSource) []Hit {
	var hits []Hit
	for _, s := range list {
		hits = append(hits, Hit{Name: s.Name, Note: s.Type, URL: datasource.Path + "?q=" + url.QueryEscape(s.Name), Icon: "data"})
	}
	return hits
}

func (d Deps) users(ctx context.Context, text string, limit int) ([]Hit, error) {
	if text == "" {
		return nil, nil
	}
	if err := d.Access.Require(ctx, identity.UserRead); err != nil {
		return nil, access.ErrDenied
	}
	found, err := d.Users.List(ctx, query(identity.Spec(), text, limit))
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for _, u := range found.Items {
		hits = append(hits, userHit(u))
	}
	return hits, nil
}

func (d Deps) user(ctx context.Context, object string) (Hit, error) {
	if err := d.Access.Require(ctx, identity.UserRead); err != nil {
		return Hit{}, err
	}
	id, _ := number(object)
	u, err := d.Users.Get(ctx, id)
	return userHit(u), err
}

func userHit(u identity.User) Hit {
	return Hit{Name: u.Name, Note: u.Email, URL: user.Path + "/" + strconv.FormatInt(u.ID, 10), Icon: "user"}
}
