package instance

import (
	"context"
	"strconv"

	"dorado/app/kit/i18n"
	"dorado/views/components"
)

// near are the actions shown as buttons of the head: those that are possible and take nothing away.
func (h Head) near() []Action {
	var out []Action
	for _, a := range h.Actions {
		if a.Disabled == "" && !a.Danger {
			out = append(out, a)
		}
	}
	return out
}

// actItems are actions on a task as items of a menu; each asks first.
func actItems(actions []Action) []components.MenuItem {
	items := make([]components.MenuItem, 0, len(actions))
	for _, a := range actions {
		items = append(items, components.MenuItem{
			Label: a.Label, Icon: a.Icon, URL: a.URL, Dialog: true, Danger: a.Danger, Disabled: a.Disabled, Test: "menu." + a.Op,
		})
	}
	return items
}

func actionKind(a Action) string {
	if a.Primary {
		return components.KindPrimary
	}
	return ""
}

func taskColumns(ctx context.Context) []components.Column {
	c := func(key string, drop int) components.Column {
		return components.Column{Label: i18n.T(ctx, "instance.field."+key), Drop: drop}
	}
	duration := c("duration", 0)
	duration.Right = true
	actions := c("actions", 0)
	actions.Hidden = true
	return []components.Column{c("task", 0), c("state", 0), c("attempt", 2), c("host", 3), c("start", 1), c("end", 3), duration, actions}
}

func paramColumns(ctx context.Context, origin bool) []components.Column {
	c := func(key string, drop int) components.Column {
		return components.Column{Label: i18n.T(ctx, "instance.params."+key), Drop: drop}
	}
	if !origin {
		return []components.Column{c("name", 0), c("value", 0), c("type", 2)}
	}
	return []components.Column{c("name", 0), c("value", 0), c("raw", 1), c("source", 1), c("type", 2)}
}

func number(n int) string { return strconv.Itoa(n) }

func (p TasksPage) columns(ctx context.Context) []components.Column {
	plain := func(key string, drop int) components.Column {
		return components.Column{Label: i18n.T(ctx, "instance.field."+key), Drop: drop}
	}
	sorted := func(key, label string, drop int) components.Column {
		c := p.List.Column(key, i18n.T(ctx, "instance.field."+label))
		c.Drop = drop
		return c
	}
	duration := plain("duration", 0)
	duration.Right = true
	actions := plain("actions", 0)
	actions.Hidden = true
	return []components.Column{
		sorted("name", "task", 0), plain("instance", 1), sorted("state", "state", 0), plain("attempt", 2), plain("executor", 3),
		sorted("submit", "submit", 3), sorted("start", "start", 2), duration, actions,
	}
}

func (p StreamsPage) columns(ctx context.Context) []components.Column {
	plain := func(key string, drop int) components.Column {
		return components.Column{Label: i18n.T(ctx, "instance.field."+key), Drop: drop}
	}
	sorted := func(key, label string, drop int) components.Column {
		c := p.List.Column(key, i18n.T(ctx, "instance.field."+label))
		c.Drop = drop
		return c
	}
	duration := plain("duration", 1)
	duration.Right = true
	actions := plain("actions", 0)
	actions.Hidden = true
	return []components.Column{
		sorted("name", "task", 0), plain("workflow", 2), sorted("state", "state", 0), plain("executor", 3), plain("app_id", 3),
		sorted("start", "start", 2), duration, actions,
	}
}

func attemptColumns(ctx context.Context) []components.Column {
	c := func(key string, drop int, right bool) components.Column {
		return components.Column{Label: i18n.T(ctx, "instance.field."+key), Drop: drop, Right: right}
	}
	return []components.Column{
		c("attempt", 0, false), c("state", 0, false), c("host", 1, false), c("start", 2, false), c("duration", 0, true), c("exit", 0, true),
	}
}

func chartColumns(ctx context.Context) []components.Column {
	c := func(key string, right bool) components.Column {
		return components.Column{Label: i18n.T(ctx, "instance.field."+key), Right: right}
	}
	return []components.Column{c("instance", false), c("state", false), c("start", false), c("duration", true)}
}

func trendColumns(ctx context.Context) []components.Column {
	c := func(key string, drop int) components.Column {
		return components.Column{Label: i18n.T(ctx, "operate.trend."+key), Drop: drop, Right: true}
	}
	task := components.Column{Label: i18n.T(ctx, "instance.field.task")}
	share := components.Column{Label: i18n.T(ctx, "operate.trend.share"), Hidden: true, Drop: 3}
	return []components.Column{task, c("count", 2), c("failed", 1), c("median", 0), share, c("p95", 0), c("last", 0)}
}

func ganttColumns(ctx context.Context) []components.Column {
	c := func(key string, right bool) components.Column {
		return components.Column{Label: i18n.T(ctx, key), Right: right}
	}
	return []components.Column{
		c("instance.field.task", false), c("instance.field.state", false), c("instance.field.submit", false), c("instance.field.start", false), c("instance.field.end", false),
		c("operate.gantt.waited", true), c("operate.gantt.ran", true), c("operate.gantt.slack", true), c("operate.gantt.critical", false),
	}
}

func compareColumns(ctx context.Context) []components.Column {
	state, took := i18n.T(ctx, "instance.field.state"), i18n.T(ctx, "instance.field.duration")
	return []components.Column{
		{Label: i18n.T(ctx, "instance.field.task")},
		{Label: state + " · " + i18n.T(ctx, "operate.compare.this")},
		{Label: state + " · " + i18n.T(ctx, "operate.compare.other")},
		{Label: took + " · " + i18n.T(ctx, "operate.compare.this"), Right: true},
		{Label: took + " · " + i18n.T(ctx, "operate.compare.other"), Right: true},
		{Label: i18n.T(ctx, "instance.field.actions"), Hidden: true},
	}
}
