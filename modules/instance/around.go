package instance

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// Kin is a run that a task of another run started, or the run whose task started this one.
type Kin struct {
	ID          int64              `db:"id"`
	ProjectCode int64              `db:"project_code"`
	Name        string             `db:"name"`
	State       flow.WorkflowState `db:"state"`
	TaskCode    int64              `db:"parent_task_code"`
	TaskName    string             `db:"task_name"`
	Position    int                `db:"position"`
	Visible     bool               `db:"-"` // whoever acts may see it
}

// groupPlace is the place of an attempt in a task group.
type groupPlace struct {
	Task   int64  `db:"id"`
	Group  int64  `db:"task_group_id"`
	Name   string `db:"name"`
	Place  int    `db:"place"` // from 1
	Size   int    `db:"group_size"`
	Status int    `db:"status"`
	Used   int    `db:"used"`
}

// serialPlace says behind which run of its workflow one waits.
type serialPlace struct {
	ID    int64  `db:"id"`
	Name  string `db:"name"`
	Ahead int    `db:"ahead"` // all that come before
}

// around is what surrounds a run: what its tasks wait for outside of it, as rows say it.
type around struct {
	parent    *Kin
	children  map[int64][]Kin // by task code
	running   map[int64]int   // children that have not ended, by task code
	approvals []Approval
	said      map[int64]string // what a DEPENDENT still misses, by attempt
	groups    map[int64]groupPlace
	serial    *serialPlace
	chosen    map[int32][]int64 // what branching tasks chose, by node
	unknown   map[string]bool   // worker groups that exist nowhere
}

// kinShown bounds the children that are listed of one task.
const kinShown = 20

// look reads what surrounds a run. Only what its graph makes possible is asked for.
func (s *Service) look(ctx context.Context, d *Detail) error {
	d.around = around{
		children: map[int64][]Kin{}, running: map[int64]int{}, said: map[int64]string{}, groups: map[int64]groupPlace{},
		chosen: map[int32][]int64{}, unknown: map[string]bool{},
	}
	var branches, children, approvals, grouped bool
	for n := range d.Nodes {
		kind := d.program.graph.Kinds[n]
		branches, children = branches || kind.Branches(), children || kind.Children()
		approvals = approvals || kind == flow.KindApproval
		grouped = grouped || d.Nodes[n].Task.TaskGroupID != 0
		if a := d.Nodes[n].Current; a != nil && kind == flow.KindDependent && a.State == flow.TaskRunning {
			said, err := s.missing(ctx, a.ID)
			if err != nil {
				return err
			}
			d.around.said[a.ID] = said
		}
	}
	steps := []struct {
		needed bool
		read   func(context.Context, *Detail) error
	}{
		{d.IsSubWorkflow, s.lookUp},
		{children, s.lookDown},
		{branches, s.lookChosen},
		{approvals, s.lookApprovals},
		{grouped && !d.State.Finished(), s.lookGroups},
		{d.State == flow.WorkflowSerialWait, s.lookSerial},
		{!d.State.Finished() && s.Workers != nil, s.lookUnknown},
	}
	for _, step := range steps {
		if !step.needed {
			continue
		}
		if err := step.read(ctx, d); err != nil {
			return fmt.Errorf("look around workflow instance %d: %w", d.ID, err)
		}
	}
	return nil
}

const selectKin = `SELECT w.id, w.project_code, w.name, w.state, l.parent_task_code, l.position, COALESCE(t.name, '') AS task_name
	FROM instance_link l LEFT JOIN task_instance t ON t.id = l.parent_task_instance_id `

func (s *Service) lookUp(ctx context.Context, d *Detail) error {
	rows, err := db.Select[Kin](ctx, s.DB, selectKin+`JOIN workflow_instance w ON w.id = l.parent_instance_id WHERE l.child_instance_id = ? LIMIT 1`, d.ID)
	for k := range rows {
		rows[k].Visible = s.Access.CanProject(ctx, rows[k].ProjectCode, Read)
		d.around.parent = &rows[k]
	}
	return err
}

// lookDown lists, of each task, the children that have not ended and then the latest others.
func (s *Service) lookDown(ctx context.Context, d *Detail) error {
	rows, err := db.Select[Kin](ctx, s.DB, `SELECT id, project_code, name, state, parent_task_code, position, task_name FROM (
		SELECT w.id, w.project_code, w.name, w.state, l.parent_task_code, l.position, '' AS task_name, row_number() OVER (PARTITION BY l.parent_task_code
		ORDER BY CASE WHEN w.state IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE') THEN CASE WHEN w.state = 'SUCCESS' THEN 2 ELSE 1 END ELSE 0 END, l.position) AS place
		FROM instance_link l JOIN workflow_instance w ON w.id = l.child_instance_id WHERE l.parent_instance_id = ?) ranked
		WHERE place <= ? ORDER BY parent_task_code, place`, d.ID, kinShown)
	if err != nil {
		return err
	}
	for _, k := range rows {
		k.Visible = s.Access.CanProject(ctx, k.ProjectCode, Read)
		d.around.children[k.TaskCode] = append(d.around.children[k.TaskCode], k)
	}
	type count struct {
		Task int64 `db:"parent_task_code"`
		N    int   `db:"n"`
	}
	counts, err := db.Select[count](ctx, s.DB, `SELECT l.parent_task_code, count(*) AS n FROM instance_link l JOIN workflow_instance w ON w.id = l.child_instance_id
		WHERE l.parent_instance_id = ? AND `+active+` GROUP BY l.parent_task_code`, d.ID)
	for _, c := range counts {
		d.around.running[c.Task] = c.N
	}
	return err
}

