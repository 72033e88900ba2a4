package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/modules/flow"
	flowtext "dorado/modules/flow/text"
)

// Lookup knows the names of what belongs to other modules: environments and task groups. boot hands it in; without it
// texts have their codes.
type Lookup interface {
	// Name returns the name of what has a code, "" for none.
	Name(ctx context.Context, kind flowtext.Kind, code int64) (string, error)
	// Code returns the code of what has a name, 0 for none.
	Code(ctx context.Context, kind flowtext.Kind, name string) (int64, error)
}

// SetLookup hands in the names of other modules. It must not be called once requests are served.
func (s *Service) SetLookup(l Lookup) { s.lookup = l }

// ErrSource refuses a text that is no workflow.
var ErrSource = fault.New(fault.Invalid, "workflow.source_invalid")

// SourceError refuses a text with all that is wrong with it. It is an ErrSource.
type SourceError struct {
	Problems []SourceProblem
	err      *fault.Error
}

// Error describes the refusal for logs.
func (e *SourceError) Error() string { return e.err.Error() }

// Unwrap is the fault that the user sees.
func (e *SourceError) Unwrap() error { return e.err }

// SourceProblem is one thing wrong with a text.
type SourceProblem struct {
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Message  string `json:"message"`
	Severity string `json:"severity"`
}

// names resolves references for whoever acts: what he may not read has no name.
type names struct {
	ctx context.Context //nolint:containedctx // lives as long as one call
	svc *Service
	err error
	// What was found, so that each reference is looked up once.
	found map[flowtext.Kind]map[int64]string
	codes map[flowtext.Kind]map[string]int64
}

func (s *Service) names(ctx context.Context) *names {
	return &names{ctx: ctx, svc: s, found: map[flowtext.Kind]map[int64]string{}, codes: map[flowtext.Kind]map[string]int64{}}
}

func (n *names) Name(kind flowtext.Kind, code int64) (string, bool) {
	name, known := n.found[kind][code]
	if !known {
		name, _ = n.findName(kind, code)
		if n.found[kind] == nil {
			n.found[kind] = map[int64]string{}
		}
		n.found[kind][code] = name
	}
	return name, name != ""
}

func (n *names) Code(kind flowtext.Kind, name string) (int64, bool) {
	code, known := n.codes[kind][name]
	if !known {
		if found, ok := n.findCode(kind, name); ok {
			code = found
		}
		if n.codes[kind] == nil {
			n.codes[kind] = map[string]int64{}
		}
		n.codes[kind][name] = code
	}
	return code, code != 0
}

func (n *names) findName(kind flowtext.Kind, code int64) (string, bool) {
	if kind == flowtext.Environment || kind == flowtext.TaskGroup {
		if n.svc.lookup == nil {
			return "", false
		}
		name, err := n.svc.lookup.Name(n.ctx, kind, code)
		n.err = errors.Join(n.err, err)
		return name, err == nil && name != ""
	}
	found, err := n.svc.store.reference(n.ctx, kind, code)
	n.err = errors.Join(n.err, err)
	if err != nil || found.Code == 0 || !n.svc.Can(n.ctx, found.ProjectCode, Read) {
		return "", false
	}
	parts := []string{found.Project, found.Workflow, found.Task}[:depthOf(kind)]
	// A slash within a name would make the way ambiguous.
	if slices.ContainsFunc(parts, func(part string) bool { return part == "" || strings.Contains(part, "/") }) {
		return "", false
	}
	return strings.Join(parts, "/"), true
}

// depthOf is how many names lead to a thing.
func depthOf(kind flowtext.Kind) int {
	switch kind {
	case flowtext.Project:
		return 1
	case flowtext.Workflow:
		return 2
	default:
		return 3
	}
}

