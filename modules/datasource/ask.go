package datasource

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/plugins/datasource"
)

// Bounds of what a person asks a database in the browser. An answer is kept in memory until it is shown, so it is small.
const (
	usualRows    = 200
	mostRows     = 10_000
	usualTime    = time.Minute
	mostTime     = 10 * time.Minute
	mostBytes    = 4 << 20
	longest      = 256 << 10 // bytes of a statement
	atOnce       = 3         // statements of one user on this server
	auditedRunes = 2000
)

// Faults of asking.
var (
	ErrNoStatement = fault.New(fault.Invalid, "datasource.sql.error.empty")
	ErrStatement   = fault.New(fault.Invalid, "datasource.sql.error.long")
	ErrBusy        = fault.New(fault.TooMany, "datasource.sql.error.busy")
	ErrNoDriver    = fault.New(fault.Invalid, "datasource.sql.error.driver")
)

// Statement is what somebody asks. Zero bounds are the usual ones; those beyond the most are the most.
type Statement struct {
	Text     string
	Database string
	Rows     int
	Time     time.Duration
}

func (s Statement) bounded() Statement {
	if s.Rows <= 0 {
		s.Rows = usualRows
	}
	if s.Time <= 0 {
		s.Time = usualTime
	}
	s.Rows, s.Time = min(s.Rows, mostRows), min(s.Time, mostTime)
	return s
}

// Outcome is what came of a statement: an answer, or why the database gave none.
type Outcome struct {
	datasource.Answer
	Failure string // in the words of the database
	Spot    datasource.Spot
	Late    bool // it was stopped because its time was over
	Took    time.Duration
}

// Ask runs a statement on a data source that whoever acts may use, and says so in the audit log first. It ends with ctx. It
// returns ErrNoStatement, ErrStatement, ErrBusy, ErrNoDriver; what the database complains about is in the outcome.
func (s *Service) Ask(ctx context.Context, id int64, q Statement) (Outcome, error) {
	d, err := s.Get(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	p, settings, err := s.Opened(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	q = q.bounded()
	switch {
	case p.Open == nil:
		return Outcome{}, ErrNoDriver
	case strings.TrimSpace(datasource.Bare(q.Text)) == "":
		return Outcome{}, ErrNoStatement
	case len(q.Text) > longest:
		return Outcome{}, ErrStatement.With("max", longest>>10)
	}
	who, err := access.Must(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if !s.turns.take(who.UserID) {
		return Outcome{}, ErrBusy.With("count", atOnce)
	}
	defer s.turns.giveBack(who.UserID)
	detail := map[string]string{"sql": cut(q.Text, auditedRunes)}
	if q.Database != "" {
		detail["database"] = q.Database
	}
	if err := s.audit.Record(ctx, audit.Entry{
		Action: "datasource.run", ObjectType: "datasource", ObjectID: strconv.FormatInt(id, 10), ObjectName: d.Name, Detail: detail,
	}); err != nil {
		return Outcome{}, err
	}
	return s.ask(ctx, p, settings, q)
}

func (s *Service) ask(ctx context.Context, p datasource.Plugin, settings datasource.Settings, q Statement) (Outcome, error) {
	limited, cancel := context.WithTimeout(ctx, q.Time)
	defer cancel()
	begin := time.Now()
	answer, err := p.Ask(limited, settings, datasource.Question{Text: q.Text, Database: q.Database, Rows: q.Rows, Bytes: mostBytes})
	out := Outcome{Answer: answer, Took: time.Since(begin)}
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil { // whoever asked has gone
		return out, ctx.Err()
	}
	e, known := errors.AsType[*datasource.Error](err)
	switch {
	case limited.Err() != nil:
		out.Late, out.Failure = true, i18n.T(ctx, "datasource.sql.late", "time", i18n.Duration(ctx, q.Time))
	case !known:
		return out, err
	case e.Step == datasource.Ask:
		out.Failure, out.Spot = e.Error(), e.Spot
	default:
		out.Failure = i18n.T(ctx, "datasource.step."+string(e.Step)) + ": " + e.Error()
	}
	return out, nil
}

// turns counts the statements that each user has running.
type turns struct {
	mu  sync.Mutex
	now map[int64]int
}

func (t *turns) take(user int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now[user] >= atOnce {
		return false
	}
	t.now[user]++
	return true
}

func (t *turns) giveBack(user int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now[user]--; t.now[user] == 0 {
		delete(t.now, user)
	}
}

// cut shortens a text to n characters.
func cut(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n]) + "…"
	}
	return text
}
