package workflow

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/plugins/form"
)

// The calls behind the fields of a task's form: lists to choose from, and the preview of parameters.

// FormLists are what boot hands in for the fields that every task has; a nil one is a field that the form does not have.
type FormLists struct {
	// Environments lists the environments, each with the worker groups that it is for; none is all of them.
	Environments func(ctx context.Context, projectCode int64) ([]Choice, error)
	// TaskGroups lists the task groups that tasks of a project may wait in.
	TaskGroups func(ctx context.Context, projectCode int64) ([]Choice, error)
	// Resources lists the full names of files of the resource center that the viewer may use.
	Resources func(ctx context.Context) ([]string, error)
}

// Choice is an option of a field.
type Choice struct {
	Value        string   `json:"value"`
	Label        string   `json:"label"`
	WorkerGroups []string `json:"workerGroups,omitempty"`
}

// choicesAtOnce is how many workflows a picker shows; typing narrows them down.
const choicesAtOnce = 50

// chosenWorkflow is a workflow in a list to choose from.
type chosenWorkflow struct {
	Code   int64  `json:"code"`
	Name   string `json:"name"`
	Online bool   `json:"online"`
	URL    string `json:"url"`
}

// projectChoices lists the projects that whoever acts may see.
func (p *pages) projectChoices(r *http.Request) (web.Response, error) {
	if _, err := p.inProject(r, Read); err != nil {
		return nil, err
	}
	rows, err := p.svc.Projects.All(r.Context())
	if err != nil {
		return nil, err
	}
	type choice struct {
		Code int64  `json:"code"`
		Name string `json:"name"`
	}
	out := make([]choice, len(rows))
	for i, row := range rows {
		out[i] = choice{row.Code, row.Name}
	}
	return web.JSON(http.StatusOK, map[string]any{"projects": out}), nil
}

// workflowChoices lists the workflows of a project whose names contain q, and those with the codes.
func (p *pages) workflowChoices(r *http.Request) (web.Response, error) {
	in, err := p.inProject(r, Read)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	var codes []int64
	for text := range strings.SplitSeq(q.Get("codes"), ",") {
		if code, err := strconv.ParseInt(text, 10, 64); err == nil && len(codes) < choicesAtOnce {
			codes = append(codes, code)
		}
	}
	rows, err := p.svc.Choices(r.Context(), in.Code, q.Get("q"), codes, choicesAtOnce)
	if err != nil {
		return nil, err
	}
	out := make([]chosenWorkflow, len(rows))
	for i, w := range rows {
		out[i] = chosenWorkflow{w.Code, w.Name, w.Online(), address(w.ProjectCode, w.Code)}
	}
	return web.JSON(http.StatusOK, map[string]any{"workflows": out}), nil
}

// taskChoices lists the tasks of a workflow's current version.
func (p *pages) taskChoices(r *http.Request) (web.Response, error) {
	_, w, err := p.found(r, Read)
	if err != nil {
		return nil, err
	}
	rows, err := p.svc.TaskNames(r.Context(), w.Code)
	if err != nil {
		return nil, err
	}
	type choice struct {
		Code int64  `json:"code"`
		Name string `json:"name"`
	}
	out := make([]choice, len(rows))
	for i, row := range rows {
		out[i] = choice(row)
	}
	return web.JSON(http.StatusOK, map[string]any{"tasks": out}), nil
}

// Named is a code with its name.
type Named = name

// Choices lists the workflows of a project whose names contain text, by name, at most limit of them, after those that
// have one of the codes.
func (s *Service) Choices(ctx context.Context, projectCode int64, text string, codes []int64, limit int) ([]Workflow, error) {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return nil, err
	}
	rows, err := s.store.choices(ctx, projectCode, strings.TrimSpace(text), codes, limit)
	seen := make(map[int64]bool, len(rows))
	for _, code := range s.Projects.Access.HiddenWorkflows(ctx, Read) {
		seen[code] = true
	}
	kept := rows[:0]
	for _, w := range rows {
		if !seen[w.Code] {
			seen[w.Code] = true
			kept = append(kept, w)
		}
	}
	return kept, err
}

// TaskNames lists the tasks of a workflow's current version by name. It returns ErrNotFound.
func (s *Service) TaskNames(ctx context.Context, code int64) ([]Named, error) {
	if _, err := s.need(ctx, code, Read); err != nil {
		return nil, err
	}
	return s.store.taskNames(ctx, code)
}

// shownDependant is a dependant for the editor.
type shownDependant struct {
	Label  string `json:"label"`
	URL    string `json:"url,omitempty"`
	Starts bool   `json:"starts"`
	Blocks bool   `json:"blocks"` // it is online and starts the workflow: going offline is refused
	Note   string `json:"note"`
}

