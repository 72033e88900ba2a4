package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"dorado/app/kit/secret"
	"dorado/app/kit/vault"
	"dorado/modules/engine/core"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// Tasks that need a secret of the vault wait while that cannot be asked, with growing pauses; then they fail.
const (
	vaultPause    = time.Second
	vaultMost     = 30 * time.Second
	vaultPatience = 10 * time.Minute
)

// secretPrefix begins the name of a parameter that is a reference to a secret elsewhere.
const secretPrefix = "secret:"

// sealedParam is a secret parameter of a project: its value, or why it cannot be had.
type sealedParam struct {
	value secret.String
	err   error
}

// open opens the value of a secret parameter.
func (s *store) open(name, sealed string) sealedParam {
	switch {
	case sealed == "":
		return sealedParam{err: fmt.Errorf("the secret parameter %q has no value: somebody has to enter it again", name)}
	case s.sealer == nil:
		return sealedParam{err: fmt.Errorf("the secret parameter %q cannot be opened: this master has no key", name)}
	}
	value, err := s.sealer.Open(sealed, flow.SealedParameter)
	if err != nil {
		return sealedParam{err: fmt.Errorf("the secret parameter %q cannot be opened: %w", name, err)}
	}
	return sealedParam{value: value}
}

// giver finds the secrets that a task uses, directly or through other parameters, and puts them in. Nothing of what it
// makes is ever stored: it goes to the worker and nowhere else.
type giver struct {
	params  map[string]string                       // without secrets
	known   map[string]sealedParam                  // secret parameters of the project
	fetched func(ref string) (secret.String, error) // of the vault; errNotFetched = it has to be asked
	values  map[string]string                       // what is to be sent: secrets, and parameters that they are part of
	inside  map[string]bool                         // being expanded now
	missing []string                                // references that have to be fetched first
	hide    []string                                // values to mask
	err     error
}

var errNotFetched = errors.New("engine: the vault has to be asked")

// given works out which secrets an attempt is given. It costs next to nothing in projects without secrets.
func (l *live) given(t *flow.Task, params flow.Params) (*giver, error) {
	known := l.setups.get().secrets[l.run.ProjectCode]
	if l.run.DryRun || len(known) == 0 && !mentionsSecret(t, params) {
		return nil, nil //nolint:nilnil // nothing to give
	}
	g := &giver{
		params: params.Values, known: known, values: map[string]string{}, inside: map[string]bool{},
		fetched: func(ref string) (secret.String, error) { return l.setups.fromVault(l.run.ProjectCode, ref) },
	}
	tokens := json.NewDecoder(bytes.NewReader(t.Params))
	for g.err == nil {
		token, err := tokens.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the settings of the task cannot be read: %w", err)
		}
		if text, ok := token.(string); ok && strings.Contains(text, "${") {
			g.expand(text, "")
		}
	}
	return g, g.err
}

// mentionsSecret reports whether something may refer to a secret outside the project.
func mentionsSecret(t *flow.Task, params flow.Params) bool {
	if bytes.Contains(t.Params, []byte("${"+secretPrefix)) {
		return true
	}
	for i := range params.List {
		if strings.Contains(params.List[i].Value, "${"+secretPrefix) {
			return true
		}
	}
	return false
}

// expand puts secrets into a text; own is the parameter whose value it is: its name means the secret below it.
func (g *giver) expand(text, own string) string {
	out, err := flow.Substitute(text, func(name string) (string, bool) {
		if g.err != nil {
			return "", false
		}
		value, known := g.params[name]
		switch {
		case !known || name == own:
			return g.reveal(name)
		case g.inside[name]:
			return "", false // they refer to each other
		case !strings.Contains(value, "${"):
			return value, true
		}
		if full, done := g.values[name]; done {
			return full, true
		}
		g.inside[name] = true
		full := g.expand(value, name)
		delete(g.inside, name)
		g.values[name] = full
		return full, true
	})
	if err != nil && g.err == nil {
		g.err = err
	}
	return out
}

// reveal returns the secret of a name.
func (g *giver) reveal(name string) (string, bool) {
	var value secret.String
	var err error
	if ref, outside := strings.CutPrefix(name, secretPrefix); outside {
		if value, err = g.fetched(ref); errors.Is(err, errNotFetched) {
			if !slices.Contains(g.missing, ref) {
				g.missing = append(g.missing, ref)
			}
			return "", true
		}
	} else {
		p, known := g.known[name]
		if !known {
			return "", false
		}
		value, err = p.value, p.err
	}
	if err == nil && strings.Contains(value.Reveal(), "$[") {
		err = fmt.Errorf("the secret %q holds \"$[\", which would be read as a time expression", name)
	}
	if err != nil {
		g.err = err
		return "", false
	}
	text := value.Reveal()
	if !slices.Contains(g.hide, text) {
		g.hide = append(g.hide, text)
	}
	g.values[name] = text
	return text, true
}