// lookChosen reads what CONDITIONS and SWITCH chose.
func (s *Service) lookChosen(ctx context.Context, d *Detail) error {
	type row struct {
		Task    int64  `db:"task_code"`
		Context string `db:"context"`
	}
	rows, err := db.Select[row](ctx, s.DB, `SELECT task_code, context FROM task_instance WHERE workflow_instance_id = ? AND valid = ? AND context <> ''
		AND state = 'SUCCESS' AND task_type IN ('CONDITIONS', 'SWITCH')`, d.ID, true)
	for _, r := range rows {
		var choice struct {
			Next []int64 `json:"next"`
		}
		if n, ok := d.program.graph.Index[r.Task]; ok && json.Unmarshal([]byte(r.Context), &choice) == nil {
			d.around.chosen[n] = choice.Next
		}
	}
	return err
}

func (s *Service) lookApprovals(ctx context.Context, d *Detail) error {
	var err error
	d.around.approvals, err = db.Select[Approval](ctx, s.DB, selectApproval+` WHERE a.workflow_instance_id = ? ORDER BY a.task_instance_id`, d.ID)
	return err
}

func (s *Service) lookGroups(ctx context.Context, d *Detail) error {
	var ids []int64
	for n := range d.Nodes {
		if id := d.Nodes[n].Task.TaskGroupID; id != 0 && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	query, args, err := db.In(`SELECT p.id, p.task_group_id, p.place, g.name, g.group_size, g.status,
		(SELECT count(*) FROM task_instance u WHERE u.task_group_id = p.task_group_id AND u.end_time IS NULL
			AND u.state IN ('DISPATCH', 'RUNNING_EXECUTION')) AS used
		FROM (SELECT id, workflow_instance_id, task_group_id, row_number() OVER (PARTITION BY task_group_id ORDER BY task_group_priority DESC, id) AS place
			FROM task_instance WHERE task_group_id IN (?) AND task_group_id <> 0 AND end_time IS NULL AND state = 'SUBMITTED_SUCCESS' AND force_start = ?) p
		JOIN task_group g ON g.id = p.task_group_id WHERE p.workflow_instance_id = ?`, ids, false, d.ID)
	if err != nil {
		return err
	}
	rows, err := db.Select[groupPlace](ctx, s.DB, query, args...)
	for _, r := range rows {
		d.around.groups[r.Task] = r
	}
	return err
}

func (s *Service) lookSerial(ctx context.Context, d *Detail) error {
	rows, err := db.Select[serialPlace](ctx, s.DB, `SELECT w.id, w.name, (SELECT count(*) FROM serial_queue c WHERE c.workflow_code = q.workflow_code
			AND (c.state = 'LAUNCHED' OR c.id < m.id) AND c.id <> m.id) AS ahead
		FROM serial_queue m JOIN serial_queue q ON q.workflow_code = m.workflow_code AND q.id <> m.id AND (q.state = 'LAUNCHED' OR q.id < m.id)
		JOIN workflow_instance w ON w.id = q.workflow_instance_id
		WHERE m.workflow_instance_id = ? ORDER BY CASE WHEN q.state = 'LAUNCHED' THEN 0 ELSE 1 END, q.id LIMIT 1`, d.ID)
	if len(rows) > 0 {
		d.around.serial = &rows[0]
	}
	return err
}

// lookUnknown finds the worker groups that waiting attempts ask for and that neither a worker nor a row knows.
func (s *Service) lookUnknown(ctx context.Context, d *Detail) error {
	var names []string
	for n := range d.Nodes {
		a := d.Nodes[n].Current
		if a == nil || a.State != flow.TaskSubmitted || a.WorkerGroup == "default" || slices.Contains(names, a.WorkerGroup) {
			continue
		}
		if _, serving := s.Workers.Backlog(a.WorkerGroup); serving == 0 {
			names = append(names, a.WorkerGroup)
		}
	}
	if len(names) == 0 {
		return nil
	}
	query, args, err := db.In(`SELECT name FROM worker_group WHERE name IN (?)`, names)
	if err != nil {
		return err
	}
	known, err := db.Select[string](ctx, s.DB, query, args...)
	for _, name := range names {
		d.around.unknown[name] = err == nil && !slices.Contains(known, name)
	}
	return err
}

// missingShown is how many dependencies one sentence names.
const missingShown = 2

var (
	// What a DEPENDENT writes of each dependency: the time, what it looked at, the result.
	dependLine = regexp.MustCompile(`^\S+ \S+ (workflow (\d+)(?: task (\d+))? .*): (SUCCESS|WAITING|FAILED)$`)
	dependCode = regexp.MustCompile(`^workflow (\d+)(?: task (\d+))?`)
)

// missing says what a running DEPENDENT still misses: the last word about each of its dependencies that is no success.
// Workflows that whoever acts may not see keep their codes instead of names.
func (s *Service) missing(ctx context.Context, attempt int64) (string, error) {
	rows, err := db.Select[string](ctx, s.DB, `SELECT lines FROM task_log WHERE task_instance_id = ? ORDER BY id DESC LIMIT 50`, attempt)
	if err != nil {
		return "", err
	}
	type word struct{ text, result string }
	last := map[string]word{}
	var order []string
	for _, row := range slices.Backward(rows) {
		for line := range strings.SplitSeq(row, "\n") {
			m := dependLine.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			key := dependKey(m[1])
			if _, known := last[key]; !known {
				order = append(order, key)
			}
			last[key] = word{m[1], m[4]}
		}
	}
	var open []string
	for _, key := range order {
		if w := last[key]; w.result != string(flow.DependSuccess) {
			open = append(open, w.text)
		}
	}
	more := max(0, len(open)-missingShown)
	open = open[:len(open)-more]
	for k := range open {
		if open[k], err = s.named(ctx, open[k]); err != nil {
			return "", err
		}
	}
	text := strings.Join(open, "; ")
	if more > 0 {
		text += " +" + strconv.Itoa(more)
	}
	return text, nil
}

// dependKey tells lines about one dependency from those about others: workflow, task and window come first in each.
func dependKey(text string) string {
	words := strings.Fields(text)
	size := 3
	if len(words) > 2 && words[2] == "task" {
		size = 5
	}
	return strings.TrimRight(strings.Join(words[:min(size, len(words))], " "), ":,")
}

// named puts names in the place of the codes that a line begins with.
func (s *Service) named(ctx context.Context, text string) (string, error) {
	m := dependCode.FindStringSubmatch(text)
	if m == nil {
		return text, nil
	}
	code, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return text, nil //nolint:nilerr // what is no code stays as it is written
	}
	type row struct {
		Name    string `db:"name"`
		Project int64  `db:"project_code"`
	}
	rows, err := db.Select[row](ctx, s.DB, `SELECT name, project_code FROM workflow_definition WHERE code = ?`, code)
	if err != nil || len(rows) == 0 || !s.Access.CanWorkflow(ctx, rows[0].Project, code, Read) {
		return text, err
	}
	name := rows[0].Name
	if m[2] != "" {
		names, err := db.Select[string](ctx, s.DB, `SELECT name FROM task_definition WHERE workflow_code = ? AND code = CAST(? AS BIGINT)`, code, m[2])
		if err != nil {
			return text, err
		}
		task := m[2]
		if len(names) > 0 {
			task = names[0]
		}
		name += " · " + task
	}
	return name + text[len(m[0]):], nil
}