func (n *names) findCode(kind flowtext.Kind, name string) (int64, bool) {
	if kind == flowtext.Environment || kind == flowtext.TaskGroup {
		if n.svc.lookup == nil {
			return 0, false
		}
		code, err := n.svc.lookup.Code(n.ctx, kind, name)
		n.err = errors.Join(n.err, err)
		return code, err == nil && code != 0
	}
	parts := strings.Split(name, "/")
	if len(parts) != depthOf(kind) {
		return 0, false
	}
	found, err := n.svc.store.reference(n.ctx, kind, 0, parts...)
	n.err = errors.Join(n.err, err)
	return found.Code, err == nil && found.Code != 0 && n.svc.Can(n.ctx, found.ProjectCode, Read)
}

// Source returns the YAML of one version, 0 for the current one: what its author typed, or else the canonical text. It
// returns ErrNotFound, ErrVersionNotFound.
func (s *Service) Source(ctx context.Context, code int64, version int, style flowtext.Style) (string, error) {
	w, err := s.need(ctx, code, Read)
	if err != nil {
		return "", err
	}
	if version == 0 {
		version = w.Version
	}
	def, err := s.store.body(ctx, code, version)
	if err != nil {
		return "", err
	}
	src, err := s.store.source(ctx, code, version)
	if err != nil {
		return "", err
	}
	n := s.names(ctx)
	out := flowtext.Format(def, n, style)
	if src != "" {
		if out = flowtext.Update([]byte(src), def, def, n); style.Layout {
			out = flowtext.WithLayout(out, def, n)
		}
	}
	var timers []flowtext.Timer
	if style.Schedules && s.schedules != nil {
		if timers, err = s.schedules.Timers(ctx, w.ProjectCode, code); err != nil {
			return "", err
		}
	}
	return string(flowtext.WithTimers(out, def, timers, n)), n.err
}

// Schedules are the schedules of workflows, for their texts. The module that has schedules implements it; without it texts say
// nothing about them.
type Schedules interface {
	// Timers are the schedules of a workflow as a text says them, for whoever may read them; nil for others.
	Timers(ctx context.Context, project, code int64) ([]flowtext.Timer, error)
	// CheckTimers says what is wrong with schedules for a workflow, 0 for a new one.
	CheckTimers(ctx context.Context, project, code int64, timers []flowtext.Timer) ([]TimerProblem, error)
	// SetTimers makes these, and no others, the schedules of a workflow, in the transaction of ctx. It reports whether anything
	// changed.
	SetTimers(ctx context.Context, project, code int64, timers []flowtext.Timer) (bool, error)
}

// TimerProblem is one thing wrong with a schedule of a text. Field is named as module schedule names it.
type TimerProblem struct {
	Name, Field, Key string
	Args             []any
}

// SetSchedules hands in the schedules. It must not be called once requests are served.
func (s *Service) SetSchedules(t Schedules) { s.schedules = t }

// WriteSource brings a text, "" for none yet, in step with a definition. prev is what the text said before, nil when
// that is what the saved version of the definition says.
func (s *Service) WriteSource(ctx context.Context, projectCode int64, src string, prev, next *flow.Definition) (string, error) {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return "", err
	}
	if src == "" && next.Code != 0 {
		w, err := s.in(ctx, projectCode, next.Code, Read)
		switch {
		case err == nil:
			if src, err = s.store.source(ctx, w.Code, w.Version); err != nil {
				return "", err
			}
			if prev, err = s.store.body(ctx, w.Code, w.Version); err != nil {
				return "", err
			}
		case !errors.Is(err, ErrNotFound):
			return "", err
		}
	}
	n := s.names(ctx)
	if src == "" {
		return string(flowtext.Format(next, n, flowtext.Style{})), n.err
	}
	out := flowtext.Update([]byte(src), prev, next, n)
	return string(flowtext.WithTimers(out, next, nil, n)), n.err // the editor saves no schedules
}

// ReadSource reads a text as an edit of base, nil for a new workflow, and says what is wrong with it. The definition is
// nil when it cannot be read; it may be there and still have problems that keep it from being saved.
//
// Schedules are read by an import only: here they get a warning.
func (s *Service) ReadSource(ctx context.Context, projectCode int64, src string, base *flow.Definition) (*flow.Definition, []SourceProblem, error) {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return nil, nil, err
	}
	doc, out, err := s.readSource(ctx, projectCode, src, base)
	if err != nil || doc.Definition == nil {
		return nil, out, err
	}
	if doc.Scheduled {
		line, column := doc.Locate("", "schedules")
		out = append(out, SourceProblem{line, column, i18n.T(ctx, "yaml.problem.schedules_elsewhere"), "warning"})
	}
	slices.SortStableFunc(out, func(a, b SourceProblem) int { return a.Line - b.Line })
	return doc.Definition, out, nil
}

