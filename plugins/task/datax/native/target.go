package native

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dorado/plugins/task/statement"
)

// writing is the writer of a content: its databases and tables.
type writing struct {
	run  *run
	end  end
	dbs  []*database
	all  []*target
	many bool // several tables, each for a piece of its own
}

func (w *writing) close() {
	for _, d := range w.dbs {
		_ = d.pool.Close() // what was written is committed
	}
}

// batch is how many rows and bytes a batch has.
func (e end) batch() (rows int, bytes int64) {
	rows, bytes = int(e.params.BatchSize), int64(e.params.BatchByteSize)
	if rows < 1 {
		rows = batchRows
	}
	if bytes < 1 {
		bytes = batchBytes
	}
	return min(rows, 100_000), min(bytes, mostBytes)
}

func (w *writing) open(ctx context.Context) error {
	for _, c := range w.end.params.Connection {
		d, err := w.end.connect(ctx, c.URL)
		if err != nil {
			return err
		}
		w.dbs = append(w.dbs, d)
		for _, table := range c.Table {
			w.all = append(w.all, &target{database: d, table: table})
		}
	}
	w.many = len(w.all) > 1
	return nil
}

// assign says which piece goes to which table: all to the only one, or one to each.
func (w *writing) assign(pieces []piece) error {
	if !w.many {
		return nil
	}
	if len(pieces) != len(w.all) {
		return fmt.Errorf("the writer has %d tables and the reader %d statements or tables: there have to be as many (and no splitPk), or one table to write", len(w.all), len(pieces))
	}
	for i := range pieces {
		pieces[i].to = i
	}
	return nil
}

// statements runs what stands before or after the copying, once for each table when there are several: @table is its name.
func (w *writing) statements(ctx context.Context, when string, all []string) error {
	if len(all) == 0 {
		return nil
	}
	for _, t := range w.all {
		conn, err := t.conn(ctx)
		if err != nil {
			return fmt.Errorf("connect to %s: %w", t.name, err)
		}
		for i, text := range all {
			text = strings.TrimRight(text, "; \t\r\n")
			if w.many {
				text = strings.ReplaceAll(text, "@table", t.table)
			}
			w.run.logf("statement %s: %s", when, statement.Shorten(text, 500))
			if _, err := conn.ExecContext(ctx, text); err != nil {
				return errors.Join(fmt.Errorf("statement %d %s: %w", i+1, when, err), conn.Close())
			}
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}

// describe asks for the columns of all tables, which the statements before may have made.
func (w *writing) describe(ctx context.Context) error {
	names, err := w.end.columns()
	if err != nil {
		return err
	}
	for i, t := range w.all {
		if w.all[i], err = t.database.describe(ctx, t.table, names); err != nil {
			return err
		}
		if err := w.all[i].settle(ctx, w.end.params.WriteMode); err != nil {
			return err
		}
	}
	return nil
}

// sink returns where the rows of a piece go, and what makes a row fit there.
func (w *writing) sink(ctx context.Context, p piece, from []column) (sink, func([]any) error, error) {
	if w.end.name == "streamwriter" {
		return printed(w, from)
	}
	t := *w.all[p.to]
	if names, _ := w.end.columns(); w.run.o.ByName && len(names) == 1 && names[0] == "*" {
		narrow, err := t.narrow(from)
		if err != nil {
			return nil, nil, err
		}
		t = *narrow
	}
	if len(from) != len(t.cols) {
		return nil, nil, fmt.Errorf("%s gives %d columns, and %s takes %d", p.about, len(from), t.table, len(t.cols))
	}
	rows, _ := w.end.batch()
	s, err := t.writer(ctx, rows)
	if err != nil {
		return nil, nil, err
	}
	c := converter{family: t.family, zone: w.run.job.Zone, shown: t.zone, blanks: w.end.params.EmptyAsNull == nil || *w.end.params.EmptyAsNull}
	return s, func(row []any) error {
		for i, v := range row {
			var err error
			if row[i], err = c.write(from[i], t.cols[i], v); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// lines is a streamwriter: it prints rows, or counts them only.
type lines struct {
	w     *writing
	print bool
}

func printed(w *writing, from []column) (sink, func([]any) error, error) {
	c := converter{zone: w.run.job.Zone}
	return &lines{w: w, print: w.end.params.Print == nil || *w.end.params.Print}, func(row []any) error {
		for i, v := range row {
			var err error
			if row[i], err = c.write(from[i], column{name: from[i].name, kind: text, typ: "text"}, v); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func (l *lines) put(_ context.Context, rows [][]any) error {
	if !l.print {
		return nil
	}
	var b strings.Builder
	for _, row := range rows {
		for i, v := range row {
			if i > 0 {
				b.WriteByte('\t')
			}
			if v != nil {
				fmt.Fprint(&b, v)
			}
		}
		b.WriteByte('\n')
	}
	l.w.run.logf("%s", strings.TrimSuffix(b.String(), "\n"))
	return nil
}

func (l *lines) alive(context.Context) error { return nil }
func (l *lines) close() error                { return nil }
