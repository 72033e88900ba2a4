package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

// lookup asks for the result of an earlier attempt that did the same.
type lookup struct {
	run     int64
	node    int32
	attempt int64
	key     string
}

// looked is the answer.
type looked struct {
	lookup
	hit  bool
	pool []flow.Property
}

// lookup says whether an earlier result is to be looked for before an attempt is sent, and under which key.
func (t *turn) lookup(a *core.Attempt) (key string, ok bool) {
	task := &t.l.program.graph.Tasks[a.Node]
	if task.IsCache != flow.FlagYes || t.l.run.DryRun || t.l.missed[a.ID] != "" {
		return "", false
	}
	key, err := t.l.cacheKey(a)
	return key, err == nil // what cannot be resolved fails when it is sent, with its reason
}

// cacheKey is the same for two attempts that do the same (engine.md 4.15): task, version, environment, and the inputs that
// the task uses with their values.
func (l *live) cacheKey(a *core.Attempt) (string, error) {
	task := &l.program.graph.Tasks[a.Node]
	params, err := l.resolve(a)
	if err != nil {
		return "", err
	}
	used := map[string]string{}
	for _, p := range l.program.locals[a.Node] {
		if p.Direct == flow.Out {
			continue
		}
		used[p.Prop] = params.Values[p.Prop]
		if p.Type == flow.File {
			if sum, known := l.sumOf(a, used[p.Prop]); known {
				used[p.Prop] = sum
			}
		}
	}
	for rest := string(task.Params); ; {
		_, after, found := strings.Cut(rest, "${")
		if !found {
			break
		}
		name, _, closed := strings.Cut(after, "}")
		value, known := params.Values[name]
		if _, done := used[name]; closed && known && !done {
			if sum, file := l.sumOf(a, name); file { // where it lies tells nothing about what is in it
				value = sum
			}
			used[name] = value
		}
		rest = after
	}
	if strings.Contains(string(task.Params), "$[") { // dates count as inputs
		used["$["] = l.base(a).In(l.zone).Format(time.RFC3339)
	}
	names := make([]string, 0, len(used))
	for name := range used {
		names = append(names, name)
	}
	slices.Sort(names)
	inputs := make([][2]string, len(names))
	for i, name := range names {
		inputs[i] = [2]string{name, used[name]}
	}
	list, err := json.Marshal(inputs)
	if err != nil {
		return "", err
	}
	environment := ""
	if code := l.environment(task); code > 0 {
		environment = l.setups.get().environments[code]
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{
		strconv.FormatInt(task.Code, 10), strconv.Itoa(task.Version), string(task.IsCache), environment, string(list),
	}, "_")))
	return hex.EncodeToString(sum[:]), nil
}

// look queues the question.
func (g *logic) look(n lookup) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lookups = append(g.lookups, n)
	g.signal()
}

// lookFor answers a question. When the database cannot be asked there is no earlier result.
func (g *logic) lookFor(ctx context.Context, n lookup) {
	answer := looked{lookup: n}
	pool, err := db.Get[string](ctx, g.e.db, `SELECT var_pool FROM task_instance WHERE cache_key = ? AND cache_key <> '' AND state = 'SUCCESS'
		ORDER BY id DESC LIMIT 1`, n.key)
	switch {
	case err == nil:
		answer.hit = json.Unmarshal([]byte(pool), &answer.pool) == nil && g.e.filesThere(ctx, answer.pool)
	case !errors.Is(err, db.ErrNoRows):
		g.e.logger.WarnContext(ctx, "an earlier result cannot be looked for; the task runs", "task_instance_id", n.attempt, "error", err)
	}
	g.e.shard(n.run).post(message{run: n.run, looked: &answer})
}

// looked lets an attempt succeed with an earlier result, or go on without one.
func (s *shard) looked(n *looked) {
	l := s.runs[n.run]
	if l == nil {
		return
	}
	a := l.waiting(n.node, n.attempt)
	if a == nil {
		return
	}
	t := &turn{shard: s, l: l}
	if n.hit {
		t.advance(core.Cached{Node: n.node, ID: n.attempt, VarPool: n.pool, Key: n.key})
	} else {
		if l.missed == nil {
			l.missed = map[int64]string{}
		}
		l.missed[a.ID] = n.key
		t.place(a)
	}
	t.finish(0, nil)
}
