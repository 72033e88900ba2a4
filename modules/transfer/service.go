package transfer

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/modules/audit"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/modules/schedule"
	"dorado/modules/transfer/neutral"
	"dorado/modules/workflow"
	"dorado/plugins/catalog"
)

// Services are the parts that the service is built from.
type Services struct {
	DB        *db.DB
	Audit     *audit.Service
	Projects  *project.Service
	Workflows *workflow.Service
	Schedules *schedule.Service
	Catalog   *catalog.Catalog
	Now       func() time.Time
}

// Service brings workflows in and takes them out. Bringing in needs workflow.Edit in the project, and schedule.Edit for
// files that have schedules; taking out needs workflow.Read.
type Service struct {
	Services
	lookups Lookups
}

// NewService returns the service.
func NewService(d Services, l Lookups) *Service { return &Service{Services: d, lookups: l} }

// Preview says what Import would do with a bundle. It returns ErrChoice.
func (s *Service) Preview(ctx context.Context, project int64, b *neutral.Bundle, c Choices) (*Preview, error) {
	w, items, err := s.look(ctx, project, b, c)
	if err != nil {
		return nil, err
	}
	return w.preview(items), nil
}

func (w *world) preview(items []Item) *Preview {
	p := &Preview{Format: w.bundle.Format, Items: items, Notes: w.bundle.Notes}
	for _, ref := range w.order {
		p.References = append(p.References, *w.refs[ref])
	}
	return p
}

// look reads everything that an import decides by.
func (s *Service) look(ctx context.Context, project int64, b *neutral.Bundle, c Choices) (*world, []Item, error) {
	if _, err := s.Projects.Require(ctx, project, workflow.Edit); err != nil {
		return nil, nil, err
	}
	w := &world{svc: s, project: project, bundle: b, inside: map[int64]int{}, refs: map[neutral.Ref]*Reference{}, linked: map[int]map[int]bool{}}
	for i := range b.Workflows {
		if d := b.Workflows[i].Definition; d != nil {
			w.inside[d.Code] = i
		}
	}
	w.collect()
	if err := w.resolve(ctx, c.Mapping); err != nil {
		return nil, nil, err
	}
	if !c.Stamped {
		if err := w.findNamesakes(ctx); err != nil {
			return nil, nil, err
		}
	}
	same := w.codes()
	for i := range b.Workflows {
		if d := b.Workflows[i].Definition; d != nil {
			same.keep(d)
		}
	}
	items := make([]Item, len(b.Workflows))
	taken := map[string]bool{}
	for i := range b.Workflows {
		item, err := w.item(ctx, i, c, same, taken)
		if err != nil {
			return nil, nil, err
		}
		items[i] = item
	}
	w.block(ctx, items)
	return w, items, nil
}

// item says what would become of one workflow.
func (w *world) item(ctx context.Context, i int, c Choices, kept codes, taken map[string]bool) (Item, error) {
	wf := &w.bundle.Workflows[i]
	item := Item{Index: i, File: wf.File, Project: wf.Project, Name: wf.Name(), As: wf.Name(), Action: Create, Schedules: len(wf.Schedules)}
	if wf.Definition == nil {
		item.Action, item.Blocked = Skip, true
		return item, nil
	}
	d := wf.Definition
	item.Tasks, item.Foreign = len(d.Tasks), w.foreign(d)
	var err error
	if c.Stamped {
		item.As, err = w.stamped(ctx, d.Name, taken)
		taken[item.As] = true
	} else {
		err = w.decide(ctx, &item, c, taken)
	}
	if err != nil || wf.Broken {
		item.Blocked = wf.Broken
		return item, err
	}
	if item.Action == Skip {
		return item, nil
	}
	item.Problems, err = w.problems(ctx, d, item, kept)
	item.Blocked = len(item.Problems) > 0
	return item, err
}

// decide chooses the action and the name, as whoever imports wants it.
func (w *world) decide(ctx context.Context, item *Item, c Choices, taken map[string]bool) error {
	if there, known := w.namesakes[item.Index]; known {
		item.Existing, item.Same = there.head, w.same(item.Index)
		item.Action = Rename
		switch {
		case c.Conflict != "":
			item.Action = c.Conflict
		case item.Same:
			item.Action = Skip
		}
	}
	if chosen, said := c.Actions[item.Index]; said {
		if !slices.Contains(Actions(), chosen) {
			return ErrChoice.With("value", string(chosen))
		}
		item.Action = chosen
	}
	switch {
	case item.Action == Version && item.Existing.Code == 0, item.Action == Create && taken[item.Name]:
		item.Action = Create
		if taken[item.Name] {
			item.Action = Rename
		}
	case item.Action == Create && item.Existing.Code != 0:
		item.Action = Rename
	}
	if item.Action == Rename {
		want := neutral.CleanName(c.Names[item.Index], flow.MaxWorkflowName)
		if want == "" {
			want = item.Name
		}
		var err error
		if item.As, err = w.free(ctx, want, taken); err != nil {
			return err
		}
	}
	if item.Action != Skip {
		taken[item.As] = true
	}
	return nil
}

