package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// EndedChannel is notified of runs that ended, for those who wait for them on other masters.
const EndedChannel = "dorado_ended"

// noticeLimit bounds one notification, in bytes.
const noticeLimit = 7500

// notice is a run's end as masters tell each other of it.
type notice struct {
	ID        int64              `json:"i"`
	Workflow  int64              `json:"w"`
	Project   int64              `json:"p"`
	State     flow.WorkflowState `json:"s"`
	Schedule  int64              `json:"t,omitempty"` // ms
	Start     int64              `json:"b"`
	End       int64              `json:"e"`
	Parent    int64              `json:"f,omitempty"`
	ParentAt  int64              `json:"a,omitempty"` // the task instance
	Position  int                `json:"o,omitempty"`
	Fire      int64              `json:"c,omitempty"` // the schedule
	Backfill  int64              `json:"k,omitempty"`
	BackfillN int                `json:"n,omitempty"`
}

// envelope says whose notices these are.
type envelope struct {
	From string   `json:"from"`
	Ends []notice `json:"ends"`
}

// spread tells the other masters of runs that ended here.
func (e *term) spread(ctx context.Context, all []Ended) {
	if e.cluster == nil || e.members.others() == 0 {
		return
	}
	letter := envelope{From: e.incarnation}
	size := 0
	send := func() {
		if len(letter.Ends) == 0 {
			return
		}
		text, err := json.Marshal(letter)
		if err == nil {
			err = e.db.Notify(ctx, EndedChannel, string(text))
		}
		if err != nil && ctx.Err() == nil {
			e.logger.WarnContext(ctx, "tell other masters of runs that ended; they find them themselves", "error", err)
		}
		letter.Ends, size = letter.Ends[:0], 0
	}
	for i := range all {
		n := all[i].notice()
		text, err := json.Marshal(n)
		if err != nil {
			continue
		}
		if size+len(text) > noticeLimit {
			send()
		}
		letter.Ends, size = append(letter.Ends, n), size+len(text)+1
	}
	send()
}

// heard takes what another master told. An empty text says that something was missed: whoever waits looks for himself.
func (e *term) heard(payload string) {
	if payload == "" {
		e.logic.recheckAll()
		return
	}
	var letter envelope
	if err := json.Unmarshal([]byte(payload), &letter); err != nil {
		e.logger.Warn("a notice of runs that ended cannot be read", "error", err)
		return
	}
	if letter.From == e.incarnation {
		return
	}
	ends := make([]Ended, len(letter.Ends))
	for i := range letter.Ends {
		ends[i] = letter.Ends[i].ended()
	}
	e.followers.hear(ends)
}

// changed has tasks look again that depend on runs which changed, wherever those run.
func (e *term) changed(ctx context.Context, payload string) {
	if e.logic.waiting.Load() == 0 || e.members.others() == 0 {
		return
	}
	var ids []int64
	for text := range strings.SplitSeq(payload, ",") {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		e.logic.recheckAll()
		return
	}
	codes, err := e.store.codes(ctx, ids)
	if err != nil {
		if ctx.Err() == nil {
			e.logger.WarnContext(ctx, "look which workflows changed", "error", err)
		}
		return
	}
	for _, code := range codes {
		e.logic.wakeWaiting(code)
	}
}

// codes are the workflows of runs.
func (s *store) codes(ctx context.Context, ids []int64) ([]int64, error) {
	query, args, err := db.In(`SELECT DISTINCT workflow_code FROM workflow_instance WHERE id IN (?)`, ids)
	if err != nil {
		return nil, err
	}
	codes, err := db.Select[int64](ctx, s.db, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the workflows of %d runs: %w", len(ids), err)
	}
	return codes, nil
}

func (e *Ended) notice() notice {
	n := notice{
		ID: e.InstanceID, Workflow: e.WorkflowCode, Project: e.ProjectCode, State: e.State, Start: millis(e.StartTime), End: millis(e.EndTime),
		Parent: e.Param.ParentInstanceID, ParentAt: e.Param.ParentTaskInstanceID, Position: e.Param.Position,
		Fire: e.Param.ScheduleID, Backfill: e.Param.BackfillID, BackfillN: e.Param.BackfillPosition,
	}
	if e.ScheduleTime != nil {
		n.Schedule = millis(*e.ScheduleTime)
	}
	return n
}

func (n *notice) ended() Ended {
	e := Ended{
		InstanceID: n.ID, WorkflowCode: n.Workflow, ProjectCode: n.Project, State: n.State, StartTime: instant(n.Start), EndTime: instant(n.End),
		Param: flow.CommandParam{
			ParentInstanceID: n.Parent, ParentTaskInstanceID: n.ParentAt, Position: n.Position,
			ScheduleID: n.Fire, BackfillID: n.Backfill, BackfillPosition: n.BackfillN,
		},
	}
	if n.Schedule != 0 {
		at := time.UnixMilli(n.Schedule).UTC()
		e.ScheduleTime = &at
	}
	return e
}
