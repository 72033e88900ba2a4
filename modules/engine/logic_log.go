package engine

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// Logs of logic tasks lie in the database: they are short, and whoever serves pages can read them.
const (
	logicLogPrefix = "logic/"
	// logicFollow is how often a log that is being watched is looked at for more.
	logicFollow = 500 * time.Millisecond
	// logicLogLimit bounds what one step adds, in bytes.
	logicLogLimit = 64 << 10
)

// logicLog is where the log of a logic attempt is found.
func logicLog(attempt int64) string { return logicLogPrefix + strconv.FormatInt(attempt, 10) }

func logLine(at time.Time, text string) string {
	stamp := at.UTC().Format("2006-01-02 15:04:05.000")
	return stamp + " " + strings.ReplaceAll(clean(text), "\n", "\n"+stamp+" ")
}

// flush writes what a step said.
func (g *logic) flush(ctx context.Context, t *logicTask) error {
	if len(t.lines) == 0 {
		return nil
	}
	now := g.e.clock()
	var b strings.Builder
	for i, line := range t.lines {
		if b.Len() > logicLogLimit {
			b.WriteString("\n" + logLine(now, strconv.Itoa(len(t.lines)-i)+" more lines"))
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(logLine(now, line))
	}
	if err := g.e.store.appendLog(ctx, t.attempt, b.String()); err != nil {
		return err
	}
	t.lines = nil
	return nil
}

func (s *store) appendLog(ctx context.Context, attempt int64, lines string) error {
	_, err := s.db.Exec(ctx, `INSERT INTO task_log (task_instance_id, lines) VALUES (?, ?)`, attempt, lines)
	return err
}

// logRow is a piece of a log.
type logRow struct {
	ID    int64  `db:"id"`
	Lines string `db:"lines"`
}

// readLogic answers a request for the log of a logic attempt.
func (e *Engine) readLogic(ctx context.Context, req *doradov1.LogRequest, fn func(*doradov1.LogReply) error) error {
	id, err := strconv.ParseInt(strings.TrimPrefix(req.GetPath(), logicLogPrefix), 10, 64)
	if err != nil {
		return ErrLogGone
	}
	switch want := req.GetWant().(type) {
	case *doradov1.LogRequest_Remove:
		_, err := e.db.Exec(ctx, `DELETE FROM task_log WHERE task_instance_id = ?`, id)
		return err
	case *doradov1.LogRequest_Follow:
		return e.followLogic(ctx, id, want.Follow.GetFrom(), fn)
	case *doradov1.LogRequest_Lines:
		lines, size, err := e.logicLines(ctx, id)
		if err != nil {
			return err
		}
		from := want.Lines.GetFrom()
		if from < 0 {
			from += int64(len(lines))
		}
		from = min(max(from, 0), int64(len(lines)))
		until := min(from+int64(max(want.Lines.GetLimit(), 0)), int64(len(lines)))
		return fn(&doradov1.LogReply{Done: true, From: from, Lines: lines[from:until], Total: int64(len(lines)), Size: size})
	case *doradov1.LogRequest_Bytes:
		lines, _, err := e.logicLines(ctx, id)
		if err != nil {
			return err
		}
		text := ""
		if len(lines) > 0 {
			text = strings.Join(lines, "\n") + "\n"
		}
		text = text[min(max(want.Bytes.GetOffset(), 0), int64(len(text))):]
		return fn(&doradov1.LogReply{Done: true, Data: []byte(text), Size: int64(len(text))})
	case *doradov1.LogRequest_Search:
		return e.searchLogic(ctx, id, want.Search, fn)
	}
	return ErrLogGone
}

func (e *Engine) searchLogic(ctx context.Context, id int64, s *doradov1.LogSearch, fn func(*doradov1.LogReply) error) error {
	pattern := s.GetQuery()
	if !s.GetRegex() {
		pattern = regexp.QuoteMeta(pattern)
	}
	if !s.GetMatchCase() {
		pattern = "(?i)" + pattern
	}
	expression, err := regexp.Compile(pattern)
	if err != nil {
		return ErrLogBadPattern
	}
	lines, size, err := e.logicLines(ctx, id)
	if err != nil {
		return err
	}
	reply := &doradov1.LogReply{Done: true, Total: int64(len(lines)), Size: size}
	for i := max(s.GetFrom(), 0); i < int64(len(lines)); i++ {
		if !expression.MatchString(lines[i]) {
			continue
		}
		if len(reply.Lines) >= int(s.GetLimit()) {
			reply.More = true
			break
		}
		reply.Lines, reply.Numbers = append(reply.Lines, lines[i]), append(reply.Numbers, i)
	}
	return fn(reply)
}

// followLogic passes a log on until its attempt has ended.
func (e *Engine) followLogic(ctx context.Context, id, from int64, fn func(*doradov1.LogReply) error) error {
	for {
		over, err := e.logicOver(ctx, id)
		if err != nil {
			return err
		}
		lines, size, err := e.logicLines(ctx, id)
		if err != nil {
			return err
		}
		if fresh := int64(len(lines)) > from; fresh || over {
			from = min(max(from, 0), int64(len(lines)))
			if err := fn(&doradov1.LogReply{Done: over, From: from, Lines: lines[from:], Total: int64(len(lines)), Size: size}); err != nil || over {
				return err
			}
			from = int64(len(lines))
		}
		select {
		case <-time.After(logicFollow):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (e *Engine) logicOver(ctx context.Context, id int64) (bool, error) {
	state, err := db.Get[string](ctx, e.db, `SELECT state FROM task_instance WHERE id = ?`, id)
	if errors.Is(err, db.ErrNoRows) {
		return true, nil
	}
	return flow.TaskState(state).Finished(), err
}

// logicLines is the whole log of an attempt. A branching attempt has none of its own: what it remembers says how it chose.
func (e *Engine) logicLines(ctx context.Context, id int64) (lines []string, size int64, err error) {
	rows, err := db.Select[logRow](ctx, e.db, `SELECT id, lines FROM task_log WHERE task_instance_id = ? ORDER BY id`, id)
	if err != nil {
		return nil, 0, err
	}
	for _, r := range rows {
		lines = append(lines, strings.Split(r.Lines, "\n")...)
		size += int64(len(r.Lines)) + 1
	}
	if len(rows) > 0 {
		return lines, size, nil
	}
	type attempt struct {
		Context string     `db:"context"`
		Message string     `db:"message"`
		Start   *time.Time `db:"start_time"`
	}
	a, err := db.Get[attempt](ctx, e.db, `SELECT context, message, start_time FROM task_instance WHERE id = ?`, id)
	if errors.Is(err, db.ErrNoRows) {
		return nil, 0, ErrLogGone
	}
	if err != nil {
		return nil, 0, err
	}
	var chose struct {
		Next   []int64 `json:"next"`
		Result string  `json:"result"`
		Log    string  `json:"log"`
	}
	var text []string
	if json.Unmarshal([]byte(a.Context), &chose) == nil && chose.Next != nil {
		if chose.Log != "" {
			text = append(text, strings.TrimRight(chose.Log, "\n"))
		}
		if chose.Result != "" {
			text = append(text, "the conditions come to "+chose.Result)
		}
		text = append(text, "chosen tasks: "+joinCodes(chose.Next))
	}
	if a.Message != "" {
		text = append(text, a.Message)
	}
	if len(text) == 0 {
		return nil, 0, nil
	}
	all := logLine(orZero(a.Start), strings.Join(text, "\n"))
	return strings.Split(all, "\n"), int64(len(all)) + 1, nil
}

func joinCodes(codes []int64) string {
	if len(codes) == 0 {
		return "none"
	}
	parts := make([]string, len(codes))
	for i, code := range codes {
		parts[i] = strconv.FormatInt(code, 10)
	}
	return strings.Join(parts, ", ")
}
