package dsapi

// FormField is a field of a form as form-create draws it, in the JSON that clients know.
type FormField struct {
	Field    string       `json:"field"`
	Name     string       `json:"name"`
	Props    FormProps    `json:"props"`
	Type     string       `json:"type"`
	Title    string       `json:"title"`
	Info     *string      `json:"info"`
	Value    any          `json:"value"`
	Validate []FormRule   `json:"validate"`
	Options  []FormOption `json:"options,omitempty"`
	Emit     []string     `json:"emit"`
	Hidden   *bool        `json:"hidden"`
	Display  *bool        `json:"display"`
}

// FormProps is how the control of a FormField looks.
type FormProps struct {
	Type        *string `json:"type"`
	Placeholder *string `json:"placeholder"`
	Rows        int     `json:"rows"`
	Disabled    *bool   `json:"disabled"`
	Size        string  `json:"size"`
}

// FormRule is what the value of a FormField has to meet.
type FormRule struct {
	Required bool     `json:"required"`
	Message  *string  `json:"message"`
	Type     string   `json:"type"`
	Trigger  string   `json:"trigger"`
	Min      *float64 `json:"min"`
	Max      *float64 `json:"max"`
}

// FormOption is a choice of a FormField.
type FormOption struct {
	Label    string `json:"label"`
	Value    any    `json:"value"`
	Disabled bool   `json:"disabled"`
}
