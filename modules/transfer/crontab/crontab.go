package crontab

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"dorado/modules/flow"
	"dorado/modules/transfer/neutral"
)

// Looks reports whether a text seems to be a crontab: some line has a time and a command, and no line is anything else.
func Looks(data []byte) bool {
	found := false
	for line := range strings.SplitSeq(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if _, _, ok := assignment(line); ok {
			continue
		}
		if strings.HasPrefix(line, "@") && len(strings.Fields(line)) > 1 {
			found = true
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 6 {
			return false
		}
		for i, f := range fields[:5] {
			if _, err := parseField(f, i); err != nil {
				return false
			}
		}
		found = true
	}
	return found
}

// Read adds a workflow for each line of a crontab. system says that lines name a user before the command, as those of
// /etc/crontab do.
func Read(b *neutral.Bundle, file string, data []byte, system bool) error {
	if len(data) > neutral.MaxFile {
		return neutral.ErrTooLarge.With("limit", neutral.MaxFile>>20)
	}
	r := reader{bundle: b, file: file, system: system}
	before := len(b.Workflows)
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	for line := range strings.SplitSeq(text, "\n") {
		r.line++
		if len(b.Workflows) >= neutral.MaxWorkflows {
			return neutral.ErrTooMany.With("limit", neutral.MaxWorkflows)
		}
		r.read(strings.TrimSpace(line))
	}
	if len(b.Workflows) == before {
		return neutral.Refuse(file, 0, "no line with a time and a command")
	}
	b.Is(neutral.Crontab)
	return nil
}

type reader struct {
	bundle  *neutral.Bundle
	file    string
	system  bool
	line    int
	comment string   // above the line
	env     []string // assignments so far, as export lines
	zone    string
	shell   string
}

func (r *reader) note(level neutral.Level, workflow, key string, args ...any) {
	r.bundle.Note(neutral.Note{Level: level, File: r.file, Line: r.line, Workflow: workflow, Key: key, Args: args})
}

func (r *reader) read(line string) {
	switch {
	case line == "":
		r.comment = ""
		return
	case line[0] == '#':
		r.comment = strings.TrimSpace(strings.TrimLeft(line, "#"))
		return
	}
	if name, value, ok := assignment(line); ok {
		r.set(name, value)
		return
	}
	var when, rest string
	if line[0] == '@' {
		when, rest, _ = strings.Cut(line, " ")
	} else {
		fields := cutFields(line, 5)
		if fields == nil {
			r.note(neutral.Impossible, "", "transfer.note.cron_line", "text", clip(line))
			return
		}
		when, rest = strings.Join(fields[:5], " "), fields[5]
	}
	rest = strings.TrimSpace(rest)
	user := ""
	if r.system {
		user, rest, _ = strings.Cut(rest, " ")
		rest = strings.TrimSpace(rest)
	}
	if rest == "" {
		r.note(neutral.Impossible, "", "transfer.note.cron_line", "text", clip(line))
		return
	}
	r.job(when, rest, user)
	r.comment = ""
}

func (r *reader) set(name, value string) {
	switch name {
	case "MAILTO", "MAILFROM":
		if value != "" {
			r.note(neutral.Impossible, "", "transfer.note.cron_mail", "name", value)
		}
	case "CRON_TZ", "TZ":
		r.zone = value
	case "SHELL":
		r.shell = value
		if base := path.Base(value); base != "sh" && base != "bash" && base != "dash" {
			r.note(neutral.Changed, "", "transfer.note.cron_shell", "name", value)
		}
	case "RANDOM_DELAY":
		r.note(neutral.Impossible, "", "transfer.note.cron_variable", "name", name)
	default:
		r.env = append(r.env, "export "+name+"="+quote(value))
	}
}

// assignment reads NAME=value.
func assignment(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" || strings.ContainsFunc(name, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) || name[0] >= '0' && name[0] <= '9' {
		return "", "", false
	}
	value = strings.TrimSpace(value)
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	return name, value, true
}

