package workflow

import (
	"context"
	"slices"
	"time"

	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
)

// Create saves the first version of a new workflow in a project, offline unless c.Online. A definition without a code
// gets one. It returns ErrNameTaken, ErrCodeTaken, ErrTaskCodeTaken, an InvalidError.
func (s *Service) Create(ctx context.Context, projectCode int64, c Change) (Saved, error) {
	if err := s.mayWrite(ctx, projectCode, 0, c); err != nil {
		return Saved{}, err
	}
	def := c.Definition
	def.ProjectCode, def.Version = projectCode, 1
	if def.Code == 0 {
		def.Code = s.Codes.Next()
	}
	if err := s.prepare(ctx, def, c.Empty && !c.Online); err != nil {
		return Saved{}, err
	}
	d := revise(nil, def)
	body, err := encode(def)
	if err != nil {
		return Saved{}, err
	}
	src, err := s.carry(ctx, Workflow{}, def, c.Source)
	if err != nil {
		return Saved{}, err
	}
	p, err := access.Must(ctx)
	if err != nil {
		return Saved{}, err
	}
	at := now(s.Now)
	w := Workflow{
		Code: def.Code, ProjectCode: projectCode, Name: def.Name, Description: def.Description, Version: 1,
		ReleaseState: flow.Offline, ExecutionType: def.ExecutionType, TaskCount: len(def.Tasks),
		OwnerID: p.UserID, OwnerName: p.Name, ModifiedBy: p.UserID, ModifierName: p.Name, CreatedAt: at, UpdatedAt: at,
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		var err error
		if w.ID, err = s.store.insert(ctx, w); err != nil {
			return err
		}
		if err := s.write(ctx, w, def, d, body, c.Message); err != nil {
			return err
		}
		if err := s.keepSource(ctx, Workflow{}, Saved{Workflow: w, Definition: def, Changed: true}, src); err != nil {
			return err
		}
		if err := s.record(ctx, w, "workflow.create", audit.Change{After: head(w), Detail: map[string]any{"version": 1, "tasks": len(def.Tasks)}}); err != nil {
			return err
		}
		if c.Online {
			return s.release(ctx, &w, flow.Online)
		}
		return nil
	})
	return Saved{Workflow: w, Definition: def, Changed: true}, err
}

// Update saves a new version of a workflow, unless it would say the same as the current one. It returns ErrNotFound,
// ErrOnline, a StaleError, ErrNameTaken, ErrTaskCodeTaken, an InvalidError.
func (s *Service) Update(ctx context.Context, code int64, c Change) (Saved, error) {
	w, err := s.need(ctx, code, Edit)
	if err != nil {
		return Saved{}, err
	}
	if err := s.mayWrite(ctx, w.ProjectCode, code, c); err != nil {
		return Saved{}, err
	}
	def := c.Definition
	def.Code, def.ProjectCode = code, w.ProjectCode
	if w.Online() && !c.Online {
		return Saved{}, ErrOnline.With("name", w.Name) // before the content is looked at: it would be refused whatever it is
	}
	if err := s.prepare(ctx, def, c.Empty && !c.Online); err != nil {
		return Saved{}, err
	}
	// Comparing and encoding a large definition takes long, so it is done before anybody has to wait for the lock.
	next, err := s.compare(ctx, w, def)
	if err != nil {
		return Saved{}, err
	}
	src, err := s.carry(ctx, w, def, c.Source)
	if err != nil {
		return Saved{}, err
	}
	saved := Saved{Definition: def}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		w, err := s.store.lock(ctx, code)
		if err != nil {
			return err
		}
		saved.Workflow = w
		switch {
		case c.BaseVersion != AnyVersion && c.BaseVersion != w.Version:
			return stale(w)
		case w.Online() && !c.Online:
			return ErrOnline.With("name", w.Name)
		}
		if err := s.revise(ctx, &saved, next, c.Message); err != nil {
			return err
		}
		if err := s.keepSource(ctx, w, saved, src); err != nil {
			return err
		}
		if c.Online && !saved.Workflow.Online() {
			return s.release(ctx, &saved.Workflow, flow.Online)
		}
		return nil
	})
	return saved, err
}

// revision is a definition made ready to follow a version of its workflow.
type revision struct {
	after  int // the version
	newest int // the highest number a version ever had, as far as is known
	given  []int
	last   *flow.Definition
	same   bool // it says what the version says
	diff   diff
	body   []byte // nil when same
}

