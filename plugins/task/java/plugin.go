package java

import (
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Members of the settings.
const (
	runType    = "runType"
	rawScript  = "rawScript"
	mainJar    = "mainJar"
	mainClass  = "mainClass"
	mainArgs   = "mainArgs"
	jvmArgs    = "jvmArgs"
	modulePath = "isModulePath"
)

// What is run.
const (
	fromSource = "JAVA"
	fromJar    = "JAR"
	fatJar     = "FAT_JAR" // what later versions of DolphinScheduler call JAR
	normalJar  = "NORMAL_JAR"
)

// Plugin returns the JAVA task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "JAVA", Category: "universal", Icon: "braces", Retryable: true,
		Label: "task.java", Help: "task.java.help",
		Aliases: []string{"jar", "jvm", "jdk", "class"},
		Schema: form.Schema{
			{
				Name: runType, Type: form.Select, Required: true, Default: fromSource, Label: "task.java.run_type",
				Options: []form.Option{
					{Value: fromSource, Label: "task.java.run_type.java"},
					{Value: fromJar, Label: "task.java.run_type.jar"},
					{Value: normalJar, Label: "task.java.run_type.normal_jar"},
					{Value: fatJar, Label: "task.java.run_type.fat_jar"},
				},
			},
			{
				Name: rawScript, Type: form.Code, Language: "java", Required: true,
				Label: "task.java.source", Help: "task.java.source.help", Placeholder: "task.java.source.placeholder",
				VisibleWhen: &form.Condition{Field: runType, In: []string{fromSource}},
			},
			{
				Name: mainJar, Type: form.Resource, Required: true, Label: "task.java.main_jar", Help: "task.java.main_jar.help",
				VisibleWhen: &form.Condition{Field: runType, In: []string{fromJar, fatJar, normalJar}},
			},
			{
				Name: mainClass, Type: form.Text, Required: true, Label: "task.java.main_class", Help: "task.java.main_class.help",
				VisibleWhen: &form.Condition{Field: runType, In: []string{normalJar}},
			},
			{Name: mainArgs, Type: form.Text, Label: "task.java.main_args", Help: "task.java.main_args.help"},
			{Name: jvmArgs, Type: form.Text, Label: "task.java.jvm_args", Help: "task.java.jvm_args.help"},
			{Name: modulePath, Type: form.Switch, Default: false, Label: "task.java.module_path", Help: "task.java.module_path.help"},
			task.Resources(),
			task.Parameters(),
		},
		Check:   problems,
		Process: process,
	}
}

// problems returns what one field alone does not show. Where a placeholder may become a name, nobody knows yet.
func problems(v form.Values) []form.Problem {
	switch v.Text(runType) {
	case fromSource:
		if text := v.Text(rawScript); !strings.Contains(text, "${") {
			if _, ok := findClass(text); !ok {
				return []form.Problem{{Field: rawScript, Key: "task.java.problem.no_class"}}
			}
		}
	case normalJar:
		if name := strings.TrimSpace(v.Text(mainClass)); !strings.Contains(name, "${") && !validName(name) {
			return []form.Problem{{Field: mainClass, Key: "task.java.problem.class_name", Args: []any{"name", name}}}
		}
	}
	return nil
}