func (s *Service) readSource(ctx context.Context, projectCode int64, src string, base *flow.Definition) (*flowtext.Document, []SourceProblem, error) {
	n := s.names(ctx)
	doc := flowtext.Parse([]byte(src), flowtext.Options{Names: n, Base: base, NewCode: s.Codes.Next})
	if n.err != nil {
		return nil, nil, n.err
	}
	out := make([]SourceProblem, 0, len(doc.Problems))
	for _, p := range doc.Problems {
		out = append(out, SourceProblem{p.Line, p.Column, i18n.T(ctx, p.Key, p.Args...), "error"})
	}
	if doc.Definition == nil {
		return doc, out, nil
	}
	doc.Definition.ProjectCode = projectCode
	found, err := s.Check(ctx, projectCode, doc.Definition)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range found {
		line, column := doc.Locate(p.TaskName, p.Field)
		out = append(out, SourceProblem{line, column, i18n.T(ctx, p.Key, p.Args...), strings.ToLower(string(p.Severity))})
	}
	return doc, out, nil
}

// Import is what a text would do to a project.
type Import struct {
	Name       string
	Code       int64 // of the workflow that there is, 0: a new one
	Version    int   // its current one
	Online     bool
	Same       bool // nothing would change
	Definition *flow.Definition
	Problems   []SourceProblem
	Scheduled  bool // the text speaks of schedules
	Timers     []flowtext.Timer
}

// Failed reports whether a problem keeps the text from being saved.
func (i Import) Failed() bool {
	return i.Definition == nil || slices.ContainsFunc(i.Problems, func(p SourceProblem) bool { return p.Severity == "error" })
}

// PreviewImport says what Import would do. target is the code of the workflow to change, 0 to find it by its name.
func (s *Service) PreviewImport(ctx context.Context, projectCode, target int64, src string) (Import, error) {
	if _, err := s.Projects.Require(ctx, projectCode, Read); err != nil {
		return Import{}, err
	}
	var out Import
	var w Workflow
	var err error
	if target != 0 {
		if w, err = s.in(ctx, projectCode, target, Read); err != nil {
			return out, err
		}
	} else if name := flowtext.NameOf([]byte(src)); name != "" {
		if w, err = s.ByName(ctx, projectCode, name); err != nil && !errors.Is(err, ErrNotFound) {
			return out, err
		}
	}
	var base *flow.Definition
	if w.Code != 0 {
		if base, err = s.store.body(ctx, w.Code, w.Version); err != nil {
			return out, err
		}
	}
	out.Code, out.Version, out.Online, out.Name = w.Code, w.Version, w.Online(), w.Name
	doc, problems, err := s.readSource(ctx, projectCode, src, base)
	if err != nil {
		return out, err
	}
	out.Problems = problems
	if out.Definition = doc.Definition; out.Definition != nil {
		out.Name = out.Definition.Name
		out.Same = base != nil && flow.Equal(base, out.Definition)
		err = s.previewTimers(ctx, projectCode, doc, &out)
	}
	slices.SortStableFunc(out.Problems, func(a, b SourceProblem) int { return a.Line - b.Line })
	return out, err
}

// previewTimers adds what an import would do to the schedules.
func (s *Service) previewTimers(ctx context.Context, projectCode int64, doc *flowtext.Document, out *Import) error {
	if out.Scheduled, out.Timers = doc.Scheduled && s.schedules != nil, doc.Timers; !out.Scheduled {
		return nil
	}
	wrong, err := s.schedules.CheckTimers(ctx, projectCode, out.Code, doc.Timers)
	if err != nil {
		return err
	}
	for _, p := range wrong {
		line, column := doc.LocateTimer(p.Name, p.Field)
		out.Problems = append(out.Problems, SourceProblem{line, column, i18n.T(ctx, p.Key, p.Args...), "error"})
	}
	if out.Same {
		now, err := s.schedules.Timers(ctx, projectCode, out.Code)
		if err != nil {
			return err
		}
		out.Same = flowtext.SameTimers(now, doc.Timers)
	}
	return nil
}

