package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"dorado/app/kit/web"
	"dorado/modules/project"
	view "dorado/views/instance"
)

const (
	// statesEvery bounds how often the states of one run are sent to one page, and partsEvery its other parts.
	statesEvery = 250 * time.Millisecond
	partsEvery  = time.Second
	// lookEvery is how often a page looks for itself, should a notification get lost.
	lookEvery = 2 * time.Second
)

// TaskState is what the canvas shows of one task.
type TaskState struct {
	State       string `json:"state"`
	Attempt     int    `json:"attempt,omitempty"`
	MaxAttempts int    `json:"maxAttempts,omitempty"`
	StartTime   string `json:"startTime,omitempty"`
	EndTime     string `json:"endTime,omitempty"`
	Reason      string `json:"reason,omitempty"`
	ID          int64  `json:"id,omitempty"`
	Host        string `json:"host,omitempty"`
	LogURL      string `json:"logUrl,omitempty"`
}

// runStates is the message of the event dag-states: after the first one only tasks that changed.
type runStates struct {
	State string               `json:"state"`
	Done  int                  `json:"done"`
	Total int                  `json:"total"`
	Tasks map[string]TaskState `json:"tasks"`
}

// states describes every task of a run, by task code.
func (d *Detail) states(ctx context.Context) map[string]TaskState {
	out := make(map[string]TaskState, len(d.Nodes))
	for n := range d.Nodes {
		node := &d.Nodes[n]
		s := TaskState{State: node.State, Reason: node.Reason.Say(ctx)}
		if a := node.Current; a != nil {
			s.ID, s.Host, s.Attempt, s.MaxAttempts = a.ID, a.Host, a.Attempt+1, a.MaxRetryTimes+1
			s.StartTime, s.EndTime = instant(a.StartTime), instant(a.EndTime)
			if a.LogPath != "" {
				s.LogURL = taskAddress(d.ProjectCode, a.ID) + "/log"
			}
		}
		out[strconv.FormatInt(node.Task.Code, 10)] = s
	}
	return out
}

func instant(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// events is the stream of one run: dag-states for the canvas, parts of the page for htmx when ?tab says which one it
// shows, end when nothing will change any more.
func (p pages) events(r *http.Request) (web.Response, error) {
	owner, i, err := p.instance(r)
	if err != nil {
		return nil, err
	}
	tab := r.URL.Query().Get("tab")
	return web.Events(func(ctx context.Context, out *web.Stream) error {
		changes, stop := p.Watch(i.ID)
		defer stop()
		s := runStream{pages: p, owner: owner, id: i.ID, tab: tab, out: out, lines: map[int64]string{}}
		return follow(ctx, changes, statesEvery, func() (bool, error) { return s.send(ctx) })
	}), nil
}

// follow calls send at once, after each change but not more often than every, and now and then besides; until send says
// that it is done or ctx ends.
func follow(ctx context.Context, changes <-chan struct{}, every time.Duration, send func() (done bool, err error)) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		done, err := send()
		if err != nil || done {
			return err
		}
		rest := time.NewTimer(every)
		select {
		case <-ctx.Done():
			rest.Stop()
			return nil
		case <-rest.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changes:
		case <-look.C:
		}
	}
}

// runStream remembers what one page has seen of its run.
type runStream struct {
	pages
	owner project.Project
	id    int64
	tab   string
	out   *web.Stream
	known map[string]TaskState
	state runStates
	parts time.Time        // when parts were sent last
	stale bool             // something changed since
	lines map[int64]string // first error lines by attempt
}

func (s *runStream) send(ctx context.Context) (done bool, err error) {
	d, err := s.Detail(ctx, s.owner.Code, s.id)
	if missing(err) {
		return true, s.out.Send("", "end", []byte("{}"))
	}
	if err != nil {
		return false, err
	}
	now := d.states(ctx)
	change := runStates{State: string(d.State), Done: d.Done, Total: d.Total, Tasks: map[string]TaskState{}}
	for code, state := range now {
		if known, ok := s.known[code]; !ok || known != state {
			change.Tasks[code] = state
		}
	}
	firstTime, over := s.known == nil, d.State.Finished()
	if firstTime || len(change.Tasks) > 0 || change.State != s.state.State || change.Done != s.state.Done {
		if err := s.sendStates(change); err != nil {
			return false, err
		}
		s.stale = true
	}
	s.known, s.state = now, change
	if s.tab != "" && s.stale && (over || time.Since(s.parts) >= partsEvery) {
		s.stale, s.parts = false, time.Now()
		if err := s.sendParts(ctx, d); err != nil {
			return false, err
		}
	}
	if over {
		return true, s.out.Send("", "end", []byte("{}"))
	}
	return false, nil
}

func (s *runStream) sendStates(change runStates) error {
	data, err := json.Marshal(change)
	if err != nil {
		return err
	}
	return s.out.Send("", "dag-states", data)
}

func (s *runStream) sendParts(ctx context.Context, d *Detail) error {
	page, err := s.parted(ctx, s.owner, d, s.tab, s.lines)
	if err != nil {
		return err
	}
	return send(ctx, s.out, view.LivePartials(page))
}

// send sends a component as a message for htmx.
func send(ctx context.Context, out *web.Stream, c templ.Component) error {
	var b bytes.Buffer
	if err := c.Render(ctx, &b); err != nil {
		return err
	}
	return out.Send("", "", b.Bytes())
}

// listEvents is the stream of a page of the list: a row is sent again when its instance changed.
func (p pages) listEvents(r *http.Request) (web.Response, error) {
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	ids := selected(r.URL.Query()["ids"])
	if len(ids) == 0 || len(ids) > MaxBatch {
		return nil, ErrSelection.With("max", MaxBatch)
	}
	next := web.Next(r, listAddress(owner.Code))
	return web.Events(func(ctx context.Context, out *web.Stream) error {
		changes, stop := p.Watch(ids...)
		defer stop()
		known := map[string]rowKey{}
		return follow(ctx, changes, statesEvery, func() (bool, error) { return false, p.sendRows(ctx, out, owner.Code, ids, next, known) })
	}), nil
}

// rowKey is what makes a row worth sending again. Durations go on in the browser, and the actions follow from the state.
type rowKey struct {
	state, failed         string
	done, total, runTimes int
	began, ended          time.Time
}

// worthSending notes what a row of a live list shows now, and reports whether the reader has to be told: when it changed, and
// the first time unless it had ended before the page was drawn.
func worthSending[ID, Key comparable](known map[ID]Key, id ID, shows Key, ended, now time.Time) bool {
	shown, again := known[id]
	known[id] = shows
	if again {
		return shown != shows
	}
	return ended.IsZero() || now.Sub(ended) <= time.Minute
}

func (p pages) sendRows(ctx context.Context, out *web.Stream, projectCode int64, ids []int64, next string, known map[string]rowKey) error {
	if err := p.may(ctx, projectCode, Read); err != nil {
		return err
	}
	list, err := p.store.byIDs(ctx, projectCode, ids)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(i Instance) bool { return !p.Access.CanWorkflow(ctx, projectCode, i.WorkflowCode, Read) })
	rows, err := p.rows(ctx, list, next)
	if err != nil {
		return err
	}
	for _, row := range rows {
		key := rowKey{row.State, row.Failed, row.Done, row.Total, row.RunTimes, row.StartedAt, row.EndedAt}
		if !worthSending(known, row.ID, key, row.EndedAt, row.Now) {
			continue
		}
		if err := send(ctx, out, view.RowPartial(row)); err != nil {
			return err
		}
	}
	return nil
}