// cutFields splits off n words and returns them with the rest behind; nil when there are fewer.
func cutFields(line string, n int) []string {
	var out []string
	for range n {
		line = strings.TrimLeft(line, " \t")
		at := strings.IndexAny(line, " \t")
		if at < 0 {
			return nil
		}
		out = append(out, line[:at])
		line = line[at:]
	}
	return append(out, strings.TrimSpace(line))
}

func (r *reader) job(when, command, user string) {
	name := r.comment
	if name == "" {
		name = nameOf(command)
	}
	name = neutral.CleanName(name, flow.MaxTaskName)
	if name == "" {
		name = "line_" + strconv.Itoa(r.line)
	}
	times, err := Quartz(when)
	w := neutral.Workflow{File: r.file, Definition: &flow.Definition{
		Name: name, ExecutionType: flow.Parallel, Description: clip("crontab: " + when + " " + command),
	}}
	if err != nil {
		r.note(neutral.Impossible, name, "transfer.note.cron_time", "text", when, "reason", err.Error())
	}
	for i, t := range times {
		s := neutral.Schedule{Crontab: t, Zone: r.zone}
		if len(times) > 1 {
			s.Name = []string{"day of month", "day of week"}[i]
		}
		if user != "" && user != "root" {
			s.Tenant = user
		}
		w.Schedules = append(w.Schedules, s)
	}
	if len(times) > 1 {
		r.note(neutral.Changed, name, "transfer.note.cron_either", "text", when)
	}
	if user != "" {
		r.note(neutral.Changed, name, "transfer.note.cron_user", "name", user)
	}
	t := neutral.DefaultTask()
	t.Name, t.Type, t.Code = name, "SHELL", r.bundle.NewCode()
	script := strings.Join(r.env, "\n")
	if script != "" {
		script += "\n"
	}
	body, changed := commandOf(command)
	if changed {
		r.note(neutral.Translated, name, "transfer.note.cron_percent")
	}
	t.Params = Shell(script + body + "\n")
	w.Definition.Code = r.bundle.NewCode()
	w.Definition.Tasks = []flow.Task{t}
	r.bundle.Workflows = append(r.bundle.Workflows, w)
}

// Shell is the settings of a SHELL task.
func Shell(script string) []byte {
	return []byte(`{"localParams":[],"resourceList":[],"rawScript":` + string(neutral.Quote(script)) + `}`)
}

// nameOf calls a job after the program it runs.
func nameOf(command string) string {
	for word := range strings.FieldsSeq(command) {
		if strings.Contains(word, "=") && !strings.ContainsAny(word, "/;|&") {
			continue // an assignment before the program
		}
		word = strings.Trim(word, `"'();&|`)
		switch base := path.Base(word); base {
		case "", ".", "/", "cd", "sudo", "nice", "nohup", "env", "bash", "sh", "test", "[", "time", "flock":
		default:
			return strings.TrimSuffix(base, path.Ext(base))
		}
	}
	return ""
}

// commandOf undoes what crontab makes of percent signs: an escaped one is itself, the first other ends the command, what
// follows is its input, in which further ones end lines.
func commandOf(command string) (script string, changed bool) {
	var parts []string
	var part strings.Builder
	for i := 0; i < len(command); i++ {
		switch {
		case command[i] == '\\' && i+1 < len(command) && command[i+1] == '%':
			part.WriteByte('%')
			i++
			changed = true
		case command[i] == '%':
			parts = append(parts, part.String())
			part.Reset()
			changed = true
		default:
			part.WriteByte(command[i])
		}
	}
	parts = append(parts, part.String())
	if len(parts) == 1 {
		return parts[0], changed
	}
	end := "END_OF_INPUT"
	for strings.Contains(command, end) {
		end += "_"
	}
	return fmt.Sprintf("%s <<'%s'\n%s\n%s", strings.TrimSpace(parts[0]), end, strings.Join(parts[1:], "\n"), end), true
}

// quote makes a word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func clip(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