// Parent is the run whose task started this one, nil for none.
func (d *Detail) Parent() *Kin { return d.around.parent }

// Children lists runs that a task of this one started: those that go on first, a bounded number.
func (d *Detail) Children(task int64) []Kin { return d.around.children[task] }

// Waiting lists the decisions that the run waits for.
func (d *Detail) Waiting() []Approval {
	var out []Approval
	for _, a := range d.around.approvals {
		if a.State == ApprovalWaiting {
			out = append(out, a)
		}
	}
	return out
}

// approvalOf is the decision that an attempt waits, or waited, for; nil for none.
func (d *Detail) approvalOf(task int64) *Approval {
	for k := range d.around.approvals {
		if d.around.approvals[k].TaskInstanceID == task {
			return &d.around.approvals[k]
		}
	}
	return nil
}

// skipped marks the tasks that no chosen way leads to (engine.md 4.5): every way to them was left out.
func (d *Detail) skipped() {
	if len(d.around.chosen) == 0 {
		return
	}
	left := make([]bool, len(d.Nodes))
	for n := range d.Nodes {
		node := &d.Nodes[n]
		if !node.In || node.Current != nil {
			continue
		}
		dead, open := false, false
		for _, p := range node.Pred {
			if !d.Nodes[p].In || d.Nodes[p].Task.Finally != node.Task.Finally {
				continue
			}
			next, chose := d.around.chosen[p]
			if left[p] || chose && !slices.Contains(next, node.Task.Code) {
				dead = true
			} else {
				open = true
			}
		}
		if left[n] = dead && !open; left[n] && node.counts() {
			node.State, node.Left = NodeSkipped, true
			d.Total--
		}
	}
}
