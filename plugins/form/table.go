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
		if f.SameAs != "" {
			meaning += fmt.Sprintf(". The same as `%s`.", f.SameAs)
		}
		for c, begin := f.VisibleWhen, " Only when"; c != nil; c, begin = c.And, " and" {
			meaning += fmt.Sprintf("%s `%s` is %s", begin, c.Field, strings.Join(c.In, " or "))
			if c.And == nil {
				meaning += "."
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Name, f.Type, required, standard, strings.ReplaceAll(meaning, "|", "\\|"))
	}
	return b.String()
}