// free returns a name that nothing in the project and nothing else of this import has.
func (w *world) free(ctx context.Context, name string, taken map[string]bool) (string, error) {
	for n := 0; ; n++ {
		out := name
		if n > 0 {
			out = shorten(name, "("+strconv.Itoa(n)+")")
		}
		used, err := w.svc.Workflows.NameTaken(ctx, w.project, out, 0)
		if err != nil || !used && !taken[out] {
			return out, err
		}
	}
}

func shorten(name, tail string) string {
	room := flow.MaxWorkflowName - utf8.RuneCountInString(tail)
	if r := []rune(name); len(r) > room {
		name = string(r[:room])
	}
	return name + tail
}

// importTail is what DolphinScheduler puts behind the names of what it imports; 17 digits follow.
const importTail = "_import_"

// stamped names a workflow as DolphinScheduler does: a name that is free, and the time in the place of an earlier one.
func (w *world) stamped(ctx context.Context, name string, taken map[string]bool) (string, error) {
	name, err := w.free(ctx, name, nil)
	if err != nil {
		return "", err
	}
	if at := strings.LastIndex(name, importTail); at > 0 {
		tail := name[at+len(importTail):]
		if len(tail) >= 17 && strings.Trim(tail[:17], "0123456789") == "" {
			name = name[:at]
		}
	}
	for at := w.svc.Now().UTC(); ; at = at.Add(time.Millisecond) {
		stamp := at.Format("20060102150405.000")
		if out := shorten(name, importTail+stamp[:14]+stamp[15:]); !taken[out] {
			return out, nil
		}
	}
}

// foreign lists the types of a definition that cannot run here.
func (w *world) foreign(d *flow.Definition) []string {
	var out []string
	for i := range d.Tasks {
		name := d.Tasks[i].Type
		if p, ok := w.svc.Catalog.Task(name); ok && p.Foreign && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// namesake is a workflow here that has the name of one of the bundle.
type namesake struct {
	head workflow.Workflow
	has  *flow.Definition
}

// findNamesakes looks for workflows that are here already, by their names.
func (w *world) findNamesakes(ctx context.Context) error {
	w.namesakes = map[int]namesake{}
	w.here = w.codes()
	for i := range w.bundle.Workflows {
		d := w.bundle.Workflows[i].Definition
		if d == nil {
			continue
		}
		head, err := w.svc.Workflows.ByName(ctx, w.project, d.Name)
		if hidden(err) {
			continue
		}
		if err != nil {
			return err
		}
		has, err := w.svc.Workflows.Definition(ctx, head.Code, 0)
		if err != nil {
			return err
		}
		w.namesakes[i] = namesake{head, has}
		w.here.workflows[d.Code] = head.Code
		w.here.adopt(d, has, func(int64) int64 { return -1 })
	}
	return nil
}

// same reports whether the namesake of a workflow says what that says, whatever the codes.
func (w *world) same(i int) bool {
	has := w.namesakes[i].has
	says := w.definition(i, w.here, false)
	says.Code, says.ProjectCode, says.Name = has.Code, has.ProjectCode, has.Name
	return flow.Equal(has, says)
}

// problems says what would keep a definition from being saved, apart from what it names.
func (w *world) problems(ctx context.Context, d *flow.Definition, item Item, kept codes) ([]string, error) {
	var out []string
	if item.Action == Version && item.Existing.Online() {
		out = append(out, i18n.T(ctx, "transfer.problem.online", "name", item.Existing.Name))
	}
	says := w.definition(item.Index, kept, false)
	says.Name = item.As
	found, err := w.svc.Workflows.Check(ctx, w.project, says)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		if p.Severity != flow.SeverityError || strings.HasPrefix(p.Key, "workflow.problem.") && strings.HasSuffix(p.Key, "_missing") {
			continue // what is in the bundle is not there yet, what is not stands among the references
		}
		text := i18n.T(ctx, p.Key, p.Args...)
		if p.TaskName != "" {
			text = p.TaskName + ": " + text
		}
		if out = append(out, text); len(out) >= maxProblems {
			break
		}
	}
	for _, ref := range w.order {
		r := w.refs[ref]
		if r.Open && slices.ContainsFunc(r.Uses, func(u string) bool { return strings.HasPrefix(u, d.Name+" → ") }) {
			out = append(out, i18n.T(ctx, "transfer.problem.open", "kind", i18n.T(ctx, "transfer.kind."+string(ref.Kind)), "name", r.Label))
		}
	}
	return out, nil
}

// maxProblems is how many of a workflow are shown.
const maxProblems = 10

// block keeps from being imported what names a workflow of the bundle that is not imported and not here either, and what
// would start itself.
func (w *world) block(ctx context.Context, items []Item) {
	for changed := true; changed; {
		changed = false
		for i := range items {
			if items[i].Blocked || items[i].Action == Skip {
				continue
			}
			for to := range w.links(i) {
				gone := items[to].Blocked || items[to].Action == Skip
				if to != i && gone && items[to].Existing.Code == 0 {
					items[i].Blocked, changed = true, true
					items[i].Problems = append(items[i].Problems, i18n.T(ctx, "transfer.problem.needs", "name", items[to].Name))
					break
				}
			}
		}
	}
	if _, ring := w.sorted(items); ring != nil {
		for _, i := range ring {
			items[i].Blocked = true
			items[i].Problems = append(items[i].Problems, i18n.T(ctx, ErrRing.Key, "name", items[i].Name))
		}
	}
}