// ImportSource saves a text as a new workflow, or as a new version of the workflow of that name, offline unless online
// is asked for. Where the text speaks of schedules, these and no others are the workflow's then. baseVersion is as in Change. It returns a SourceError, and what Create and Update return.
func (s *Service) ImportSource(ctx context.Context, projectCode, target int64, src, message string, baseVersion int, online bool) (Saved, error) {
	if _, err := s.Projects.Require(ctx, projectCode, Edit); err != nil {
		return Saved{}, err
	}
	p, err := s.PreviewImport(ctx, projectCode, target, src)
	if err != nil {
		return Saved{}, err
	}
	if p.Failed() {
		return Saved{}, sourceError(p.Problems)
	}
	c := Change{Definition: p.Definition, BaseVersion: baseVersion, Message: message, Online: online, Source: src}
	var saved Saved
	err = s.DB.InTx(ctx, func(ctx context.Context) (err error) {
		if p.Code == 0 {
			saved, err = s.Create(ctx, projectCode, c)
		} else {
			saved, err = s.Update(ctx, p.Code, c)
		}
		if err != nil || !p.Scheduled {
			return err
		}
		changed, err := s.schedules.SetTimers(ctx, projectCode, saved.Workflow.Code, p.Timers)
		saved.Changed = saved.Changed || changed
		return err
	})
	return saved, err
}

// shownProblems is how many lines a message has room for.
const shownProblems = 10

func sourceError(problems []SourceProblem) error {
	var lines []string
	for _, p := range problems {
		if p.Severity == "error" && len(lines) < shownProblems {
			lines = append(lines, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Message))
		}
	}
	return &SourceError{problems, ErrSource.With("problems", strings.Join(lines, "\n"))}
}

// carried is the text that goes with a version to be saved.
type carried struct {
	text  string
	after int  // the version that it was made from
	typed bool // by the author of the save
}

// carry makes the text of a version before it is saved: what its author typed, or else the text of the last version that
// was typed, brought in step. A long text takes long, so this comes before anybody has to wait for the lock.
func (s *Service) carry(ctx context.Context, w Workflow, def *flow.Definition, src string) (carried, error) {
	n := s.names(ctx)
	if src != "" {
		return carried{string(flowtext.Update([]byte(src), def, def, n)), w.Version, true}, n.err
	}
	if w.Code == 0 {
		return carried{}, nil
	}
	last, err := s.store.typed(ctx, w.Code, w.Version+1)
	if err != nil || last == 0 {
		return carried{after: w.Version}, err
	}
	if src, err = s.store.source(ctx, w.Code, last); err != nil {
		return carried{}, err
	}
	prev, err := s.store.body(ctx, w.Code, last)
	if err != nil {
		return carried{}, err
	}
	src = string(flowtext.Update([]byte(src), prev, def, n))
	return carried{src, w.Version, false}, n.err
}

// keepSource stores the text of a version in the transaction that saved it after was. When somebody else was faster, the
// text is made again.
func (s *Service) keepSource(ctx context.Context, was Workflow, saved Saved, made carried) error {
	w := saved.Workflow
	if made.after != was.Version && !made.typed {
		var err error
		if made, err = s.carry(ctx, was, saved.Definition, ""); err != nil {
			return err
		}
	}
	if made.text == "" || !saved.Changed && !made.typed {
		return nil
	}
	return s.store.putSource(ctx, w.Code, w.Version, made.text)
}

// copySource gives a version that says what an earlier one says its text, too.
func (s *Service) copySource(ctx context.Context, w Workflow, from int) error {
	src, err := s.store.source(ctx, w.Code, from)
	if err != nil || src == "" {
		return err
	}
	return s.store.putSource(ctx, w.Code, w.Version, src)
}
