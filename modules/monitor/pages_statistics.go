package monitor

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/frame"
	"dorado/modules/project"
	"dorado/views/components"
	view "dorado/views/monitor"
)

// Views of the page of statistics.
const (
	tabQueues   = "queues"
	tabCommands = "commands"
	tabFailed   = "failed"
)

func (p pages) statistics(r *http.Request) (shown, error) {
	switch r.URL.Query().Get("tab") {
	case tabCommands:
		return p.commands(r, false)
	case tabFailed:
		return p.commands(r, true)
	default:
		return p.queuesPage(r)
	}
}

func statisticsTabs(ctx context.Context, s *Statistics, current string) components.TabsProps {
	tab := func(name string, count int) components.Tab {
		t := components.Tab{Label: i18n.T(ctx, "monitor.tab."+name), URL: StatisticsPath + "?tab=" + name, Current: name == current, Test: "tab." + name}
		if count > 0 {
			t.Count = i18n.Number(ctx, int64(count))
		}
		return t
	}
	depth := 0
	for _, q := range s.Queues {
		depth += q.Depth
	}
	return components.TabsProps{
		Label: i18n.T(ctx, "monitor.statistics.title"),
		Tabs:  []components.Tab{tab(tabQueues, depth), tab(tabCommands, s.Commands), tab(tabFailed, s.FailedCommands)},
	}
}

func (p pages) queuesPage(r *http.Request) (shown, error) {
	ctx := r.Context()
	s, err := p.Statistics(ctx)
	if err != nil {
		return shown{}, err
	}
	v := view.QueuesPage{Frame: p.shell(r, StatisticsPath, "monitor.statistics."), Tabs: statisticsTabs(ctx, &s, tabQueues)}
	number := func(n int) string { return i18n.Number(ctx, int64(n)) }
	age := func(n int, d time.Duration) string {
		if n == 0 {
			return ""
		}
		return i18n.T(ctx, "monitor.oldest", "age", i18n.Duration(ctx, d))
	}
	label := func(key string) string { return i18n.T(ctx, "monitor.figure."+key) }
	lag, lagging := i18n.T(ctx, "monitor.figure.no_schedules"), false
	if s.Scheduled > 0 {
		lag, lagging = i18n.Duration(ctx, s.ScheduleLag), s.ScheduleLag > time.Minute
	}
	v.Figures = []view.Figure{
		{Label: label("commands"), Value: number(s.Commands), Small: age(s.Commands, s.OldestCommand), URL: StatisticsPath + "?tab=" + tabCommands, Bad: s.Commands > 0 && s.OldestCommand > time.Minute},
		{Label: label("failed"), Value: number(s.FailedCommands), URL: StatisticsPath + "?tab=" + tabFailed, Bad: s.FailedCommands > 0, Test: "figure.failed"},
		{Label: label("unacked"), Value: number(s.Unacked), Small: age(s.Unacked, s.OldestUnacked)},
		{Label: label("group_waiters"), Value: number(s.GroupWaiters), Small: age(s.GroupWaiters, s.OldestWaiter), URL: "/resources/task-groups/queue"},
		{Label: label("schedule_lag"), Value: lag, Bad: lagging},
	}
	for _, q := range s.Queues {
		row := view.Queue{
			Group: q.Group, Depth: q.Depth, Longest: q.Longest, Sent: q.Sent, Running: q.Running, Workers: q.Workers, Slots: q.Slots, Free: q.Free,
		}
		if q.Sent+q.Running > 0 {
			row.URL = withQuery(RunningPath, "group", q.Group)
		}
		v.Queues = append(v.Queues, row)
	}
	datum := func(key, value, extra string) {
		if extra != "" {
			value += " · " + extra
		}
		v.More = append(v.More, components.Datum{Label: i18n.T(ctx, "monitor.more."+key), Value: value})
	}
	datum("serial", number(s.Serial), "")
	datum("stopping", number(s.Stopping), age(s.Stopping, s.OldestStopping))
	datum("failing_over", number(s.FailingOver), "")
	datum("alerts", number(s.Alerts), "")
	datum("schedules", number(s.Scheduled), "")
	return shown{view.Queues(v), v.Notes, view.QueuesBody(v)}, nil
}

