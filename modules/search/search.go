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

	"dorado/modules/access"
)

// Kind is what was found.
type Kind string

// The kinds.
const (
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
	return []Kind{Action, Workflow, Project, Page, Run, Task, File, DataSource, User}
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
}

const (
	// maxText bounds what is searched for, in characters.
	maxText = 100
	// depth is how many hits of a source are put in order.
	depth = 100
)

// Service searches.
type Service struct{ sources []Source }

// NewService makes one that asks these sources.
func NewService(sources ...Source) *Service { return &Service{sources} }

// Find returns what sources find, at most limit of each kind: the kind with the best hit first, those alike in the order of
// Kinds. It returns access.ErrUnauthenticated and what a source returns.
func (s *Service) Find(ctx context.Context, text string, limit int) ([]Group, error) {
	if _, err := access.Must(ctx); err != nil {
		return nil, err
	}
	text = clean(text)
	groups := make([]Group, len(s.sources))
	work, ctx := errgroup.WithContext(ctx)
	for k, source := range s.sources {
		work.Go(func() error {
			hits, err := source.Find(ctx, text, depth)
			if errors.Is(err, access.ErrDenied) {
				return nil
			}
			sorted(hits, text)
			groups[k] = Group{Kind: source.Kind, Hits: hits[:min(limit, len(hits))], More: len(hits) > limit}
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	groups = slices.DeleteFunc(groups, func(g Group) bool { return len(g.Hits) == 0 })
	slices.SortStableFunc(groups, func(a, b Group) int {
		return cmp.Or(
			cmp.Compare(rank(a.Hits[0].Name, text), rank(b.Hits[0].Name, text)),
			cmp.Compare(slices.Index(Kinds(), a.Kind), slices.Index(Kinds(), b.Kind)),
		)
	})
	return groups, nil
}

// clean is what is searched for: one line without blanks around it, not too long.
func clean(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, ""), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if utf8.RuneCountInString(text) > maxText {
		text = string([]rune(text)[:maxText])
	}
	return text
}

// sorted puts the best hits first and keeps the order of those that are alike.
func sorted(hits []Hit, text string) {
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(rank(a.Name, text), rank(b.Name, text)) })
}

// rank says how well a name fits, from 0.
func rank(name, text string) int {
	name, text = strings.ToLower(name), strings.ToLower(text)
	switch {
	case text == "" || name == text:
		return 0
	case strings.HasPrefix(name, text):
		return 1
	}
	for at := 0; ; {
		k := strings.Index(name[at:], text)
		if k < 0 {
			break
		}
		at += k
		if before, _ := utf8.DecodeLastRuneInString(name[:at]); !unicode.IsLetter(before) && !unicode.IsDigit(before) {
			return 2
		}
		at += len(text)
	}
	if strings.Contains(name, text) {
		return 3
	}
	return 4
}
