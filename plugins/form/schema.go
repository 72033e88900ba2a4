package form

// Type is the kind of a field.
type Type string

// The kinds of field, and the JSON that each reads.
const (
	Text        Type = "text"        // one line: string
	TextArea    Type = "textarea"    // several lines: string
	Code        Type = "code"        // source text in Field.Language: string
	Number      Type = "number"      // number, or a string that holds one
	Select      Type = "select"      // string, one of Field.Options
	MultiSelect Type = "multiselect" // list of strings, each one of Field.Options
	Switch      Type = "switch"      // boolean, or "true" and "false"
	Secret      Type = "secret"      // string that is never shown again
	KeyValues   Type = "keyvalues"   // list of {"key","value"}
	Params      Type = "params"      // list of {"prop","direct","type","value"}
	Resources   Type = "resources"   // list of {"resourceName"}
	Workflow    Type = "workflow"    // code of a workflow: number, or a string that holds one
	Outcomes    Type = "outcomes"    // {"successNode":[task],"failedNode":[task]}: who follows a good and a bad end
	Conditions  Type = "conditions"  // {"relation","dependTaskList":[{"relation","dependItemList":[{"depTaskCode","status"}]}]}
	Cases       Type = "cases"       // {"dependTaskList":[{"condition","nextNode"}],"nextNode":task}
	Dependence  Type = "dependence"  // as Conditions over other workflows, with dates, an interval and a policy
	Lists       Type = "lists"       // list of {"name","value","separator"}
	Resource    Type = "resource"    // one file: {"resourceName"}
	Source      Type = "source"      // id of a data source: number, or a string that holds one
	AlertGroup  Type = "alertgroup"  // id of an alert group: number, or a string that holds one
	Texts       Type = "texts"       // list of strings, each of several lines
	Table       Type = "table"       // list of objects with the members Field.Columns, all of them texts
)

// Types lists every kind of field.
func Types() []Type {
	return []Type{
		Text, TextArea, Code, Number, Select, MultiSelect, Switch, Secret, KeyValues, Params, Resources,
		Workflow, Outcomes, Conditions, Cases, Dependence, Lists, Resource, Source, AlertGroup, Texts, Table,
	}
}

// textual reports whether values of the type are one string in which placeholders make sense.
func (t Type) textual() bool {
	switch t {
	case Text, TextArea, Code, Secret:
		return true
	case Number, Select, MultiSelect, Switch, KeyValues, Params, Resources, Workflow, Outcomes, Conditions, Cases, Dependence, Lists,
		Resource, Source, AlertGroup, Texts, Table:
		return false
	}
	return false
}

// Schema is the ordered list of fields of one form.
type Schema []Field

// Field is one setting. Label, Help and Placeholder are message keys.
type Field struct {
	Name        string // member of the JSON object, or "a.b": the member b of its object a; never renamed once released
	Alias       string // another name of the member, read where Name is missing; "" for none
	Type        Type
	Label       string
	Help        string
	Placeholder string
	Language    string // of a Code field: shell, python, sql, json, …
	Required    bool
	Default     any // string, float64, bool or nil, as the type asks
	Options     []Option
	VisibleWhen *Condition // nil: always
	Min, Max    *float64   // inclusive, of a Number; nil: no bound
	Advanced    bool       // folded away until asked for
	Literal     bool       // ${…} and $[…] are left as they are
	Packed      bool       // of a field "a.b": a is not an object, but a text that holds one in JSON
	SameAs      string     // of a field that is not shown: the field whose value it always has; "" for none
	Columns     []Column   // of a Table
	// Of is, for a Source, the Select field that says of which type the data source has to be; SourceTypes are the types
	// where no field says so.
	Of          string
	SourceTypes []string
}

// Column is one member of the rows of a Table. Label is a message key.
type Column struct {
	Name    string
	Label   string
	Options []Option // the only values it may have; nil: any text
}

// Option is one choice of a Select or MultiSelect. Label is a message key; "" shows Value itself.
type Option struct {
	Value string
	Label string
	When  *Condition // in forms it is offered only then; nil: always
}

// Condition shows a field only while another one has one of the values In. A hidden field is neither required nor
// checked. Switches compare as "true" and "false".
type Condition struct {
	Field string
	In    []string
	And   *Condition // which has to hold, too; nil: none
}

// Field returns the field called name.
func (s Schema) Field(name string) (Field, bool) {
	for _, f := range s {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// Keys lists every message key that the schema mentions; a test compares them with the catalogues.
func (s Schema) Keys() []string {
	var keys []string
	add := func(key string) {
		if key != "" {
			keys = append(keys, key)
		}
	}
	for _, f := range s {
		add(f.Label)
		add(f.Help)
		add(f.Placeholder)
		for _, o := range f.Options {
			add(o.Label)
		}
		for _, c := range f.Columns {
			add(c.Label)
			for _, o := range c.Options {
				add(o.Label)
			}
		}
	}
	return keys
}