// into puts what was found into a task.
func (g *giver) into(task *doradov1.Task) {
	if len(g.hide) == 0 {
		return
	}
	for _, p := range task.GetPrepared() {
		if value, changed := g.values[p.GetName()]; changed {
			p.Value = value
			delete(g.values, p.GetName())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g.values)) {
		task.Prepared = append(task.Prepared, &doradov1.Param{Name: name, Value: g.values[name], Type: string(flow.Varchar), Direct: string(flow.In)})
	}
	task.Secrets = g.hide
}

// fromVault returns what is known of a secret of the vault.
func (u *setups) fromVault(project int64, ref string) (secret.String, error) {
	if u.vault == nil {
		return "", fmt.Errorf("the secret %q cannot be had: no vault is configured (vault.address)", secretPrefix+ref)
	}
	value, known, err := u.vault.Cached(project, ref)
	if err == nil && !known {
		err = errNotFetched
	}
	return value, err
}

// unfetched says that an attempt could not be sent to the worker on which it has a slot.
type unfetched struct {
	queued
	err error
}

// asking is how long, and how often, an attempt has waited for the vault.
type asking struct {
	since time.Time
	tries int
}

// fetch asks the vault, the resource center and the database for what an attempt needs that has a slot on a worker, and tries to send it
// again.
func (s *shard) fetch(l *live, a *core.Attempt, worker string, missing needs) {
	q, project, tenant, ctx := l.queued(a), l.run.ProjectCode, l.instance.TenantCode, s.work
	series, zone := l.program.series[a.Node], l.zone
	code, version, task := l.instance.WorkflowCode, l.instance.WorkflowVersion, l.program.graph.Tasks[a.Node].Code
	go func() {
		for _, ref := range missing.secrets {
			if err := s.e.vault.Fetch(ctx, project, ref); err != nil {
				s.post(message{run: q.run, unfetched: &unfetched{q, err}, worker: worker})
				return
			}
		}
		got := &brought{}
		var err error
		if len(missing.files) > 0 {
			got.files, err = s.e.store.files(ctx, q.run, tenant, missing.files)
		}
		if err == nil && len(missing.sources) > 0 {
			got.sources, got.secrets, err = s.e.store.sources(ctx, code, version, task, missing.sources)
		}
		if err == nil && missing.past {
			got.past, err = s.e.store.past(ctx, code, task, series, s.e.clock().In(zone))
		}
		if err != nil {
			s.post(message{run: q.run, unfetched: &unfetched{q, err}, worker: worker})
			return
		}
		s.post(message{run: q.run, placed: &q, worker: worker, brought: got})
	}()
}

// unfetched gives the slot back. The attempt tries again later, or fails when there is no hope.
func (s *shard) unfetched(m *message) {
	q := m.unfetched
	s.e.fleet.release(m.worker, q.attempt)
	l := s.runs[m.run]
	if l == nil {
		return
	}
	a := l.waiting(q.node, q.attempt)
	if a == nil {
		return
	}
	if l.asked == nil {
		l.asked = map[int64]asking{}
	}
	now, p := s.e.clock(), l.asked[a.ID]
	if p.tries++; p.tries == 1 {
		p.since = now
	}
	if !errors.Is(q.err, vault.ErrUnreachable) && !errors.Is(q.err, errLater) || now.Sub(p.since) > vaultPatience {
		delete(l.asked, a.ID)
		s.apply(l, core.Unplaceable{Node: a.Node, ID: a.ID, Why: q.err.Error()}, 0, nil)
		return
	}
	l.asked[a.ID] = p
	pause := min(vaultPause<<min(p.tries-1, 10), vaultMost)
	s.e.logger.Warn("a task waits for a secret or a file", "task_instance_id", a.ID, "workflow_instance_id", q.run, "again_in", pause, "error", q.err)
	s.e.timers.add(now.Add(pause), message{run: q.run, again: &q.queued})
}

// again lets an attempt go on that waited for the vault.
func (s *shard) again(q *queued) {
	l := s.runs[q.run]
	if l == nil {
		return
	}
	a := l.waiting(q.node, q.attempt)
	if a == nil {
		return
	}
	t := &turn{shard: s, l: l}
	t.place(a)
	t.finish(0, nil)
}
