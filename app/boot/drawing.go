package boot

import (
	"context"

	"dorado/modules/datasource"
	"dorado/modules/workflow"
)

// drawing lets statements that somebody tried on a data source become tasks.
type drawing struct{ *workflow.Service }

// Drawable is part of datasource.Drawing.
func (d drawing) Drawable(ctx context.Context) ([]datasource.Project, error) {
	rows, err := d.Projects.All(ctx)
	if err != nil {
		return nil, err
	}
	var out []datasource.Project
	for _, row := range rows {
		if d.Can(ctx, row.Code, workflow.Edit) {
			out = append(out, datasource.Project{Code: row.Code, Name: row.Name})
		}
	}
	return out, nil
}
