package instance

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/project"
	"dorado/views/components"
	view "dorado/views/instance"
)

// Bounds of the grid: how many runs may be asked for, and how many tasks one page of it shows.
const (
	gridRuns = 25
	gridRows = 200
)

func gridChoices() []int { return []int{10, gridRuns, 50, 100} }

// GridCell is the attempt of a task that counts in one run.
type GridCell struct {
	ID       int64          `db:"id"`
	Run      int64          `db:"workflow_instance_id"`
	TaskCode int64          `db:"task_code"`
	Name     string         `db:"name"`
	State    flow.TaskState `db:"state"`
	Attempt  int            `db:"attempt"`
	Start    *time.Time     `db:"start_time"`
	End      *time.Time     `db:"end_time"`
}

// GridRun is one column: a run with the version that it ran.
type GridRun struct {
	Run
	Version int `db:"workflow_version"`
}

// grid reads the last runs of a workflow, oldest first, up to and including the instance until (0: the newest), and what
// became of their tasks. There are none where a rule hides them.
func (s *Service) grid(ctx context.Context, workflow int64, limit int, until int64) ([]GridRun, []GridCell, error) {
	if slices.Contains(s.Access.HiddenWorkflows(ctx, Read), workflow) {
		return nil, nil, nil
	}
	runs, err := s.store.gridRuns(ctx, workflow, limit, until)
	if err != nil || len(runs) == 0 {
		return nil, nil, err
	}
	now := s.now()
	ids := make([]int64, len(runs))
	for i := range runs {
		r := &runs[i]
		ids[i] = r.ID
		began, end := r.Start, now
		if r.Restart != nil {
			began = *r.Restart
		}
		if r.End != nil {
			end = *r.End
		}
		r.Took = max(0, end.Sub(began))
	}
	slices.Reverse(runs)
	cells, err := s.store.gridCells(ctx, ids)
	return runs, cells, err
}

func (s *store) gridRuns(ctx context.Context, workflow int64, limit int, until int64) ([]GridRun, error) {
	where, args := `workflow_code = ? AND NOT stream`, []any{workflow}
	if until > 0 {
		where, args = where+` AND id <= ?`, append(args, until)
	}
	return db.Select[GridRun](ctx, s.db, `SELECT id, workflow_code, workflow_version, project_code, state, start_time, restart_time, end_time
		FROM workflow_instance WHERE `+where+` ORDER BY id DESC LIMIT ?`, append(args, limit)...)
}

func (s *store) gridCells(ctx context.Context, runs []int64) ([]GridCell, error) {
	query, args, err := db.In(`SELECT id, workflow_instance_id, task_code, name, state, attempt, start_time, end_time
		FROM task_instance WHERE workflow_instance_id IN (?) AND valid = ?`, runs, true)
	if err != nil {
		return nil, err
	}
	return db.Select[GridCell](ctx, s.db, query, args...)
}

// gridPage shows tasks against runs (P-GRID-1): rows in the order of the graph, the newest run at the right.
func (p pages) gridPage(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	owner, err := p.within(r)
	if err != nil {
		return nil, err
	}
	code, err := web.Number(r, "workflow")
	if err != nil {
		return nil, err
	}
	w, err := p.Workflows.In(ctx, owner.Code, code)
	if err != nil {
		return nil, err
	}
	asked := r.URL.Query()
	limit, _ := strconv.Atoi(asked.Get("runs"))
	if !slices.Contains(gridChoices(), limit) {
		limit = gridRuns
	}
	until, _ := strconv.ParseInt(asked.Get("until"), 10, 64)
	runs, cells, err := p.grid(ctx, code, limit, until)
	if err != nil {
		return nil, err
	}
	def, err := p.program(ctx, code, w.Version)
	if err != nil {
		return nil, err
	}
	here := workflowAddress(owner.Code, code) + "/grid"
	g := view.Grid{
		Shell: p.frame.InProject(r, ref(owner), i18n.T(ctx, "grid.title"), components.Crumb{Label: i18n.T(ctx, "workflow.title"), URL: project.Address(owner.Code, "/workflows")},
			components.Crumb{Label: w.Name, URL: workflowAddress(owner.Code, code)}),
		Name: w.Name, BackURL: workflowAddress(owner.Code, code),
	}
	for _, n := range gridChoices() {
		g.Choices = append(g.Choices, components.Tab{
			Label: i18n.T(ctx, "grid.runs", "count", n), URL: here + "?" + keep(asked, "runs", strconv.Itoa(n)), Current: n == limit,
		})
	}
	if len(runs) == limit {
		g.OlderURL = here + "?" + keep(asked, "until", strconv.FormatInt(runs[0].ID-1, 10))
	}
	if until > 0 {
		g.NewestURL = here + "?" + keep(asked, "until", "")
	}
	p.gridColumns(ctx, &g, runs)
	rows := gridTasks(def.graph, cells)
	from, _ := strconv.Atoi(asked.Get("from"))
	from = min(max(0, from), max(0, len(rows)-1)/gridRows*gridRows)
	if from > 0 {
		g.AboveURL = here + "?" + keep(asked, "from", strconv.Itoa(max(0, from-gridRows)))
	}
	if from+gridRows < len(rows) {
		g.BelowURL = here + "?" + keep(asked, "from", strconv.Itoa(from+gridRows))
	}
	g.Shown = i18n.T(ctx, "grid.shown", "from", min(from+1, len(rows)), "to", min(from+gridRows, len(rows)), "count", len(rows))
	p.gridRowsOf(ctx, &g, rows[from:min(from+gridRows, len(rows))], runs, cells)
	return web.Page(view.GridPage(g)), nil
}

