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
		{Action, d.actions},
		{Workflow, d.workflows},
		{Project, d.projects},
		{Page, d.pages},
		{Run, d.runs},
		{Task, d.tasks},
		{File, d.files},
		{DataSource, d.connections},
		{User, d.users},
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
	names, err := d.projectNames(ctx, found)
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for _, w := range found {
		if !d.Access.CanWorkflow(ctx, w.ProjectCode, w.Code, instance.Operate) {
			continue
		}
		hits = append(hits, Hit{Name: i18n.T(ctx, "search.run", "name", w.Name), Note: names[w.ProjectCode], URL: editor(w) + "/run", Icon: "play"})
	}
	return hits, nil
}

// pages are those of the navigation, by their words or their address.
func (d Deps) pages(ctx context.Context, text string, _ int) ([]Hit, error) {
	var hits []Hit
	if text == "" {
		return nil, nil // the navigation shows them
	}
	for _, p := range d.Frame.Places(ctx) {
		if contains(p.Label, text) || contains(p.URL, text) {
			hits = append(hits, Hit{Name: p.Label, Note: p.Group, URL: p.URL, Icon: p.Icon})
		}
	}
	return hits, nil
}

func contains(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

func (d Deps) projects(ctx context.Context, text string, limit int) ([]Hit, error) {
	found, err := d.Projects.List(ctx, query(project.Spec(), text, limit))
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for _, p := range found.Items {
		hits = append(hits, Hit{Name: p.Name, Note: p.Description, URL: project.Address(p.Code, ""), Icon: "boxes"})
	}
	if code, ok := number(text); ok {
		if p, err := d.Projects.Require(ctx, code, project.Read); err == nil {
			hits = append(hits, Hit{Name: p.Name, Note: text, URL: project.Address(p.Code, ""), Icon: "boxes"})
		}
	}
	return hits, nil
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
	names, err := d.projectNames(ctx, found)
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for _, w := range found {
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
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for _, t := range found {
		at := project.Address(t.Project, "/workflows/"+strconv.FormatInt(t.Workflow, 10)+"?task="+strconv.FormatInt(t.Code, 10))
		hits = append(hits, Hit{Name: t.Name, Note: t.Type + " · " + t.WorkflowName, URL: at, Icon: "tasks"})
	}
	return hits, nil
}

func (d Deps) runs(ctx context.Context, text string, limit int) ([]Hit, error) {
	found, err := d.Instances.Named(ctx, text, limit)
	if err != nil {
		return nil, err
	}
	var codes []int64
	for k := range found {
		codes = append(codes, found[k].ProjectCode)
	}
	names, err := d.Projects.Names(ctx, codes)
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for k := range found {
		i := &found[k]
		hits = append(hits, Hit{Name: i.Name, Note: names[i.ProjectCode], URL: instance.Address(i.ProjectCode, i.ID), Icon: "runs", State: string(i.State)})
	}
	return hits, nil
}

// trees bounds in the files of how many tenants an administrator's search looks.
const trees = 20

func (d Deps) files(ctx context.Context, text string, limit int) ([]Hit, error) {
	if text == "" || !d.Files.Ready() {
		return nil, nil
	}
	all, err := d.Files.Trees(ctx)
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for _, tree := range all[:min(trees, len(all))] {
		found, err := d.Files.Page(ctx, resource.Ref{Tenant: tree}, query(resource.Spec(), text, limit))
		if err != nil {
			return nil, err
		}
		for _, f := range found.Items {
			h := Hit{Name: f.Name, Note: f.Ref().String(), URL: resource.Address("/show", f.Ref()), Icon: "file-text"}
			if f.Dir {
				h.URL, h.Icon = resource.Address("", f.Ref()), "folder"
			}
			if hits = append(hits, h); len(hits) == limit {
				return hits, nil
			}
		}
	}
	return hits, nil
}

func (d Deps) connections(ctx context.Context, text string, limit int) ([]Hit, error) {
	if text == "" {
		return nil, nil
	}
	found, err := d.Sources.Page(ctx, query(datasource.Spec(), text, limit))
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for _, s := range found.Items {
		hits = append(hits, Hit{
			Name: s.Name, Note: s.Type, URL: datasource.Path + "?q=" + url.QueryEscape(s.Name), Icon: "data",
		})
	}
	return hits, nil
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
		hits = append(hits, Hit{Name: u.Name, Note: u.Email, URL: user.Path + "/" + strconv.FormatInt(u.ID, 10), Icon: "user"})
	}
	return hits, nil
}
