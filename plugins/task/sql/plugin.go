package sql

import (
	"slices"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/statement"
)

// Plugin returns the SQL task type.
func Plugin() task.Plugin {
	query, mail := &form.Condition{Field: sqlType, In: []string{asQuery}}, &form.Condition{Field: sendEmail, In: []string{"true"}}
	return task.Plugin{
		Type: "SQL", Category: "universal", Icon: "sql", Retryable: true,
		Label: "task.sql", Help: "task.sql.help",
		Aliases: []string{"query", "database", "select", "mysql", "postgresql", "oracle", "hive", "数据库", "查询"},
		Schema: slices.Concat(task.SourceFields(statement.Types()...), form.Schema{
			{Name: connParams, Type: form.Text, Label: "task.sql.conn_params", Help: "task.sql.conn_params.help", Advanced: true, VisibleWhen: &form.Condition{Field: "type", In: []string{"HIVE"}}},
			{
				Name: sqlType, Type: form.Select, Required: true, Default: asQuery, Label: "task.sql.type", Help: "task.sql.type.help",
				Options: []form.Option{{Value: asQuery, Label: "task.sql.type.query"}, {Value: asChange, Label: "task.sql.type.change"}},
			},
			{
				Name: text, Type: form.Code, Language: "sql", Required: true, Literal: true, Label: "task.sql.text", Help: "task.sql.text.help",
				Placeholder: "task.sql.text.placeholder",
			},
			{Name: displayRows, Type: form.Number, Default: 10.0, Label: "task.sql.display_rows", Help: "task.sql.display_rows.help", VisibleWhen: query},
			{Name: limit, Type: form.Number, Label: "task.sql.limit", Help: "task.sql.limit.help", Advanced: true, VisibleWhen: query},
			{Name: sendEmail, Type: form.Switch, Default: false, Label: "task.sql.send_email", Help: "task.sql.send_email.help", VisibleWhen: query},
			{Name: title, Type: form.Text, Label: "task.sql.title", Help: "task.sql.title.help", VisibleWhen: mail},
			{Name: groupID, Type: form.AlertGroup, Label: "task.sql.group", Help: "task.sql.group.help", VisibleWhen: mail},
			{Name: preStatements, Type: form.Texts, Literal: true, Label: "task.sql.pre", Help: "task.sql.pre.help", Advanced: true},
			{Name: postStatements, Type: form.Texts, Literal: true, Label: "task.sql.post", Help: "task.sql.post.help", Advanced: true},
			task.Resources(),
			task.Parameters(),
		}),
		Run: run,
	}
}
