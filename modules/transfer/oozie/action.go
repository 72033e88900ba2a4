package oozie

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dorado/modules/flow"
	"dorado/modules/transfer/crontab"
	"dorado/modules/transfer/neutral"
)

// action fills the task of an action.
func (g *graph) action(at int, n *element) {
	t := &g.def.Tasks[at]
	if v, err := strconv.Atoi(n.attrs["retry-max"]); err == nil {
		t.RetryTimes = max(0, min(v, flow.MaxRetryTimes))
	}
	if v, err := strconv.Atoi(n.attrs["retry-interval"]); err == nil {
		t.RetryInterval = max(0, min(v, flow.MaxMinutes))
	}
	var body *element
	for _, c := range n.children {
		if c.name != "ok" && c.name != "error" {
			body = c
			break
		}
	}
	if body == nil {
		body = &element{}
	}
	t.Type = "SHELL"
	for _, kind := range []string{"file", "archive"} {
		for _, f := range body.all(kind) {
			g.say(neutral.Changed, n, "transfer.note.oozie_resource", "name", f.text)
		}
	}
	if body.child("prepare").name != "" {
		g.say(neutral.Impossible, n, "transfer.note.oozie_prepare")
	}
	switch body.name {
	case "sub-workflow":
		g.starts = append(g.starts, start{task: at, path: body.value("app-path")})
		t.Params = []byte("{}")
		g.say(neutral.Translated, n, "transfer.note.sub_workflow", "name", body.value("app-path"))
	case "hive", "hive2", "spark", "sqoop":
		g.foreign(t, n, body)
	default:
		script, ok := g.script(n, body)
		t.Params = crontab.Shell(script)
		if !ok {
			g.say(neutral.Impossible, n, "transfer.note.oozie_action", "type", body.name)
		}
	}
}

// script is what an action does as lines of a shell; ok is false when it has no counterpart.
func (g *graph) script(n, body *element) (script string, ok bool) {
	switch body.name {
	case "shell":
		var out strings.Builder
		for _, v := range body.all("env-var") {
			if name, value, ok := strings.Cut(v.text, "="); ok && identifier(name) && !strings.ContainsAny(name, ".-") {
				out.WriteString("export " + name + "=" + word(value) + "\n")
			}
		}
		out.WriteString(line(append([]string{body.value("exec")}, args(body)...)...))
		if body.child("capture-output").name != "" {
			g.say(neutral.Impossible, n, "transfer.note.oozie_capture")
		}
		return out.String(), body.value("exec") != ""
	case "ssh":
		g.say(neutral.Changed, n, "transfer.note.oozie_ssh")
		all := args(body)
		for _, a := range body.all("args") {
			all = append(all, a.text)
		}
		return line(append([]string{"ssh", body.value("host"), body.value("command")}, all...)...), true
	case "java":
		g.say(neutral.Changed, n, "transfer.note.oozie_java")
		words := []string{"java"}
		if o := body.value("java-opts"); o != "" {
			words = append(words, o)
		}
		head := strings.Join(words, " ") + ` -cp "$(hadoop classpath):./*" `
		return head + line(append([]string{body.value("main-class")}, args(body)...)...), body.value("main-class") != ""
	case "pig":
		words := []string{"pig", "-f", body.value("script")}
		for _, p := range body.all("param") {
			words = append(words, "-param", p.text)
		}
		return line(append(words, args(body)...)...), true
	case "distcp":
		return line(append([]string{"hadoop", "distcp"}, args(body)...)...), true
	case "fs":
		return fs(body)
	case "email":
		g.say(neutral.Impossible, n, "transfer.note.mail", "name", body.value("to"))
		return "echo " + quote("mail to "+body.value("to")+": "+body.value("subject")) + "\n", true
	}
	return "echo " + quote("Oozie actions of type "+body.name+" have no counterpart here: replace this task") + " >&2\nexit 1\n", false
}

// fs turns operations on files into those of the command line.
func fs(body *element) (string, bool) {
	var out strings.Builder
	out.WriteString("set -e\n")
	ok := true
	for _, c := range body.children {
		at := c.attrs["path"]
		switch c.name {
		case "mkdir":
			out.WriteString(line("hdfs", "dfs", "-mkdir", "-p", at))
		case "delete":
			out.WriteString(line("hdfs", "dfs", "-rm", "-r", "-f", at))
		case "move":
			out.WriteString(line("hdfs", "dfs", "-mv", c.attrs["source"], c.attrs["target"]))
		case "touchz":
			out.WriteString(line("hdfs", "dfs", "-touchz", at))
		case "chmod":
			out.WriteString(line("hdfs", "dfs", "-chmod", c.attrs["permissions"], at))
		case "chgrp":
			out.WriteString(line("hdfs", "dfs", "-chgrp", c.attrs["group"], at))
		case "setrep":
			out.WriteString(line("hdfs", "dfs", "-setrep", c.attrs["replication-factor"], at))
		case "name-node", "job-xml", "configuration":
		default:
			ok = false
		}
	}
	return out.String(), ok
}