// compare makes def, whose tasks get their versions by it, the next version of w. Both are compared task by task once.
func (s *Service) compare(ctx context.Context, w Workflow, def *flow.Definition) (revision, error) {
	last, err := s.store.body(ctx, w.Code, w.Version)
	if err != nil {
		return revision{}, err
	}
	// Versions may have been deleted, but a number is never given twice.
	newest, err := s.store.lastVersion(ctx, w.Code)
	if err != nil {
		return revision{}, err
	}
	r := revision{after: w.Version, newest: newest, last: last, given: make([]int, len(def.Tasks))}
	for i := range def.Tasks {
		r.given[i] = def.Tasks[i].Version
	}
	r.diff = revise(last, def)
	head, lastHead := *def, *last
	head.Tasks, lastHead.Tasks = nil, nil
	if r.same = len(r.diff.changed) == 0 && len(r.diff.removed) == 0 && flow.Equal(&lastHead, &head); r.same {
		return r, nil
	}
	def.Version = max(newest, w.Version) + 1
	r.body, err = encode(def)
	return r, err
}

// revise writes saved.Definition as the next version of the locked saved.Workflow when it says anything new. When next
// was made for another version than the current one, because somebody was faster, it is made again.
func (s *Service) revise(ctx context.Context, saved *Saved, next revision, message string) error {
	w, def := &saved.Workflow, saved.Definition
	newest, err := s.store.lastVersion(ctx, w.Code)
	if err != nil {
		return err
	}
	if next.after != w.Version || next.newest != newest {
		for i, version := range next.given {
			def.Tasks[i].Version = version
		}
		if next, err = s.compare(ctx, *w, def); err != nil {
			return err
		}
	}
	if next.same {
		saved.Definition = next.last
		return nil
	}
	before := head(*w)
	w.Name, w.Description, w.Version, w.ExecutionType, w.TaskCount = def.Name, def.Description, def.Version, def.ExecutionType, len(def.Tasks)
	s.touch(ctx, w)
	if err := s.store.update(ctx, *w); err != nil {
		return err
	}
	if err := s.write(ctx, *w, def, next.diff, next.body, message); err != nil {
		return err
	}
	saved.Changed = true
	return s.record(ctx, *w, "workflow.update", audit.Change{Before: before, After: head(*w), Detail: map[string]any{
		"version": w.Version, "added": next.diff.added, "changed": len(next.diff.changed) - next.diff.added, "removed": len(next.diff.removed),
	}})
}

// write stores a version, brings the mirror of tasks and the lineage up to date, and forgets the author's draft: it is
// this version.
func (s *Service) write(ctx context.Context, w Workflow, def *flow.Definition, d diff, body []byte, message string) error {
	v := Version{
		WorkflowCode: w.Code, Version: def.Version, Message: cut(message, maxMessage), OperatorID: w.ModifiedBy,
		TaskCount: len(def.Tasks), Added: d.added, Changed: len(d.changed) - d.added, Removed: len(d.removed), CreatedAt: w.UpdatedAt,
	}
	if err := s.store.insertVersion(ctx, v, body); err != nil {
		return err
	}
	if err := s.store.unmirror(ctx, w.Code, d.removed); err != nil {
		return err
	}
	if err := s.store.mirror(ctx, def, d.changed); err != nil {
		return err
	}
	if err := s.store.nameFiles(ctx, w.Code, d.changed, d.removed); err != nil {
		return err
	}
	if err := s.nameSources(ctx, w.Code, d.changed, d.removed); err != nil {
		return err
	}
	if err := s.relink(ctx, def); err != nil {
		return err
	}
	return s.store.removeDraft(ctx, w.ModifiedBy, w.Code)
}

// mayWrite checks what a change of a workflow, or with code 0 a new one, needs beyond reading.
func (s *Service) mayWrite(ctx context.Context, projectCode, code int64, c Change) error {
	if err := s.permitted(ctx, projectCode, code, Edit); err != nil {
		return err
	}
	if c.Online {
		return s.permitted(ctx, projectCode, code, Release)
	}
	return nil
}

