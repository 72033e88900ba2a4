package dsfile

import (
	"bytes"
	"strings"
)

// deepest is where indentation ends: settings may be nested thousands of levels deep.
const deepest = 40

// foreign are the members that hold names of others: settings of tasks, and parameters.
var foreign = map[string]bool{`"taskParams"`: true, `"globalParamMap"`: true, `"taskParamMap"`: true}

// oldWords are the members of a file that were renamed after 3.2.
var oldWords = map[string]string{
	`"workflowDefinition"`:        `"processDefinition"`,
	`"workflowTaskRelationList"`:  `"processTaskRelationList"`,
	`"workflowDefinitionVersion"`: `"processDefinitionVersion"`,
	`"workflowDefinitionCode"`:    `"processDefinitionCode"`,
	`"workflowDefinitionName"`:    `"processDefinitionName"`,
	`"workflowInstancePriority"`:  `"processInstancePriority"`,
}

// pretty lays compact JSON out as DolphinScheduler's writer does: members on lines of their own with " : " behind the name,
// elements of lists on one line, brackets that hold nothing with a blank between. old gives members the names of 3.2, but
// for those within the settings of a task.
func pretty(in []byte, old bool) []byte {
	out := bytes.NewBuffer(make([]byte, 0, len(in)*2))
	var open []byte
	depth := 0
	settings := 0 // how many brackets are open where others' names begin
	line := func() {
		out.WriteByte('\n')
		out.WriteString(strings.Repeat("  ", min(depth, deepest)))
	}
	for at := 0; at < len(in); at++ {
		switch c := in[at]; c {
		case '"':
			end := textEnd(in, at)
			word := in[at:end]
			if settings == 0 && in[end] == ':' {
				if foreign[string(word)] && in[end+1] == '{' && in[end+2] != '}' {
					settings = len(open) + 1
				}
				if now, renamed := oldWords[string(word)]; renamed && old {
					word = []byte(now)
				}
			}
			out.Write(word)
			at = end - 1
		case '{', '[':
			closing := byte('}')
			if c == '[' {
				closing = ']'
			}
			out.WriteByte(c)
			if in[at+1] == closing {
				out.WriteByte(' ')
				out.WriteByte(closing)
				at++
				continue
			}
			open = append(open, c)
			if c == '{' {
				depth++
				line()
			} else {
				out.WriteByte(' ')
			}
		case '}':
			if open = open[:len(open)-1]; len(open) < settings {
				settings = 0
			}
			depth--
			line()
			out.WriteByte(c)
		case ']':
			open = open[:len(open)-1]
			out.WriteByte(' ')
			out.WriteByte(c)
		case ',':
			out.WriteByte(c)
			if open[len(open)-1] == '{' {
				line()
			} else {
				out.WriteByte(' ')
			}
		case ':':
			out.WriteString(" : ")
		default:
			out.WriteByte(c)
		}
	}
	return out.Bytes()
}

// textEnd returns where the text that begins at ends.
func textEnd(in []byte, at int) int {
	for at++; in[at] != '"'; at++ {
		if in[at] == '\\' {
			at++
		}
	}
	return at + 1
}