// foreign fills the settings of types that drive a cluster, as DolphinScheduler's forms would.
func (g *graph) foreign(t *flow.Task, n, body *element) {
	quoted := func(s string) string { return string(neutral.Quote(s)) }
	options := g.options(body)
	switch body.name {
	case "hive", "hive2":
		t.Type = "HIVECLI"
		script := body.value("script")
		if q := body.value("query"); q != "" {
			t.Params = fmt.Appendf(nil, `{"localParams":[],"resourceList":[],"hiveCliTaskExecutionType":"SCRIPT","hiveSqlScript":%s,"hiveCliOptions":%s}`, quoted(q), quoted(options))
			break
		}
		t.Params = fmt.Appendf(nil, `{"localParams":[],"resourceList":[{"resourceName":%s}],"hiveCliTaskExecutionType":"FILE","hiveSqlScript":"","hiveCliOptions":%s}`, quoted(script), quoted(options))
		if url := body.value("jdbc-url"); url != "" {
			g.say(neutral.Changed, n, "transfer.note.oozie_hive2", "name", url)
		}
	case "spark":
		t.Type = "SPARK"
		master, mode := body.value("master"), body.value("mode")
		if mode == "" {
			mode = "cluster"
		}
		kind := "SCALA"
		if strings.HasSuffix(body.value("jar"), ".py") {
			kind = "PYTHON"
		}
		t.Params = fmt.Appendf(nil, `{"localParams":[],"resourceList":[],"programType":%q,"mainClass":%s,"mainJar":{"resourceName":%s},"deployMode":%s,"master":%s,"appName":%s,"mainArgs":%s,"others":%s}`,
			kind, quoted(body.value("class")), quoted(body.value("jar")), quoted(mode), quoted(master), quoted(body.value("name")),
			quoted(strings.Join(args(body), " ")), quoted(strings.TrimSpace(body.value("spark-opts")+" "+options)))
	case "sqoop":
		t.Type = "SQOOP"
		command := "sqoop " + body.value("command")
		if body.value("command") == "" {
			command = strings.TrimSuffix(line(append([]string{"sqoop"}, args(body)...)...), "\n")
		}
		t.Params = fmt.Appendf(nil, `{"localParams":[],"resourceList":[],"jobType":"CUSTOM","customShell":%s}`, quoted(command))
	}
	g.say(neutral.Translated, n, "transfer.note.oozie_foreign", "type", t.Type)
}

// options are settings of an action and parameters of a script as words of a command line.
func (g *graph) options(body *element) string {
	var out []string
	for _, from := range []*element{g.global, body} {
		if from == nil {
			continue
		}
		names, values := from.settings()
		for _, name := range names {
			if body.name == "spark" {
				out = append(out, "--conf", word(name+"="+values[name]))
			} else {
				out = append(out, "--hiveconf", word(name+"="+values[name]))
			}
		}
	}
	for _, p := range body.all("param") {
		out = append(out, "--hivevar", word(p.text))
	}
	return strings.Join(out, " ")
}

// args are the arguments of an action, in either spelling.
func args(body *element) []string {
	var out []string
	for _, c := range body.children {
		if c.name == "argument" || c.name == "arg" {
			out = append(out, c.text)
		}
	}
	return out
}

// line is a command with its words, each one word also where it has blanks.
func line(words ...string) string {
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	for i, w := range words {
		words[i] = word(w)
	}
	return strings.Join(words, " ") + "\n"
}

// word makes one word of a shell in which ${parameters} still stand.
func word(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return !strings.ContainsRune("_-./=:,@%+{}$", c) && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) && !strings.Contains(s, "$(") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`").Replace(s) + `"`
}

// quote makes one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// params makes parameters of what the application declares, and of properties that its tasks mention.
func (g *graph) params(root *element) {
	values := map[string]string{}
	var order []string
	add := func(name, value string) {
		if _, known := values[name]; !known {
			order = append(order, name)
		}
		if v, known := g.known[name]; known {
			value = v
		}
		values[name] = value
	}
	for _, p := range root.child("parameters").all("property") {
		if name := p.value("name"); identifier(name) {
			add(name, p.value("value"))
		}
	}
	var told []string
	for i := range g.def.Tasks {
		text := string(g.def.Tasks[i].Params)
		for _, name := range names(text) {
			if _, known := g.known[name]; known && identifier(name) {
				add(name, "")
			}
		}
		for _, f := range calls(text) {
			if !slices.Contains(told, f) {
				told = append(told, f)
				g.note(neutral.Impossible, g.file, 0, g.def.Name, g.def.Tasks[i].Name, "transfer.note.oozie_el", "text", f)
			}
		}
	}
	for _, name := range order {
		value := values[name]
		if value == "" {
			g.note(neutral.Changed, g.file, 0, g.def.Name, "", "transfer.note.oozie_parameter", "name", name)
		}
		g.def.GlobalParams = append(g.def.GlobalParams, flow.Property{Prop: name, Direct: flow.In, Type: flow.Varchar, Value: value})
	}
}

// calls lists EL functions between ${ and }.
func calls(text string) []string {
	var out []string
	for rest := text; ; {
		at := strings.Index(rest, "${")
		if at < 0 {
			return out
		}
		rest = rest[at:]
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return out
		}
		if strings.Contains(rest[:end], "(") {
			out = append(out, rest[:end+1])
		}
		rest = rest[end:]
	}
}