// dependantsOf answers the editor before a workflow goes offline.
func (p *pages) dependantsOf(r *http.Request) (web.Response, error) {
	_, w, err := p.found(r, Read)
	if err != nil {
		return nil, err
	}
	all, err := p.svc.Dependants(r.Context(), w.Code)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"dependants": shownDependants(r.Context(), all)}), nil
}

func shownDependants(ctx context.Context, all []Dependant) []shownDependant {
	out := make([]shownDependant, len(all))
	for i, d := range all {
		note := "workflow.dependant.waits"
		if d.Kind == Starts {
			note = "workflow.dependant.starts"
		}
		out[i] = shownDependant{
			Label: d.Label(), URL: d.URL(), Starts: d.Kind == Starts, Blocks: d.Kind == Starts && d.ReleaseState == flow.Online, Note: i18n.T(ctx, note),
		}
		if d.Hidden {
			out[i].Label = i18n.T(ctx, "workflow.dependant.hidden")
		}
	}
	return out
}

// preview resolves the parameters of what is being edited, for a time.
func (p *pages) preview(r *http.Request) (web.Response, error) {
	in, err := p.inProject(r, Read)
	if err != nil {
		return nil, err
	}
	var body struct {
		posted
		TaskCode int64             `json:"taskCode"`
		At       string            `json:"at"`
		Zone     string            `json:"zone"`
		Texts    []string          `json:"texts"`
		Samples  map[string]string `json:"samples"`
	}
	if err := readJSON(r, &body); err != nil {
		return nil, err
	}
	def, err := readDefinition(body.Definition)
	if err != nil {
		return nil, err
	}
	base, err := p.svc.previewTime(body.At, body.Zone)
	if err != nil {
		return nil, err
	}
	found, err := p.svc.PreviewAt(r.Context(), in.Code, def, PreviewRequest{Task: body.TaskCode, Base: base, Texts: body.Texts, Samples: body.Samples})
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{
		"params": found.Params, "texts": found.Texts, "branches": found.Branches, "dates": found.Dates, "at": base.Format(time.RFC3339),
	}), nil
}

// offer adds to the editor's page what its fields offer, and what the project suggests for new tasks.
func (p *pages) offer(ctx context.Context, doc *document, in project.Project) error {
	l := p.lists
	wishes, err := p.svc.Projects.Preference(ctx, in.Code)
	if err != nil {
		return err
	}
	doc.Preference = wishes
	params, err := p.svc.Projects.Properties(ctx, in.Code)
	if err != nil {
		return err
	}
	doc.ProjectParams = make([]string, len(params))
	for i, param := range params {
		doc.ProjectParams[i] = param.Prop
	}
	if doc.WorkerGroups, err = p.workerGroups(ctx, in); err != nil {
		return err
	}
	if l.Environments != nil {
		doc.Features["environments"] = true
		if doc.Environments, err = l.Environments(ctx, in.Code); err != nil {
			return wrap(err, "list environments")
		}
	}
	if l.Resources != nil {
		if doc.Resources, err = l.Resources(ctx); err != nil {
			return wrap(err, "list files")
		}
	}
	if l.TaskGroups != nil {
		doc.Features["taskGroups"] = true
		if doc.TaskGroups, err = l.TaskGroups(ctx, in.Code); err != nil {
			return wrap(err, "list task groups")
		}
	}
	for _, c := range form.DateCycles() {
		cycle := dateCycle{Choice: Choice{Value: c.Cycle, Label: i18n.T(ctx, "task.cycle."+c.Cycle)}}
		for _, date := range c.Dates {
			cycle.Dates = append(cycle.Dates, Choice{Value: date, Label: i18n.T(ctx, "task.date."+date)})
		}
		doc.DateCycles = append(doc.DateCycles, cycle)
	}
	return nil
}

// workerGroups lists the groups that tasks of the project may ask for: those it is bound to, otherwise all there are and
// those that some worker serves.
func (p *pages) workerGroups(ctx context.Context, in project.Project) ([]string, error) {
	bound, err := p.svc.Projects.AssignedGroups(ctx, in.Code)
	if err != nil {
		return nil, err
	}
	groups, err := p.svc.Projects.WorkerGroups(ctx, in.Code)
	if err != nil || len(bound) > 0 || p.groups == nil {
		return groups, err
	}
	served, err := p.groups(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range served {
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	return groups, nil
}

// dateCycle offers the dates of a DEPENDENT item.
type dateCycle struct {
	Choice
	Dates []Choice `json:"dates"`
}
