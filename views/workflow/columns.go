package workflow

import (
	"context"

	"dorado/app/kit/i18n"
	"dorado/views/components"
)

// columns are the heads of the list.
func (p ListPage) columns(ctx context.Context) []components.Column {
	columns := []components.Column{
		{Label: i18n.T(ctx, "transfer.field.select"), Hidden: true, All: "batch"},
		p.List.Column("name", i18n.T(ctx, "workflow.field.name")),
		p.List.Column("state", i18n.T(ctx, "workflow.field.state")),
		{Label: i18n.T(ctx, "workflow.field.version"), Right: true, Drop: 2},
		dropped(2, right(p.List.Column("tasks", i18n.T(ctx, "workflow.field.tasks")))),
	}
	if p.Timed {
		columns = append(columns, components.Column{Label: i18n.T(ctx, "timing.title"), Drop: 2})
	}
	if p.History {
		columns = append(columns,
			components.Column{Label: i18n.T(ctx, "workflow.field.last_run"), Drop: 1},
			components.Column{Label: i18n.T(ctx, "workflow.field.runs"), Drop: 3})
	}
	return append(columns,
		dropped(3, p.List.Column("owner", i18n.T(ctx, "workflow.field.owner"))),
		dropped(2, p.List.Column("updated", i18n.T(ctx, "workflow.field.updated"))),
		components.Column{Label: i18n.T(ctx, "workflow.actions"), Hidden: true})
}

// menu is what does not fit beside the name of a workflow.
func (r Row) menu(ctx context.Context) []components.MenuItem {
	items := []components.MenuItem{{Label: i18n.T(ctx, "workflow.versions"), Icon: "history", URL: r.VersionsURL, Test: "row.versions"}}
	if r.GridURL != "" {
		items = append(items, components.MenuItem{Label: i18n.T(ctx, "grid.title"), Icon: "grid", URL: r.GridURL, Test: "row.grid"})
	}
	items = append(items, components.MenuItem{Label: i18n.T(ctx, "yaml.export"), Icon: "download", URL: r.ExportURL, Test: "row.yaml"})
	if r.TimingURL != "" {
		items = append(items, components.MenuItem{
			Label: i18n.T(ctx, "timing.action"), Icon: "clock", URL: r.TimingURL, Dialog: r.TimingNew, Disabled: r.TimingDisabled, Test: "row.schedules",
		})
	}
	if r.CopyURL != "" {
		items = append(items, components.MenuItem{Label: i18n.T(ctx, "workflow.copy"), Icon: "copy", URL: r.CopyURL, Post: true, Test: "row.copy"})
	}
	if r.DeleteURL == "" {
		return items
	}
	gone := components.MenuItem{Label: i18n.T(ctx, "workflow.delete"), Icon: "trash", URL: r.DeleteURL, Dialog: true, Danger: true, Test: "row.delete"}
	if r.Online {
		gone.Disabled = i18n.T(ctx, "workflow.delete.online")
	}
	return append(items, components.MenuItem{Separator: true}, gone)
}
