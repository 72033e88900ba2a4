package search

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"dorado/app/kit/fault"
	"dorado/app/kit/pinyin"
	"dorado/modules/access"
)

// Kind is what was found.
type Kind string

// The kinds.
const (
	Recent     Kind = "recent" // what one opened lately, of any kind
	Action     Kind = "action" // something one may start at once
	Workflow   Kind = "workflow"
	Project    Kind = "project"
	Page       Kind = "page"
	Run        Kind = "run"
	Task       Kind = "task"
	File       Kind = "file"
	DataSource Kind = "datasource"
	User       Kind = "user"
)

// Kinds returns all of them, what is looked for most first.
func Kinds() []Kind {
	return []Kind{Recent, Action, Workflow, Project, Page, Run, Task, File, DataSource, User}
}

// Hit is one thing that was found.
type Hit struct {
	Name  string
	Note  string // where it is
	URL   string
	Icon  string
	State string // of a run; else empty
}

// Group is what was found of one kind, best first.
type Group struct {
	Kind Kind
	Hits []Hit
	More bool // there is more than was asked for
}

// Source finds things of one kind whose name has text as a part, at most limit of them, the youngest first. With an empty text
// it returns what changed last, or nothing. An error that is access.ErrDenied means that there is nothing to see.
type Source struct {
	Kind Kind
	Find func(ctx context.Context, text string, limit int) ([]Hit, error)
	// Spell finds those whose name in Chinese characters is spelled by the text; nil for a kind whose names have none.
	Spell func(ctx context.Context, text string, limit int) ([]Hit, error)
	// Open returns the hit for what a Visit names; nil for a kind that has no page of its own. Faults that are NotFound or
	// Forbidden mean that there is nothing to see.
	Open func(ctx context.Context, object string) (Hit, error)
}

const (
	// maxText bounds what is searched for, in characters.
	maxText = 100
	// depth is how many hits of a source are put in order.
	depth = 100
	// recent is how many of what one opened lately are shown.
	recent = 10
)

// Service searches.
type Service struct {
	spelling *pinyin.Table
	visits   func(ctx context.Context, userID int64) ([]Visit, error)
	sources  []Source
}

// NewService makes one that asks these sources. visits returns what a user opened, the latest first.
func NewService(spelling *pinyin.Table, visits func(ctx context.Context, userID int64) ([]Visit, error), sources ...Source) *Service {
	return &Service{spelling, visits, sources}
}

// wanted is what is searched for.
type wanted struct {
	text    string
	spelled pinyin.Text
}

// Find returns what one opened lately, and behind it what sources find, at most limit of each kind: the kind with the best hit
// first, those alike in the order of Kinds. Only what is called exactly so goes before what one opened lately. Without a text there is nothing behind it. It returns access.ErrUnauthenticated and
// what a source returns.
func (s *Service) Find(ctx context.Context, text string, limit int) ([]Group, error) {
	who, err := access.Must(ctx)
	if err != nil {
		return nil, err
	}
	text = clean(text)
	want := wanted{text, s.spelling.Text(text)}
	groups := make([]Group, len(s.sources))
	work, ctx := errgroup.WithContext(ctx)
	var opened []Hit
	work.Go(func() (err error) {
		opened, err = s.opened(ctx, who.UserID, want)
		return err
	})
	for k, source := range s.sources {
		work.Go(func() error {
			hits, err := source.find(ctx, want)
			if errors.Is(err, access.ErrDenied) {
				return nil
			}
			want.sort(hits)
			groups[k] = Group{Kind: source.Kind, Hits: hits[:min(limit, len(hits))], More: len(hits) > limit}
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	first := Group{Kind: Recent, Hits: opened}
	if text == "" && len(opened) > 0 {
		return []Group{first}, nil
	}
	groups = slices.DeleteFunc(groups, func(g Group) bool { return len(g.Hits) == 0 })
	slices.SortStableFunc(groups, func(a, b Group) int {
		return cmp.Or(
			cmp.Compare(want.rank(a.Hits[0].Name), want.rank(b.Hits[0].Name)),
			cmp.Compare(slices.Index(Kinds(), a.Kind), slices.Index(Kinds(), b.Kind)),
		)
	})
	if len(opened) == 0 {
		return groups, nil
	}
	at := 0
	if want.rank(opened[0].Name) > whole { // what has the very name that was typed goes first
		for at < len(groups) && want.rank(groups[at].Hits[0].Name) == whole {
			at++
		}
	}
	return slices.Insert(groups, at, first), nil
}

// find returns what has the text as a part of its name, and then, when there is room, what it spells.
func (s Source) find(ctx context.Context, want wanted) ([]Hit, error) {
	hits, err := s.Find(ctx, want.text, depth)
	if err != nil || s.Spell == nil || !want.spelled.Spells() || len(hits) >= depth {
		return hits, err
	}
	more, err := s.Spell(ctx, want.text, depth)
	more = slices.DeleteFunc(more, func(h Hit) bool {
		return slices.ContainsFunc(hits, func(known Hit) bool { return known.URL == h.URL })
	})
	hits = append(hits, more...)
	return hits[:min(depth, len(hits))], err
}

// opened is what a user opened lately and may still see, as far as it is called what is wanted.
func (s *Service) opened(ctx context.Context, userID int64, want wanted) ([]Hit, error) {
	visits, err := s.visits(ctx, userID)
	if err != nil {
		return nil, err
	}
	var hits []Hit
	for _, v := range visits {
		k := slices.IndexFunc(s.sources, func(source Source) bool { return source.Kind == v.Kind && source.Open != nil })
		if k < 0 {
			continue // a newer program knows the kind
		}
		hit, err := s.sources[k].Open(ctx, v.Object)
		if kind := fault.KindOf(err); err != nil && (kind == fault.NotFound || kind == fault.Forbidden) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if want.names(hit.Name) {
			hits = append(hits, hit)
		}
	}
	want.sort(hits)
	return hits[:min(recent, len(hits))], nil
}

// names reports whether a name is called what is wanted.
func (w wanted) names(name string) bool {
	return w.text == "" || contains(name, w.text) || w.spelled.Spells() && w.spelled.In(name)
}

// clean is what is searched for: one line without blanks around it, not too long.
func clean(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, ""), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if utf8.RuneCountInString(text) > maxText {
		text = string([]rune(text)[:maxText])
	}
	return text
}

// sort puts the best hits first and keeps the order of those that are alike.
func (w wanted) sort(hits []Hit) {
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(w.rank(a.Name), w.rank(b.Name)) })
}

// whole is the rank of a name that is all of the text.
const whole = 0

// rank says how well a name fits, from whole.
func (w wanted) rank(name string) int {
	lower, text := strings.ToLower(name), strings.ToLower(w.text)
	switch {
	case text == "" || lower == text:
		return whole
	case strings.HasPrefix(lower, text):
		return 1
	}
	for at := 0; ; {
		k := strings.Index(lower[at:], text)
		if k < 0 {
			break
		}
		at += k
		if before, _ := utf8.DecodeLastRuneInString(lower[:at]); !unicode.IsLetter(before) && !unicode.IsDigit(before) {
			return 2
		}
		at += len(text)
	}
	switch {
	case strings.Contains(lower, text):
		return 3
	case w.spelled.Begins(name):
		return 4
	}
	return 5
}
