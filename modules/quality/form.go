package quality

import (
	"slices"
	"strconv"

	"dorado/app/kit/web/dsapi"
	"dorado/plugins/form"
	dataquality "dorado/plugins/task/data_quality"
)

// comparisons are the names of the kinds of expected values, as clients know them; the first has number 1.
func comparisons() []string {
	return []string{"FixValue", "DailyAvg", "WeeklyAvg", "MonthlyAvg", "Last7DayAvg", "Last30DayAvg", "SrcTableTotalRows", "TargetTableTotalRows"}
}

func comparison(n int) string {
	if all := comparisons(); n >= 1 && n <= len(all) {
		return all[n-1]
	}
	return ""
}

// Where the options of an entry come from, and what an entry is for, as DolphinScheduler numbers them.
const (
	optionsListed     = 0
	optionsSources    = 1
	optionsTypes      = 2
	optionsComparison = 3

	forAll        = 0
	forStatistics = 1
	forComparison = 2
	forCheck      = 3
)

// dsEntry is an input of a rule as clients know it.
type dsEntry struct {
	ID          int         `json:"id"`
	Field       string      `json:"field"`
	Type        string      `json:"type"`
	Title       string      `json:"title"`
	Value       *string     `json:"data"`
	Options     *string     `json:"options"` // a JSON list
	Placeholder *string     `json:"placeholder"`
	Source      int         `json:"optionSourceType"`
	ValueType   int         `json:"valueType"` // string, list, number, like SQL
	InputType   int         `json:"inputType"`
	Show        bool        `json:"isShow"`
	Edit        bool        `json:"canEdit"`
	Emit        bool        `json:"isEmit"`
	Validate    bool        `json:"isValidate"`
	ValuesMap   *string     `json:"valuesMap"`
	Index       int         `json:"index"`
	CreateTime  *dsapi.Time `json:"createTime"`
	UpdateTime  *dsapi.Time `json:"updateTime"`
}

// dsStatement is a statement of a rule.
type dsStatement struct {
	ID          int         `json:"id"`
	Index       int         `json:"index"`
	SQL         string      `json:"sql"`
	Alias       string      `json:"tableAlias"`
	Type        int         `json:"type"` // middle, statistics, comparison
	ErrorOutput bool        `json:"isErrorOutputSql"`
	CreateTime  *dsapi.Time `json:"createTime"`
	UpdateTime  *dsapi.Time `json:"updateTime"`
}

type dsDefinition struct {
	Entries    []dsEntry     `json:"ruleInputEntryList"`
	Statements []dsStatement `json:"executeSqlList"`
}

// connector is the input that DolphinScheduler has before each data source: the type, by its number.
func (m *Module) connector(field string) dsapi.FormField {
	f := dsapi.FormField{Field: field, Type: "select", Emit: []string{"change"}, Validate: required(true)}
	for _, t := range m.types.All() {
		if t.Open != nil {
			f.Options = append(f.Options, dsapi.FormOption{Label: t.Type, Value: strconv.Itoa(t.Code)})
		}
	}
	return f
}

func required(yes bool) []dsapi.FormRule {
	return []dsapi.FormRule{{Required: yes, Type: "string", Trigger: "blur"}}
}

// fields is the form of a rule. Names of inputs are those that definitions hold, in the order of the form here.
func (m *Module) fields(d dataquality.Rule) []dsapi.FormField {
	var out []dsapi.FormField
	for _, input := range d.Inputs {
		name := dataquality.Input(input)
		switch name {
		case "src_datasource_id":
			out = append(out, m.connector("src_connector_type"))
		case "target_datasource_id":
			out = append(out, m.connector("target_connector_type"))
		}
		out = append(out, field(name, input))
	}
	for k := range out {
		out[k].Name, out[k].Title, out[k].Props.Size = named(out[k].Field), named(out[k].Field), "small"
	}
	return out
}

func field(name string, input form.Field) dsapi.FormField {
	f := dsapi.FormField{Field: name, Type: "input", Value: input.Default, Validate: required(input.Required)}
	switch input.Type {
	case form.Source:
		f.Type, f.Emit = "select", []string{"change"}
	case form.Select:
		f.Type = "select"
		for n, o := range input.Options {
			f.Options = append(f.Options, dsapi.FormOption{Label: optionLabel(name, n, o.Value), Value: o.Value})
		}
		if name == "comparison_type" {
			f.Emit = []string{"change"}
		}
	case form.Code, form.TextArea:
		f.Props.Type, f.Props.Rows = new("textarea"), 4
		if name == "mapping_columns" {
			f.Type = "group"
		}
	default:
		f.Props.Type, f.Props.Rows = new("text"), 1
	}
	return f
}

// optionLabel is what clients call an option.
func optionLabel(field string, n int, value string) string {
	switch field {
	case "check_type":
		return []string{"Expected - Actual", "Actual - Expected", "Actual / Expected", "(Expected - Actual) / Expected"}[min(n, 3)]
	case "failure_strategy":
		return []string{"Alert", "Block"}[min(n, 1)]
	case "comparison_type":
		return comparison(n + 1)
	case "operator":
		return dataquality.Sign(n)
	}
	return value
}

// definition is a rule as DolphinScheduler stores it: what its form asks, and the statements.
func (m *Module) definition(d dataquality.Rule) dsDefinition {
	out := dsDefinition{Entries: []dsEntry{}, Statements: []dsStatement{}}
	for n, f := range m.fields(d) {
		e := dsEntry{
			ID: n + 1, Field: f.Field, Type: f.Type, Title: f.Title, Show: true, Edit: true, Emit: len(f.Emit) > 0, Validate: f.Validate[0].Required,
			Index: n + 1, InputType: purpose(f.Field), Source: optionSource(f.Field),
		}
		if text, ok := f.Value.(string); ok && text != "" {
			e.Value = &text
		}
		if e.Source == optionsListed && len(f.Options) > 0 {
			if text, err := encode(f.Options); err == nil {
				e.Options = &text
			}
		}
		if f.Field == "statistics_execute_sql" || f.Field == "comparison_execute_sql" {
			e.ValueType = 3
		} else if slices.Contains([]string{"threshold", "field_length"}, f.Field) {
			e.ValueType = 2
		}
		out.Entries = append(out.Entries, e)
	}
	if d.Rows != "" {
		out.Statements = append(out.Statements, dsStatement{ID: 1, Index: 1, SQL: d.Rows, Alias: d.Name + "_items", ErrorOutput: true})
	}
	if d.Statistic != "" {
		next := len(out.Statements) + 1
		out.Statements = append(out.Statements, dsStatement{ID: next, Index: next, SQL: d.Count, Alias: d.Statistic, Type: 1})
	}
	return out
}

func optionSource(field string) int {
	switch field {
	case "src_connector_type", "target_connector_type":
		return optionsTypes
	case "src_datasource_id", "target_datasource_id":
		return optionsSources
	case "comparison_type":
		return optionsComparison
	}
	return optionsListed
}

func purpose(field string) int {
	switch field {
	case "statistics_name", "statistics_execute_sql":
		return forStatistics
	case "comparison_type", "comparison_name", "comparison_execute_sql":
		return forComparison
	case "check_type", "operator", "threshold", "failure_strategy":
		return forCheck
	}
	return forAll
}
