package task

import (
	"path"
	"strings"

	"dorado/plugins/form"
)

// file is the type of parameters that hand files on, in the words of DolphinScheduler.
const file = "FILE"

// CarriesFiles reports whether tasks of the type have a working directory that files can come from and go to.
func (p Plugin) CarriesFiles() bool { return p.Process != nil || p.Handover }

// checkFiles looks at the parameters of the type FILE. OUT: the value is a path in the working directory. IN: the name is, and
// the value says which file of which task.
func (p Plugin) checkFiles(values form.Values) []form.Problem {
	if p.Foreign {
		return nil
	}
	var problems []form.Problem
	for _, param := range values.Params(LocalParams) {
		if param.Type != file {
			continue
		}
		key := ""
		switch {
		case !p.CarriesFiles():
			key = "task.file.impossible"
		case param.Direct == "OUT" && !inside(param.Value):
			key = "task.file.bad_path"
		case param.Direct != "OUT" && !inside(param.Prop):
			key = "task.file.bad_target"
		case param.Direct != "OUT" && !namesFile(param.Value):
			key = "task.file.bad_source"
		default:
			continue
		}
		problems = append(problems, form.Problem{Field: LocalParams, Key: key, Args: []any{"name", param.Prop}})
	}
	return problems
}

// inside reports whether a text is a path below a directory, or may become one when its parameters are put in.
func inside(text string) bool {
	if text = strings.TrimSpace(text); strings.Contains(text, "${") || strings.Contains(text, "$[") {
		return true
	}
	if text == "" || path.Clean(text) == "." || strings.HasPrefix(text, "/") || strings.Contains(text, `\`) {
		return false
	}
	for part := range strings.SplitSeq(text, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}

// namesFile reports whether a text may be task.parameter.
func namesFile(text string) bool {
	text = strings.TrimSpace(text)
	dot := strings.IndexByte(text, '.')
	return strings.Contains(text, "${") || dot > 0 && dot < len(text)-1
}