// kindsOfCommands lists the types that a filter offers.
func kindsOfCommands() []flow.CommandType {
	return []flow.CommandType{
		flow.CommandStart, flow.CommandTakeOver, flow.CommandResume, flow.CommandRecoverFailed, flow.CommandBackfill,
		flow.CommandSchedule, flow.CommandRepeat, flow.CommandPause, flow.CommandStop, flow.CommandSerialWait,
		flow.CommandExecuteTask, flow.CommandDynamicChild, flow.CommandDecide, flow.CommandForceStart, flow.CommandKillTask,
		flow.CommandGroupPriority,
	}
}

func commandTypes(ctx context.Context) []components.Option {
	out := []components.Option{{Label: i18n.T(ctx, "monitor.command.any_type")}}
	for _, t := range kindsOfCommands() {
		out = append(out, components.Option{Value: string(t), Label: string(t)})
	}
	return out
}

func (p pages) commands(r *http.Request, failed bool) (shown, error) {
	ctx := r.Context()
	s, err := p.Statistics(ctx)
	if err != nil {
		return shown{}, err
	}
	tab := tabCommands
	if failed {
		tab = tabFailed
	}
	q := frame.Query(r, commandSpec(failed))
	page, err := p.Commands(ctx, q, failed)
	if err != nil {
		return shown{}, err
	}
	v := view.CommandsPage{
		Frame: p.shell(r, StatisticsPath, "monitor.statistics."), Tabs: statisticsTabs(ctx, &s, tab), Failed: failed, Now: p.now(),
		List: frame.Listed(StatisticsPath, q, page), Types: commandTypes(ctx),
	}
	v.Type = v.List.Filters["type"]
	v.List.Query.Set("tab", tab)
	v.List.ClearURL = StatisticsPath + "?tab=" + tab
	manage := p.Access.Can(ctx, Manage)
	for i := range page.Items {
		c := &page.Items[i]
		row := view.Command{
			ID: c.ID, Type: string(c.Type), Instance: c.Instance, Workflow: c.Workflow, Project: c.Project, Executor: c.Executor, Priority: c.Priority,
			Group: c.Group, Warning: c.Warning, Param: clip(c.Param, garbageShown), Message: c.Message, CreatedAt: c.CreatedAt,
		}
		if c.ScheduledAt != nil {
			row.ScheduledAt = *c.ScheduledAt
		}
		if c.FailedAt != nil {
			row.FailedAt = *c.FailedAt
		}
		if c.Instance != "" {
			row.InstanceURL = project.Address(c.ProjectCode, "/instances/"+strconv.FormatInt(c.InstanceID, 10))
		}
		if failed && manage {
			row.RetryURL, row.DiscardURL = commandAddress(c.ID, "retry"), commandAddress(c.ID, "discard")
		}
		v.Commands = append(v.Commands, row)
	}
	return shown{view.Commands(v), v.Notes, view.CommandsBody(v)}, nil
}

func commandAddress(id int64, action string) string {
	return fmt.Sprintf("%s/commands/%d/%s", StatisticsPath, id, action)
}

const failedPath = StatisticsPath + "?tab=" + tabFailed

func (p pages) retryCommand(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	if err := p.RetryCommand(r.Context(), id); err != nil {
		return nil, err
	}
	return web.Redirect(failedPath).Toast("monitor.command.retried", "id", id), nil
}

func (p pages) askDiscard(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	c, err := p.failedCommand(ctx, id)
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "monitor.discard.title", "id", id)
	return web.Page(view.Confirm(view.ConfirmPage{
		Shell: p.frame.Page(r, title, components.Crumb{Label: i18n.T(ctx, "monitor.statistics.title"), URL: failedPath}),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "monitor.discard.text", "type", string(c.Type), "name", c.Instance), Action: commandAddress(id, "discard"),
			Submit: i18n.T(ctx, "monitor.discard.submit"), CancelURL: failedPath, Test: "discard",
		},
	})), nil
}

func (p pages) discardCommand(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	if err := p.DiscardCommand(r.Context(), id); err != nil {
		return nil, err
	}
	return web.Redirect(failedPath).Toast("monitor.command.discarded", "id", id), nil
}
