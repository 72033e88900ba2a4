package form

import (
	"fmt"
	"strings"
)

// Markdown returns the parameters table of a plugin's README; translate turns message keys into text.
func (s Schema) Markdown(translate func(key string) string) string {
	var b strings.Builder
	b.WriteString("| name | kind | required | default | meaning |\n|---|---|---|---|---|\n")
	for _, f := range s {
		required, standard, meaning := "no", "", translate(f.Label)
		if f.Required {
			required = "yes"
		}
		if f.Default != nil {
			standard = fmt.Sprintf("`%v`", f.Default)
		}
		if f.Help != "" {
			meaning += ". " + translate(f.Help)
		}
		if c := f.VisibleWhen; c != nil {
			meaning += fmt.Sprintf(" Only when `%s` is %s.", c.Field, strings.Join(c.In, " or "))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Name, f.Type, required, standard, strings.ReplaceAll(meaning, "|", "\\|"))
	}
	return b.String()
}