// prepare tidies and checks a definition before it is saved. empty lets one without tasks pass.
func (s *Service) prepare(ctx context.Context, def *flow.Definition, empty bool) error {
	number(def, s.Codes.Next)
	tidy(def)
	if tooLong(def.Description, maxDescription) {
		return &InvalidError{
			[]flow.Problem{{Field: "description", Key: ErrDescription.Key, Args: []any{"max", maxDescription}, Severity: flow.SeverityError}},
			ErrDescription.With("max", maxDescription).OnField("description", ErrDescription.Key, "max", maxDescription),
		}
	}
	problems, err := s.validate(ctx, def)
	if err != nil {
		return err
	}
	problems = append(problems, s.deniedGroups(ctx, def)...)
	if empty {
		problems = slices.DeleteFunc(problems, func(p flow.Problem) bool { return p.Key == problemEmpty })
	}
	return refuse(problems)
}

// problemEmpty is what package flow says of a definition without tasks.
const problemEmpty = "flow.problem.empty"

func encode(def *flow.Definition) ([]byte, error) {
	body, err := flow.Marshal(def)
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, tooBig()
	}
	return body, nil
}

// Copy makes an offline workflow with the content of another one's current version and new task codes, in the project
// target. Its name is the old one, "_copy_", and the time.
func (s *Service) Copy(ctx context.Context, code, target int64) (Saved, error) {
	w, err := s.need(ctx, code, Read)
	if err != nil {
		return Saved{}, err
	}
	def, err := s.store.body(ctx, code, w.Version)
	if err != nil {
		return Saved{}, err
	}
	renumber(def, s.Catalog, s.Codes.Next)
	def.Code = 0
	def.Name = copyName(def.Name, s.Now())
	return s.Create(ctx, target, Change{Definition: def})
}

// copyName keeps within the longest name by shortening what stands before the time.
func copyName(name string, at time.Time) string {
	stamp := at.UTC().Format("20060102150405.000")
	suffix := "_copy_" + stamp[:14] + stamp[15:]
	return cut(name, maxName-len(suffix)) + suffix
}

func cut(s string, characters int) string {
	if !tooLong(s, characters) {
		return s
	}
	return string([]rune(s)[:characters])
}

// Branch saves a definition as a version that does not become the current one: what a single run does from now on. Saying
// what the version base says makes none. It returns the number of the version, and ErrNotFound, ErrVersionNotFound, an
// InvalidError.
func (s *Service) Branch(ctx context.Context, code int64, base int, c Change) (int, error) {
	w, err := s.need(ctx, code, Edit)
	if err != nil {
		return 0, err
	}
	def := c.Definition
	def.Code, def.ProjectCode = code, w.ProjectCode
	if err := s.prepare(ctx, def, false); err != nil {
		return 0, err
	}
	problems, err := s.related(ctx, def, s.links(def))
	if err != nil {
		return 0, err
	}
	if err := refuse(problems); err != nil {
		return 0, err
	}
	version := base
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if w, err = s.store.lock(ctx, code); err != nil {
			return err
		}
		from := w
		from.Version = base
		next, err := s.compare(ctx, from, def)
		if err != nil || next.same {
			return err
		}
		if _, err := s.mayUseSources(ctx, next.diff.changed); err != nil {
			return err
		}
		version = def.Version
		p, err := access.Must(ctx)
		if err != nil {
			return err
		}
		err = s.store.insertVersion(ctx, Version{
			WorkflowCode: code, Version: version, Message: cut(c.Message, maxMessage), OperatorID: p.UserID, TaskCount: len(def.Tasks),
			Added: next.diff.added, Changed: len(next.diff.changed) - next.diff.added, Removed: len(next.diff.removed), CreatedAt: now(s.Now),
		}, next.body)
		if err != nil {
			return err
		}
		return s.record(ctx, w, "workflow.branch", map[string]any{"version": version, "from": base})
	})
	return version, err
}

// Restore saves the content of an old version as a new one. History is never rewritten. It returns ErrNotFound,
// ErrVersionNotFound, ErrOnline.
func (s *Service) Restore(ctx context.Context, code int64, version int, message string) (Saved, error) {
	if _, err := s.need(ctx, code, Edit); err != nil {
		return Saved{}, err
	}
	saved := Saved{}
	err := s.DB.InTx(ctx, func(ctx context.Context) error {
		w, err := s.store.lock(ctx, code)
		if err != nil {
			return err
		}
		if w.Online() {
			return ErrOnline.With("name", w.Name)
		}
		def, err := s.store.body(ctx, code, version)
		if err != nil {
			return err
		}
		def.ProjectCode = w.ProjectCode // it may have been in another one
		saved = Saved{Workflow: w, Definition: def}
		if err := s.revise(ctx, &saved, revision{}, message); err != nil || !saved.Changed {
			return err
		}
		return s.copySource(ctx, saved.Workflow, version)
	})
	return saved, err
}
