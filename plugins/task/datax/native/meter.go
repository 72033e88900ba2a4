package native

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dorado/app/kit/i18n"
)

// meter counts, and slows down to the speed that the job allows.
type meter struct {
	read, written, dirty, bytes atomic.Int64
	begin                       time.Time
	job                         *Job

	mu   sync.Mutex
	free time.Time // when the next batch may begin
}

func newMeter(j *Job) *meter { return &meter{begin: time.Now(), job: j} }

// wait returns when a batch may be written, so that rows and bytes do not come faster than allowed.
func (m *meter) wait(ctx context.Context, rows, bytes int64) error {
	var cost time.Duration
	if m.job.Records > 0 {
		cost = time.Duration(float64(rows) / float64(m.job.Records) * float64(time.Second))
	}
	if m.job.Bytes > 0 {
		cost = max(cost, time.Duration(float64(bytes)/float64(m.job.Bytes)*float64(time.Second)))
	}
	if cost == 0 {
		return ctx.Err()
	}
	m.mu.Lock()
	now := time.Now()
	if m.free.Before(now) {
		m.free = now
	}
	m.free = m.free.Add(cost)
	until := time.Until(m.free)
	m.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(until):
		return nil
	}
}

// enough is how many rows tell whether the share of dirty ones is too high before the end.
const enough = 10_000

// over returns an error when there are more dirty rows than the job allows.
func (m *meter) over(atEnd bool) error {
	dirty, read := m.dirty.Load(), m.read.Load()
	if l := m.job.Limit; l.Records != nil {
		if dirty > *l.Records {
			return fmt.Errorf("there are %d dirty rows, and the job allows %d (errorLimit.record)", dirty, *l.Records)
		}
	} else if l.Share != nil && dirty > 0 && (atEnd || read >= enough) && float64(dirty) > *l.Share*float64(read) {
		return fmt.Errorf("%d of %d rows are dirty, and the job allows a share of %g (errorLimit.percentage)", dirty, read, *l.Share)
	}
	return nil
}

// Total is what a job did.
type Total struct {
	Read, Written, Dirty, Bytes int64
	Duration                    time.Duration
}

func (m *meter) total() Total {
	return Total{m.read.Load(), m.written.Load(), m.dirty.Load(), m.bytes.Load(), time.Since(m.begin)}
}

// String is the summary, one figure a line.
func (t Total) String() string {
	n := func(v int64) string { return i18n.Number(nil, v) } //nolint:staticcheck // numbers look the same in every language
	seconds := max(t.Duration.Seconds(), 0.001)
	var b strings.Builder
	for _, line := range [][2]string{
		{"rows read", n(t.Read)},
		{"rows written", n(t.Written)},
		{"dirty rows", n(t.Dirty)},
		{"duration", t.Duration.Round(10 * time.Millisecond).String()},
		{"speed", fmt.Sprintf("%s rows/s, %s", n(int64(float64(t.Read)/seconds)), rate(float64(t.Bytes)/seconds))},
	} {
		fmt.Fprintf(&b, "%-14s %s\n", line[0], line[1])
	}
	return b.String()
}

func rate(perSecond float64) string {
	switch {
	case perSecond >= 1e6:
		return fmt.Sprintf("%.1f MB/s", perSecond/1e6)
	case perSecond >= 1e3:
		return fmt.Sprintf("%.1f kB/s", perSecond/1e3)
	}
	return fmt.Sprintf("%.0f B/s", perSecond)
}

// progress tells from time to time how far the job is, until stop is called.
func (r *run) progress(ctx context.Context) (stop func()) {
	every := r.o.Every
	if every <= 0 {
		every = 10 * time.Second
	}
	ctx, cancel := context.WithCancel(ctx)
	var telling sync.WaitGroup
	telling.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		last := r.meter.total()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now := r.meter.total()
			seconds := max((now.Duration - last.Duration).Seconds(), 0.001)
			line := fmt.Sprintf("%s rows, %s", i18n.Number(ctx, now.Written), rate(float64(now.Bytes-last.Bytes)/seconds))
			if now.Dirty > 0 {
				line += fmt.Sprintf(", %s dirty", i18n.Number(ctx, now.Dirty))
			}
			r.logf("%s", line)
			last = now
		}
	})
	return func() {
		cancel()
		telling.Wait()
	}
}
