package sql

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/statement"
)

// run prepares all statements before it connects, so that a mistake in the last of them does no harm.
func run(ctx context.Context, v form.Values, env task.Env) (task.Outcome, error) {
	p := read(v, env)
	source, err := env.Source(p.source)
	if err != nil {
		return task.Outcome{}, err
	}
	if source, err = connect(source, p.connection); err != nil {
		return task.Outcome{}, err
	}
	w := work{params: p, outs: statement.Outs(env, p.local)}
	b := statement.NewBinder(statement.Of(source.Plugin), env, p.local)
	if w.before, err = bind(b, "before the main one", p.pre...); err != nil {
		return task.Outcome{}, err
	}
	if w.main, err = bind(b, "of the task", p.text); err != nil {
		return task.Outcome{}, err
	}
	if w.after, err = bind(b, "after the main one", p.post...); err != nil {
		return task.Outcome{}, err
	}
	if len(w.main) == 0 {
		return task.Outcome{}, errors.New("the text holds no statement")
	}
	if err := statement.Work(ctx, source, env.Log, w.do); err != nil {
		return task.Outcome{}, err
	}
	return task.Outcome{Out: w.out, Alert: w.alert}, nil
}

// bind makes statements of texts, each of which may hold several.
func bind(b statement.Binder, where string, texts ...string) ([]statement.Statement, error) {
	var out []statement.Statement
	for _, t := range texts {
		prepared, err := b.Prepare(t)
		if err != nil {
			return nil, fmt.Errorf("statements %s: %w", where, err)
		}
		for i, one := range b.Dialect.Split(prepared) {
			st, err := b.Bind(one)
			if err != nil {
				return nil, fmt.Errorf("statement %d %s: %w", i+1, where, err)
			}
			out = append(out, st)
		}
	}
	return out, nil
}

// work is what one attempt does on its connection, and what came of it.
type work struct {
	params
	before, main, after []statement.Statement
	outs                []form.Param

	out   map[string]string
	alert *task.Alert
}

func (w *work) do(ctx context.Context, s *statement.Session) error {
	if err := execute(ctx, s, w.before); err != nil {
		return err
	}
	if w.query {
		if err := w.ask(ctx, s); err != nil {
			return err
		}
	} else if err := w.change(ctx, s); err != nil {
		return err
	}
	return execute(ctx, s, w.after)
}

func execute(ctx context.Context, s *statement.Session, all []statement.Statement) error {
	for _, st := range all {
		n, err := s.Exec(ctx, st)
		if err != nil {
			return err
		}
		s.Logf("%d rows changed", n)
	}
	return nil
}

// change runs all statements; how many rows the last one changed is the value of the first OUT parameter.
func (w *work) change(ctx context.Context, s *statement.Session) error {
	var last int64
	for _, st := range w.main {
		n, err := s.Exec(ctx, st)
		if err != nil {
			return err
		}
		s.Logf("%d rows changed", n)
		last = n
	}
	if len(w.outs) > 0 {
		w.out = map[string]string{w.outs[0].Prop: strconv.FormatInt(last, 10)}
	}
	return nil
}

// ask runs the first statement as a query.
func (w *work) ask(ctx context.Context, s *statement.Session) error {
	if len(w.main) > 1 {
		s.Logf("only the first of %d statements is run, because the task is a query", len(w.main))
	}
	c := newCollector(s, w.params, w.outs)
	n, more, err := s.Query(ctx, w.main[0], w.limit, c.begin, c.visit)
	if err != nil {
		return err
	}
	s.Logf("%d rows", n)
	if more {
		s.Logf("there are more rows; %d is the limit of the task", w.limit)
	}
	w.out = c.values()
	if w.params.alert != nil {
		alert := *w.params.alert
		alert.Content = c.content()
		w.alert = &alert
	}
	return nil
}
