package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"dorado/app/kit/secret"
	"dorado/plugins/task/statement"
)

// Options are what does not stand in a job.
type Options struct {
	// ByName says that "*" of a writer means the columns that have the names of those that are read; otherwise it means all of
	// them in their own order, as in DataX.
	ByName bool
	Zone   *time.Location // for a job that names none
	Out    io.Writer
	Every  time.Duration // between lines about the progress; 0: ten seconds
}

// Run carries out a job and returns what was done, also when it failed.
func Run(ctx context.Context, j *Job, o Options) (Total, error) {
	if j.Zone == nil {
		j.Zone = o.Zone
	}
	if j.Zone == nil {
		j.Zone = time.UTC
	}
	r := &run{job: j, o: o, meter: newMeter(j), masker: secret.NewMasker(j.secrets()...)}
	r.logf("native engine: %d channels at most, times without a zone are those of %s", j.Channels, j.Zone)
	stop := r.progress(ctx)
	err := r.within(ctx)
	stop()
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = errors.New("stopped before its end")
	}
	total := r.meter.total()
	for line := range strings.Lines(total.String()) {
		r.logf("%s", strings.TrimRight(line, "\n"))
	}
	if err != nil {
		return total, errors.New(r.masker.Text(err.Error()))
	}
	return total, nil
}

// patience is how long a driver has to come back after it was told to stop.
const patience = 3 * time.Second

// within does all of the job. A driver that hangs after ctx has ended is left behind: the process ends soon.
func (r *run) within(ctx context.Context) error {
	done := make(chan error, 1)
	go func() {
		for _, c := range r.job.contents {
			if err := r.content(ctx, c); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return context.Cause(ctx)
	}
}

type run struct {
	job    *Job
	o      Options
	meter  *meter
	masker *secret.Masker

	mu sync.Mutex // of Out
}

// logf writes a line. A log that cannot be written is no reason to stop.
func (r *run) logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = io.WriteString(r.o.Out, r.masker.Text(fmt.Sprintf(format, args...))+"\n")
}

// content copies from one reader to one writer.
func (r *run) content(ctx context.Context, c content) (err error) {
	var pieces []piece
	if c.reader.name == "streamreader" {
		from := made{c.reader}
		for range r.job.Channels {
			pieces = append(pieces, piece{from: from, about: "rows that are made up"})
		}
	} else {
		var sources []source
		if pieces, sources, err = c.reader.cut(ctx, r.job.Channels, r.logf); err != nil {
			return err
		}
		defer func() {
			for _, s := range sources {
				_ = s.close() // nothing is lost with a connection that was read from
			}
		}()
		for i, p := range pieces {
			if i == 100 { // they are alike
				break
			}
			if err := p.from.(tables).check(ctx, p); err != nil {
				return err
			}
		}
	}
	w := &writing{run: r, end: c.writer}
	defer w.close()
	if err := w.open(ctx); err != nil {
		return err
	}
	if err := w.assign(pieces); err != nil {
		return err
	}
	if err := w.statements(ctx, "before", c.writer.params.PreSQL); err != nil {
		return err
	}
	if err := w.describe(ctx); err != nil {
		return err
	}
	channels := min(r.job.Channels, len(pieces))
	r.logf("%s to %s: %d pieces, %d at once", c.reader.name, c.writer.name, len(pieces), channels)
	if err := r.all(ctx, w, pieces, channels); err != nil {
		return err
	}
	if err := r.meter.over(true); err != nil {
		return err
	}
	return w.statements(ctx, "after", c.writer.params.PostSQL)
}

// all lets channels take piece after piece. The first failure ends all.
func (r *run) all(ctx context.Context, w *writing, pieces []piece, channels int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan piece, len(pieces))
	for _, p := range pieces {
		todo <- p
	}
	close(todo)
	var working sync.WaitGroup
	for range channels {
		working.Go(func() {
			for p := range todo {
				if ctx.Err() != nil {
					return
				}
				if err := r.copy(ctx, w, p); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	working.Wait()
	return context.Cause(ctx)
}

// batch are rows as the target's driver takes them.
type batch struct {
	rows  [][]any
	bytes int64
	read  int64 // rows read for it, dirty ones included
}

// copy reads one piece and writes it. Reading goes on while a batch is written; one more may wait.
func (r *run) copy(ctx context.Context, w *writing, p piece) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	from, err := p.from.open(ctx, p)
	if err != nil {
		return err
	}
	var reading sync.WaitGroup
	defer func() {
		cancel(nil)
		reading.Wait()
		_ = from.close() // all that counts was read
	}()
	s, fit, err := w.sink(ctx, p, from.columns())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	batches := make(chan batch)
	reading.Go(func() {
		defer close(batches)
		if err := r.read(ctx, p, from, fit, w, batches); err != nil {
			cancel(err)
		}
	})
	for b := range batches {
		if err := r.meter.wait(ctx, b.read, b.bytes); err != nil {
			break
		}
		if err := r.put(ctx, s, b.rows); err != nil {
			cancel(err)
			break
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// read fills batches with converted rows.
func (r *run) read(ctx context.Context, p piece, from rows, fit func([]any) error, w *writing, out chan<- batch) error {
	var b batch
	full, limit := w.end.batch()
	send := func() bool {
		select {
		case out <- b:
			b = batch{rows: make([][]any, 0, min(full, 4096))}
			return true
		case <-ctx.Done():
			return false
		}
	}
	for {
		row, err := from.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if _, one := errors.AsType[rowError](err); err != nil && !one {
			return fmt.Errorf("read %s: %w", p.about, err)
		}
		b.read++
		r.meter.read.Add(1)
		var bytes int64
		for _, v := range row {
			bytes += int64(size(v))
		}
		if err == nil {
			err = fit(row)
		}
		if err != nil {
			if err := r.dirty(err); err != nil {
				return err
			}
			continue
		}
		r.meter.bytes.Add(bytes)
		b.rows, b.bytes = append(b.rows, row), b.bytes+bytes
		if (len(b.rows) >= full || b.bytes >= limit) && !send() {
			return nil // whoever stopped it says why
		}
	}
	if len(b.rows) > 0 {
		send()
	}
	return nil
}

// put writes rows; when the server refuses them it halves them until the one that is to blame stands alone.
func (r *run) put(ctx context.Context, s sink, rows [][]any) error {
	err := patient(ctx, s, rows)
	switch {
	case err == nil:
		r.meter.written.Add(int64(len(rows)))
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case hopeless(err):
		return fmt.Errorf("write: %w", err)
	}
	if lost := s.alive(ctx); lost != nil {
		return fmt.Errorf("write: %w", err)
	}
	if len(rows) == 1 {
		return r.dirty(err)
	}
	if err := r.put(ctx, s, rows[:len(rows)/2]); err != nil {
		return err
	}
	return r.put(ctx, s, rows[len(rows)/2:])
}

// mostTold is how many dirty rows the log tells of.
const mostTold = 20

// dirty counts a row that was not written. Its error ends the job: there are too many.
func (r *run) dirty(why error) error {
	switch n := r.meter.dirty.Add(1); {
	case n <= mostTold:
		r.logf("dirty row %d: %s", n, statement.Shorten(strings.Join(strings.Fields(why.Error()), " "), 400))
	case n == mostTold+1:
		r.logf("further dirty rows are counted, but not shown")
	}
	return r.meter.over(false)
}
