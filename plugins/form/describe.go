package form

// Description is a field as the browser reads it, with texts in the reader's language.
type Description struct {
	Name        string              `json:"name"`
	Alias       string              `json:"alias,omitempty"`
	Type        Type                `json:"type"`
	Label       string              `json:"label"`
	Help        string              `json:"help,omitempty"`
	Placeholder string              `json:"placeholder,omitempty"`
	Required    bool                `json:"required"`
	Default     any                 `json:"default"`
	Language    string              `json:"language,omitempty"`
	Options     []OptionDescription `json:"options,omitempty"`
	VisibleWhen *VisibleWhen        `json:"visibleWhen,omitempty"`
	Min         *float64            `json:"min,omitempty"`
	Max         *float64            `json:"max,omitempty"`
	Advanced    bool                `json:"advanced"`
	Columns     []ColumnDescription `json:"columns,omitempty"`
	Of          string              `json:"of,omitempty"`
	SourceTypes []string            `json:"sourceTypes,omitempty"`
	Packed      bool                `json:"packed,omitempty"`
	SameAs      string              `json:"sameAs,omitempty"`
}

// ColumnDescription is one column of a table as the browser reads it.
type ColumnDescription struct {
	Name    string              `json:"name"`
	Label   string              `json:"label"`
	Options []OptionDescription `json:"options,omitempty"`
}

// OptionDescription is one choice of a field as the browser reads it.
type OptionDescription struct {
	Value string       `json:"value"`
	Label string       `json:"label"`
	When  *VisibleWhen `json:"when,omitempty"`
}

// VisibleWhen is the JSON form of Condition. Otherwise is what the field has where settings do not name it.
type VisibleWhen struct {
	Field     string       `json:"field"`
	In        []string     `json:"in"`
	Otherwise any          `json:"otherwise,omitempty"`
	And       *VisibleWhen `json:"and,omitempty"`
}

// Describe returns the fields for the browser; translate turns a message key into text.
func (s Schema) Describe(translate func(key string) string) []Description {
	text := func(key string) string {
		if key == "" {
			return ""
		}
		return translate(key)
	}
	all := make([]Description, 0, len(s))
	for _, f := range s {
		d := Description{
			Name: f.Name, Alias: f.Alias, Type: f.Type, Label: text(f.Label), Help: text(f.Help), Placeholder: text(f.Placeholder),
			Required: f.Required, Default: f.Default, Language: f.Language, Min: f.Min, Max: f.Max, Advanced: f.Advanced,
		}
		d.Options, d.Of, d.SourceTypes = s.describeOptions(f.Options, translate), f.Of, f.SourceTypes
		for _, c := range f.Columns {
			d.Columns = append(d.Columns, ColumnDescription{Name: c.Name, Label: text(c.Label), Options: s.describeOptions(c.Options, translate)})
		}
		d.VisibleWhen, d.Packed, d.SameAs = s.describeCondition(f.VisibleWhen), f.Packed, f.SameAs
		all = append(all, d)
	}
	return all
}

func (s Schema) describeCondition(c *Condition) *VisibleWhen {
	if c == nil {
		return nil
	}
	of, _ := s.Field(c.Field)
	return &VisibleWhen{Field: c.Field, In: c.In, Otherwise: of.Default, And: s.describeCondition(c.And)}
}

func (s Schema) describeOptions(options []Option, translate func(key string) string) []OptionDescription {
	var all []OptionDescription
	for _, o := range options {
		label := o.Value
		if o.Label != "" {
			label = translate(o.Label)
		}
		all = append(all, OptionDescription{Value: o.Value, Label: label, When: s.describeCondition(o.When)})
	}
	return all
}