// keep returns the query with one value changed; an empty one is left out.
func keep(asked url.Values, name, value string) string {
	q := url.Values{}
	for _, known := range []string{"runs", "until", "from"} {
		if v := asked.Get(known); v != "" && known != name {
			q.Set(known, v)
		}
	}
	if value != "" {
		q.Set(name, value)
	}
	return q.Encode()
}

func (p pages) gridColumns(ctx context.Context, g *view.Grid, runs []GridRun) {
	longest := time.Millisecond
	for _, r := range runs {
		longest = max(longest, r.Took)
	}
	for i, r := range runs {
		g.Runs = append(g.Runs, view.GridRun{
			State: string(r.State), URL: r.URL(), Height: max(4, int(100*r.Took/longest)), At: r.Start,
			Title: i18n.T(ctx, "grid.run", "state", components.StateLabel(ctx, string(r.State)), "time", i18n.DateTime(ctx, r.Start),
				"took", i18n.Duration(ctx, r.Took), "version", r.Version),
			NewVersion: i > 0 && runs[i-1].Version != r.Version, Version: r.Version,
		})
	}
}

// gridTask is a row of the grid.
type gridTask struct {
	code int64
	name string
	gone bool // not in the current version any more
}

// gridTasks lists the tasks of the current version in the order of its graph, then those that only older runs had.
func gridTasks(graph *flow.Graph, cells []GridCell) []gridTask {
	rows := make([]gridTask, 0, graph.Len())
	known := make(map[int64]bool, graph.Len())
	for i := range graph.Tasks {
		rows = append(rows, gridTask{code: graph.Tasks[i].Code, name: graph.Tasks[i].Name})
		known[graph.Tasks[i].Code] = true
	}
	for _, c := range cells {
		if !known[c.TaskCode] {
			known[c.TaskCode] = true
			rows = append(rows, gridTask{code: c.TaskCode, name: c.Name, gone: true})
		}
	}
	return rows
}

func (p pages) gridRowsOf(ctx context.Context, g *view.Grid, tasks []gridTask, runs []GridRun, cells []GridCell) {
	type place struct{ run, task int64 }
	at := make(map[place]*GridCell, len(cells))
	for i := range cells {
		at[place{cells[i].Run, cells[i].TaskCode}] = &cells[i]
	}
	now := p.now()
	for _, t := range tasks {
		row := view.GridRow{Name: t.name, Gone: t.gone}
		for _, r := range runs {
			c := at[place{r.ID, t.code}]
			if c == nil {
				row.Cells = append(row.Cells, view.GridCell{State: "NONE"})
				continue
			}
			title := i18n.T(ctx, "grid.cell", "task", t.name, "state", components.StateLabel(ctx, string(c.State)), "time", i18n.DateTime(ctx, r.Start))
			if c.Start != nil {
				end := now
				if c.End != nil {
					end = *c.End
				}
				title += ", " + i18n.Duration(ctx, end.Sub(*c.Start))
			}
			row.Cells = append(row.Cells, view.GridCell{
				State: string(c.State), Title: title, URL: r.URL() + "?task=" + strconv.FormatInt(t.code, 10),
				LogURL: taskAddress(r.ProjectCode, c.ID) + "/log", Again: c.Attempt > 0,
			})
		}
		g.Rows = append(g.Rows, row)
	}
}
