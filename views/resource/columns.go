package resource

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"dorado/app/kit/i18n"
	"dorado/views/components"
)

func (p ListPage) columns(ctx context.Context) []components.Column {
	head := func(key string) components.Column { return p.List.Column(key, i18n.T(ctx, "resource.field."+key)) }
	size, updated := head("size"), head("updated")
	size.Right, size.Drop, updated.Drop = true, 1, 2
	return []components.Column{
		{Label: i18n.T(ctx, "component.table.select_all"), Hidden: true, All: Batch, Class: "box"},
		head("name"), size,
		{Label: i18n.T(ctx, "resource.field.revision"), Right: true, Drop: 3},
		{Label: i18n.T(ctx, "resource.field.user"), Drop: 2},
		updated,
		{Label: i18n.T(ctx, "security.actions"), Hidden: true},
	}
}

func (p ListPage) filter(ctx context.Context) components.FilterProps {
	f := p.List.Filter(i18n.T(ctx, "resource.search"))
	f.Keep = []string{"sort", "size"}
	return f
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func sorted(fields map[string][]string) []string { return slices.Sorted(maps.Keys(fields)) }
