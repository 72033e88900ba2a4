package dataquality

import (
	"slices"
	"strconv"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Names of fields; definitions hold them.
const (
	fieldRule     = "ruleId"
	in            = "ruleInputParameter."
	fieldSource   = in + "src_datasource_id"
	fieldBase     = in + "src_database"
	fieldTable    = in + "src_table"
	fieldFilter   = in + "src_filter"
	fieldColumn   = in + "src_field"
	targetSource  = in + "target_datasource_id"
	targetBase    = in + "target_database"
	targetTable   = in + "target_table"
	targetFilter  = in + "target_filter"
	fieldMapping  = in + "mapping_columns"
	fieldCompare  = in + "logic_operator"
	fieldLength   = in + "field_length"
	fieldPattern  = in + "regexp_pattern"
	fieldBegin    = in + "begin_time"
	fieldDeadline = in + "deadline"
	fieldFormat   = in + "datetime_format"
	fieldEnum     = in + "enum_list"
	actualSQL     = in + "statistics_execute_sql"
	actualName    = in + "statistics_name"
	expectedSQL   = in + "comparison_execute_sql"
	expectedName  = in + "comparison_name"
	fieldExpected = in + "comparison_type"
	fieldCheck    = in + "check_type"
	fieldOperator = in + "operator"
	fieldLimit    = in + "threshold"
	fieldStrategy = in + "failure_strategy"
)

// Numbers of the rules.
const (
	ruleNull = 1 + iota
	ruleCustom
	ruleAccuracy
	ruleTwoValues
	ruleLength
	ruleUnique
	rulePattern
	ruleTimely
	ruleEnum
	ruleCount
)

// Plugin returns the DATA_QUALITY task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: Type, Category: "dq", Icon: "quality", Retryable: true, Handover: true,
		Label: "task.quality", Help: "task.quality.help",
		Aliases: []string{"check", "rule", "null", "unique", "accuracy", "校验", "规则"},
		Schema:  schema(),
		Check:   check,
		Run:     run,
		Measures: func(v form.Values) task.Series {
			kind, _ := strconv.Atoi(v.Text(fieldExpected))
			if v.Text(fieldRule) == strconv.Itoa(ruleTwoValues) {
				kind = 0
			}
			return task.Series{Key: code(v), Window: window(kind)}
		},
	}
}

// when shows a field for some rules only.
func when(rules ...int) *form.Condition {
	c := &form.Condition{Field: fieldRule}
	for _, r := range rules {
		c.In = append(c.In, strconv.Itoa(r))
	}
	return c
}

// numbered are the options from..to, whose labels are keys that end in their number.
func numbered(key string, from, to int) []form.Option {
	var all []form.Option
	for n := from; n <= to; n++ {
		all = append(all, form.Option{Value: strconv.Itoa(n), Label: key + strconv.Itoa(n)})
	}
	return all
}

