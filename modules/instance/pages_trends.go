package instance

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
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

// trendRuns is how many runs a trend looks back, trendTasks how many tasks it shows.
const (
	trendRuns  = 50
	trendTasks = 1000
)

// quantile is the length that a share of all stays at or below; list must be sorted.
func quantile(list []time.Duration, share float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	at := int(share*float64(len(list))+0.999999) - 1
	return list[min(max(at, 0), len(list)-1)]
}

// trends shows how long the last runs of a workflow and their tasks took.
func (p pages) trends(r *http.Request) (web.Response, error) {
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
	runs, cells, err := p.grid(ctx, code, trendRuns, 0)
	if err != nil {
		return nil, err
	}
	def, err := p.program(ctx, code, w.Version)
	if err != nil {
		return nil, err
	}
	here := workflowAddress(owner.Code, code)
	v := view.Trends{
		Shell: p.frame.InProject(r, ref(owner), i18n.T(ctx, "operate.trend.title"),
			components.Crumb{Label: i18n.T(ctx, "workflow.title"), URL: project.Address(owner.Code, "/workflows")}, components.Crumb{Label: w.Name, URL: here}),
		Name: w.Name, BackURL: here, GridURL: here + "/grid", Runs: view.Chart{Title: i18n.T(ctx, "operate.trend.runs")},
	}
	var took []time.Duration
	for _, run := range runs {
		v.Runs.Bars = append(v.Runs.Bars, view.ChartBar{
			State: string(run.State), Name: "#" + strconv.FormatInt(run.ID, 10), URL: run.URL(), At: run.Start, Took: run.Took,
			Title: i18n.T(ctx, "grid.run", "state", components.StateLabel(ctx, string(run.State)), "time", i18n.DateTime(ctx, run.Start),
				"took", i18n.Duration(ctx, run.Took), "version", run.Version),
		})
		if run.State == flow.WorkflowSuccess {
			took = append(took, run.Took)
		}
	}
	slices.Sort(took)
	v.Runs.Median, v.Runs.P95 = quantile(took, 0.5), quantile(took, 0.95)
	v.Tasks = taskTrends(owner.Code, gridTasks(def.graph, cells), cells)
	return web.Page(view.TrendsPage(v)), nil
}

// taskTrends measures each task over its successful runs.
func taskTrends(projectCode int64, tasks []gridTask, cells []GridCell) []view.TaskTrend {
	slices.SortStableFunc(cells, func(a, b GridCell) int { return cmp.Compare(a.Run, b.Run) })
	byTask := make(map[int64][]GridCell, len(tasks))
	for _, c := range cells {
		byTask[c.TaskCode] = append(byTask[c.TaskCode], c)
	}
	longest := time.Millisecond
	var out []view.TaskTrend
	for _, t := range tasks[:min(len(tasks), trendTasks)] {
		trend := view.TaskTrend{Name: t.name}
		var took []time.Duration
		for _, c := range byTask[t.code] {
			trend.Runs++
			trend.URL = taskAddress(projectCode, c.ID)
			if c.State == flow.TaskFailure || c.State == flow.TaskLost {
				trend.Failed++
			}
			if c.State == flow.TaskSuccess && c.Start != nil && c.End != nil {
				trend.Last = c.End.Sub(*c.Start)
				took = append(took, trend.Last)
			}
		}
		slices.Sort(took)
		trend.Median, trend.P95 = quantile(took, 0.5), quantile(took, 0.95)
		if trend.Median >= time.Second && len(took) >= 3 {
			if change := int(100 * (trend.Last - trend.Median) / trend.Median); change <= -10 || change >= 10 {
				trend.Change = fmt.Sprintf("%+d %%", change)
			}
		}
		longest = max(longest, trend.Median)
		out = append(out, trend)
	}
	for k := range out {
		out[k].Share = int(100 * out[k].Median / longest)
	}
	return out
}

// taskHistory is how long the task took in the last runs of its workflow.
func (p pages) taskHistory(ctx context.Context, d *Detail, t *ListedTask) (view.Chart, error) {
	v := view.Chart{Title: i18n.T(ctx, "operate.trend.task")}
	rows, err := db.Select[ListedTask](ctx, p.DB, `SELECT `+listedColumns+` FROM task_instance t JOIN workflow_instance w ON w.id = t.workflow_instance_id
		WHERE t.workflow_instance_id IN (SELECT id FROM workflow_instance WHERE workflow_code = ? AND id <= ? ORDER BY id DESC LIMIT ?)
		AND t.task_code = ? AND t.valid = ? ORDER BY t.workflow_instance_id`, d.WorkflowCode, d.ID, trendRuns, t.TaskCode, true)
	if err != nil {
		return v, fmt.Errorf("read the history of task %d: %w", t.TaskCode, err)
	}
	var took []time.Duration
	now := p.now()
	for k := range rows {
		row := &rows[k]
		if row.StartTime == nil {
			continue
		}
		length := row.Duration(now)
		v.Bars = append(v.Bars, view.ChartBar{
			State: string(row.State), Name: row.InstanceName, URL: taskAddress(row.ProjectCode, row.ID), At: *row.StartTime, Took: length, Here: row.ID == t.ID,
			Title: components.StateLabel(ctx, string(row.State)) + ", " + i18n.DateTime(ctx, *row.StartTime) + ", " + i18n.Duration(ctx, length),
		})
		if row.State == flow.TaskSuccess {
			took = append(took, length)
		}
	}
	slices.Sort(took)
	v.Median, v.P95 = quantile(took, 0.5), quantile(took, 0.95)
	return v, nil
}
