package flow

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxNames bounds how many doubtful names of one task are looked into; a script may hold millions.
const maxNames = 100

// references warns about ${names} that nothing defines. A name that may be a shell variable is not reported: one
// without lower-case letters, or one that the task also mentions outside ${…}, as an assignment does.
func (v *validator) references(known []string) {
	defined := make(map[string]bool, 64)
	for _, name := range known {
		defined[name] = true
	}
	for _, p := range Builtins(BuiltinInput{
		Base: time.Unix(0, 0).UTC(), ExecutePath: "-", TaskInstanceID: 1, TaskName: "-", TaskCode: 1, WorkflowID: 1,
		WorkflowName: "-", WorkflowCode: 1, ProjectName: "-", ProjectCode: 1,
	}) {
		defined[p.Prop] = true
	}
	for _, p := range v.def.GlobalParams {
		defined[p.Prop] = true
	}
	texts := make([][]string, len(v.def.Tasks))
	locals := make([][]Property, len(v.def.Tasks))
	for i := range v.def.Tasks {
		raw := v.def.Tasks[i].Params
		if bytes.Contains(raw, []byte("${")) {
			texts[i] = strs(raw)
		}
		if !bytes.Contains(raw, []byte(`"localParams"`)) {
			continue
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			continue // reported already
		}
		locals[i], _ = decodeProperties("localParams", string(members["localParams"]))
		for _, p := range locals[i] {
			if p.Direct == Out { // downstream of it; where else it is used shows only in the graph of each run
				defined[p.Prop] = true
			}
		}
	}
	var globals []string
	for _, p := range v.def.GlobalParams {
		globals = append(globals, p.Value)
	}
	v.undefined(nil, "globalParams", globals, defined, nil)
	for i := range v.def.Tasks {
		if len(v.problems) >= maxProblems {
			return
		}
		own := make(map[string]bool, len(locals[i]))
		for _, p := range locals[i] {
			own[p.Prop] = true
		}
		v.undefined(&v.def.Tasks[i], "taskParams", texts[i], defined, own)
	}
}

func (v *validator) undefined(t *Task, field string, texts []string, defined, own map[string]bool) {
	seen := map[string]bool{}
	for _, text := range texts {
		for rest := text; len(seen) < maxNames; {
			at := strings.Index(rest, "${")
			if at < 0 {
				break
			}
			rest = rest[at+2:]
			end := strings.IndexAny(rest, "}{$\n")
			if end <= 0 || rest[end] != '}' {
				continue
			}
			name := rest[:end]
			if !parameterName(name) || defined[name] || own[name] || seen[name] {
				continue
			}
			seen[name] = true
			if t == nil || !shellVariable(name, texts) {
				v.add(t, SeverityWarning, field, "flow.problem.undefined", "name", name)
			}
		}
	}
}

// parameterName tells names from the other things shells write between braces.
func parameterName(s string) bool {
	return len(s) <= MaxParamName && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '.' && r != '-'
	}) && !unicode.IsDigit(rune(s[0]))
}

// shellVariable guesses whether the texts set the variable themselves or mean one of the environment.
func shellVariable(name string, texts []string) bool {
	if strings.ContainsFunc(name, func(r rune) bool { return r == '.' || r == '-' || r > unicode.MaxASCII }) {
		return false
	}
	if strings.ToUpper(name) == name {
		return true
	}
	for _, text := range texts {
		for from := 0; ; {
			at := strings.Index(text[from:], name)
			if at < 0 {
				break
			}
			at += from
			from = at + len(name)
			before, _ := utf8.DecodeLastRuneInString(text[:at])
			after, _ := utf8.DecodeRuneInString(text[from:])
			if !word(before) && !word(after) && !(before == '{' && strings.HasSuffix(text[:at], "${") && after == '}') {
				return true
			}
		}
	}
	return false
}

func word(r rune) bool {
	return r == '_' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// strs lists the texts in a JSON value, without names of members.
func strs(raw json.RawMessage) []string {
	var out []string
	decoder := json.NewDecoder(bytes.NewReader(raw))
	var inObject []bool // of each open bracket
	name := false       // the next text is a member's name
	for {
		token, err := decoder.Token()
		if err != nil {
			return out
		}
		switch x := token.(type) {
		case json.Delim:
			switch x {
			case '{', '[':
				inObject = append(inObject, x == '{')
			default:
				inObject = inObject[:len(inObject)-1]
			}
			name = len(inObject) > 0 && inObject[len(inObject)-1]
			continue
		case string:
			if !name {
				out = append(out, x)
			}
		}
		if len(inObject) > 0 && inObject[len(inObject)-1] {
			name = !name
		}
	}
}