func schema() form.Schema {
	single := []int{ruleNull, ruleLength, ruleUnique, rulePattern, ruleTimely, ruleEnum}
	return form.Schema{
		{Name: fieldRule, Type: form.Select, Required: true, Default: "1", Options: numbered("task.quality.rule.", ruleNull, ruleCount), Label: "task.quality.rule"},
		{Name: fieldSource, Type: form.Source, Required: true, SourceTypes: sourceTypes(), Label: "task.quality.source"},
		{Name: fieldBase, Type: form.Text, Label: "task.quality.base", Help: "task.quality.base.help", Advanced: true},
		{Name: fieldTable, Type: form.Text, Label: "task.quality.table", Help: "task.quality.table.help"},
		{Name: fieldFilter, Type: form.Text, Label: "task.quality.filter", Help: "task.quality.filter.help", Placeholder: "task.quality.filter.placeholder"},
		{Name: fieldColumn, Type: form.Text, Required: true, Label: "task.quality.column", VisibleWhen: when(single...)},
		{
			Name: fieldCompare, Type: form.Select, Required: true, Default: "=", Label: "task.quality.compare", Help: "task.quality.compare.help", VisibleWhen: when(ruleLength),
			Options: []form.Option{{Value: "="}, {Value: "<"}, {Value: "<="}, {Value: ">"}, {Value: ">="}, {Value: "<>"}},
		},
		{Name: fieldLength, Type: form.Number, Required: true, Min: new(0.0), Max: new(1e9), Label: "task.quality.length", VisibleWhen: when(ruleLength)},
		{Name: fieldPattern, Type: form.Text, Required: true, Label: "task.quality.pattern", Help: "task.quality.pattern.help", VisibleWhen: when(rulePattern)},
		{Name: fieldBegin, Type: form.Text, Required: true, Label: "task.quality.begin", Help: "task.quality.begin.help", VisibleWhen: when(ruleTimely)},
		{Name: fieldDeadline, Type: form.Text, Required: true, Label: "task.quality.deadline", VisibleWhen: when(ruleTimely)},
		{Name: fieldFormat, Type: form.Text, Default: standardFormat, Label: "task.quality.format", Help: "task.quality.format.help", VisibleWhen: when(ruleTimely)},
		{Name: fieldEnum, Type: form.Text, Required: true, Label: "task.quality.enum", Help: "task.quality.enum.help", VisibleWhen: when(ruleEnum)},
		{
			Name: actualSQL, Type: form.Code, Language: "sql", Required: true, Label: "task.quality.actual_sql", Help: "task.quality.actual_sql.help",
			Placeholder: "task.quality.actual_sql.placeholder", VisibleWhen: when(ruleCustom, ruleTwoValues),
		},
		{Name: actualName, Type: form.Text, Label: "task.quality.actual_name", Help: "task.quality.name.help", VisibleWhen: when(ruleCustom, ruleTwoValues)},
		{Name: targetSource, Type: form.Source, Required: true, SourceTypes: sourceTypes(), Label: "task.quality.target", VisibleWhen: when(ruleAccuracy, ruleTwoValues)},
		{Name: targetBase, Type: form.Text, Label: "task.quality.target_base", Help: "task.quality.base.help", Advanced: true, VisibleWhen: when(ruleAccuracy, ruleTwoValues)},
		{Name: targetTable, Type: form.Text, Label: "task.quality.target_table", Help: "task.quality.table.help", VisibleWhen: when(ruleAccuracy, ruleTwoValues)},
		{Name: targetFilter, Type: form.Text, Label: "task.quality.target_filter", Help: "task.quality.filter.help", VisibleWhen: when(ruleAccuracy, ruleTwoValues)},
		{
			Name: fieldMapping, Type: form.Code, Language: "json", Required: true, Label: "task.quality.mapping", Help: "task.quality.mapping.help",
			Placeholder: "task.quality.mapping.placeholder", VisibleWhen: when(ruleAccuracy),
		},
		{
			Name: expectedSQL, Type: form.Code, Language: "sql", Required: true, Label: "task.quality.expected_sql", Help: "task.quality.expected_sql.help",
			VisibleWhen: when(ruleTwoValues),
		},
		{
			Name: fieldExpected, Type: form.Select, Required: true, Default: "1", Options: numbered("task.quality.expected.", expectFixed, expectTarget),
			Label: "task.quality.expected", Help: "task.quality.expected.help", VisibleWhen: when(slices.Concat(single, []int{ruleCustom, ruleAccuracy, ruleCount})...),
		},
		{Name: expectedName, Type: form.Text, Default: "0", Label: "task.quality.expected_name", Help: "task.quality.expected_name.help"},
		{Name: fieldCheck, Type: form.Select, Required: true, Default: "1", Options: numbered("task.quality.check.", 0, 3), Label: "task.quality.check"},
		{Name: fieldOperator, Type: form.Select, Required: true, Default: "3", Options: numbered("task.quality.operator.", 0, 5), Label: "task.quality.operator", Help: "task.quality.operator.help"},
		{Name: fieldLimit, Type: form.Text, Required: true, Default: "0", Label: "task.quality.threshold"},
		{Name: fieldStrategy, Type: form.Select, Required: true, Default: "0", Options: numbered("task.quality.strategy.", 0, 1), Label: "task.quality.strategy"},
		task.Resources(),
		task.Parameters(),
	}
}
