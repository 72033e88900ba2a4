package launch

import (
	"encoding/json"
	"strings"

	"dorado/plugins/form"
)

// Names of settings that several of these tasks have.
const (
	ProgramType = "programType"
	MainJar     = "mainJar"
	MainClass   = "mainClass"
	DeployMode  = "deployMode"
	AppName     = "appName"
	YarnQueue   = "yarnQueue"
	MainArgs    = "mainArgs"
	Others      = "others"
	RawScript   = "rawScript"
	Namespace   = "namespace"
)

// When is the condition of a field that is shown only while another one has one of these values.
func When(field string, in ...string) *form.Condition { return &form.Condition{Field: field, In: in} }

// Choice is a field with these choices, of which the first is the default.
func Choice(name, label string, values ...string) form.Field {
	options := make([]form.Option, len(values))
	for i, v := range values {
		options[i] = form.Option{Value: v}
	}
	return form.Field{Name: name, Type: form.Select, Default: values[0], Options: options, Label: label}
}

// ProgramTypes is the field for the language of the program; SCALA is the default.
func ProgramTypes(more ...string) form.Field {
	f := Choice(ProgramType, "task.launch.program_type", append([]string{"SCALA", "JAVA", "PYTHON"}, more...)...)
	f.Required = true
	return f
}

// Program are the fields for a program: its file and its class.
func Program() []form.Field {
	return []form.Field{
		{
			Name: MainJar, Type: form.Resource, Required: true, VisibleWhen: When(ProgramType, "SCALA", "JAVA", "PYTHON"),
			Label: "task.launch.main_jar", Help: "task.launch.main_jar.help",
		},
		{
			Name: MainClass, Type: form.Text, VisibleWhen: When(ProgramType, "SCALA", "JAVA"),
			Label: "task.launch.main_class", Help: "task.launch.main_class.help",
		},
	}
}

// Submission are the fields that say under which name and to which queue a program is submitted.
func Submission() []form.Field {
	return []form.Field{
		{Name: AppName, Type: form.Text, Label: "task.launch.app_name", Help: "task.launch.app_name.help"},
		{Name: YarnQueue, Type: form.Text, Label: "task.launch.queue", Help: "task.launch.queue.help"},
	}
}

// Arguments are the fields for what the shell reads.
func Arguments() []form.Field {
	return []form.Field{
		{Name: MainArgs, Type: form.TextArea, Label: "task.launch.main_args", Help: "task.launch.main_args.help"},
		OtherOptions(),
	}
}

// OtherOptions is the field for further options.
func OtherOptions() form.Field {
	return form.Field{Name: Others, Type: form.TextArea, Label: "task.launch.others", Help: "task.launch.others.help"}
}

// Count is a field for a number that is not below zero.
func Count(name, label string, standard float64) form.Field {
	return form.Field{Name: name, Type: form.Number, Default: standard, Min: new(0.0), Label: label}
}

// Size is a field for an amount of memory.
func Size(name, label, standard string) form.Field {
	return form.Field{Name: name, Type: form.Text, Default: standard, Label: label, Help: "task.launch.size.help"}
}

// CheckSizes returns the problems of fields for memory. They begin with a digit, or with a parameter.
func CheckSizes(v form.Values, names ...string) []form.Problem {
	var problems []form.Problem
	for _, name := range names {
		text := strings.TrimSpace(v.Text(name))
		if text != "" && (text[0] < '0' || text[0] > '9') && text[0] != '$' {
			problems = append(problems, form.Problem{Field: name, Key: "task.launch.bad_size"})
		}
	}
	return problems
}

// NamespaceName reads a field for a namespace of Kubernetes: {"name","cluster"} as text, or the name itself.
func NamespaceName(text string) (string, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") {
		return text, nil
	}
	var n struct {
		Name string `json:"name"`
	}
	err := json.Unmarshal([]byte(text), &n)
	return n.Name, err
}
