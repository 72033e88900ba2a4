package dsapi

import (
	"bytes"
	"context"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
)

// Clients of DolphinScheduler 3.2 and older say "process" where today's say "workflow". Both families of addresses lead to
// one handler, which knows today's words only: addresses and parameters are translated on the way in, answers on the way
// out (rest-api.md 8).

// legacySegments are the parts of addresses that were renamed.
var legacySegments = map[string]string{
	"process-definition":            "workflow-definition",
	"query-process-definition-list": "query-workflow-definition-list",
	"process-instances":             "workflow-instances",
	"process-task-relation":         "workflow-task-relation",
	"start-process-instance":        "start-workflow-instance",
	"batch-start-process-instance":  "batch-start-workflow-instance",
	"process-state-count":           "workflow-state-count",
}

// legacyParams are the parameters that were renamed. Every call may use either name.
var legacyParams = map[string]string{
	"processDefinitionCode":   "workflowDefinitionCode",
	"processDefinitionCodes":  "workflowDefinitionCodes",
	"processDefineCode":       "workflowDefinitionCode",
	"processDefinitionName":   "workflowDefinitionName",
	"workFlowName":            "workflowDefinitionName",
	"processInstanceId":       "workflowInstanceId",
	"processInstanceIds":      "workflowInstanceIds",
	"processInstanceName":     "workflowInstanceName",
	"processInstancePriority": "workflowInstancePriority",
}

// legacyFields are the keys of answers that were renamed, by today's name.
var legacyFields = map[string]string{
	"workflowDefinition":        "processDefinition",
	"workflowDefinitionCode":    "processDefinitionCode",
	"workflowDefinitionName":    "processDefinitionName",
	"workflowDefinitionVersion": "processDefinitionVersion",
	"workflowDefinitions":       "processDefinitions",
	"workflowTaskRelationList":  "processTaskRelationList",
	"workflowInstance":          "processInstance",
	"workflowInstanceId":        "processInstanceId",
	"workflowInstanceName":      "processInstanceName",
	"workflowInstancePriority":  "processInstancePriority",
	"workflowInstanceState":     "processInstanceState",
	"nextWorkflowInstanceId":    "nextProcessInstanceId",
	"subWorkflowInstanceId":     "subProcessInstanceId",
	"isSubWorkflow":             "isSubProcess",
}

// words says which names an answer uses.
type words int

const (
	today  words = iota
	legacy       // the old names only: the address was an old one
	both         // the address tells nothing, since it was never renamed
)

// sharedSegments begin, below a project or the root, the addresses that both families share.
var sharedSegments = map[string]bool{
	"schedules": true, "task-instances": true, "task-group": true, "lineages": true, "analysis": true, "task-definition": true, "executors": true,
	"data-quality": true,
}

// wording is how an answer is written.
type wording struct {
	words
	// exact leaves out what 3.2.0 did not know and its strictest clients stumble over: the schedule of a definition, and the
	// name pageNo of a page's offset, which was called start.
	exact bool
}

type wordsKey struct{}

// Legacy reports whether the caller used an address of DolphinScheduler 3.2 or older.
func Legacy(ctx context.Context) bool { return wordingOf(ctx).words == legacy }

// Exact reports whether answers are made for strict clients of DolphinScheduler 3.2.0.
func Exact(ctx context.Context) bool { return wordingOf(ctx).exact }

func wordingOf(ctx context.Context) wording {
	w, _ := ctx.Value(wordsKey{}).(wording)
	return w
}

// Today is the address that an address of 3.2 leads to: itself when it was never renamed.
func Today(path string) string {
	now, _ := modernPath(path)
	return now
}

// Older is the address that DolphinScheduler 3.2 had for an address of today: itself when it was never renamed.
func Older(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		for old, now := range legacySegments {
			if now == segment {
				segments[i] = old
			}
		}
	}
	return strings.Join(segments, "/")
}

// OlderParam is the name that a parameter had in 3.2: itself when it was never renamed.
func OlderParam(now string) string {
	old := now
	for was, is := range legacyParams {
		if is == now && was != "processDefineCode" && was != "workFlowName" {
			old = was
		}
	}
	return old
}

// OlderField is the key that a member of an answer had in 3.2: itself when it was never renamed. task tells that it is the
// member of a task instance.
func OlderField(now string, task bool) string {
	if now == "workflowDefinition" && task {
		return "processDefine"
	}
	if old, renamed := legacyFields[now]; renamed {
		return old
	}
	return now
}

// modernPath is Today, and which words whoever comes that way knows.
func modernPath(path string) (string, words) {
	said := today
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if now, renamed := legacySegments[segment]; renamed {
			segments[i], said = now, legacy
		} else if said == today && sharedSegments[segment] && segments[min(1, len(segments)-1)] != "v2" {
			said = both
		}
	}
	return strings.Join(segments, "/"), said
}

// translate leads old addresses to today's, and remembers which words the caller knows.
func (a *API) translate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route := chi.RouteContext(r.Context())
		if route == nil {
			next.ServeHTTP(w, r)
			return
		}
		path := route.RoutePath
		if path == "" {
			path = r.URL.Path
		}
		now, said := modernPath(path)
		if said != today {
			route.RoutePath = now
		}
		if said != today || a.exact {
			r = r.WithContext(context.WithValue(r.Context(), wordsKey{}, wording{said, a.exact}))
		}
		next.ServeHTTP(w, r)
	})
}

// modern gives parameters today's names. What was sent under today's name stays.
func (p *Params) modern() {
	for old, now := range legacyParams {
		if sent, ok := p.values[old]; ok && !p.values.Has(now) {
			p.values[now] = sent
		}
	}
}

// worded writes a JSON text with the names that the caller knows. The text must be sound, as json.Marshal makes it.
func (w wording) worded(body []byte) []byte {
	if w.words == today && !w.exact {
		return body
	}
	out := bytes.NewBuffer(make([]byte, 0, len(body)+len(body)/4))
	w.value(out, body, 0)
	return out.Bytes()
}

// member is one name and value of an object, as they stand in the text.
type member struct{ key, value []byte }

// value copies the value that begins at, and returns where it ends.
func (w wording) value(out *bytes.Buffer, in []byte, at int) int {
	switch in[at] {
	case '{':
		return w.object(out, in, at)
	case '[':
		out.WriteByte('[')
		for at++; in[at] != ']'; {
			if in[at] == ',' {
				out.WriteByte(',')
				at++
			}
			at = w.value(out, in, at)
		}
		out.WriteByte(']')
		return at + 1
	default:
		end := scalar(in, at)
		out.Write(in[at:end])
		return end
	}
}

func (w wording) object(out *bytes.Buffer, in []byte, at int) int {
	var members []member
	known := map[string]bool{}
	for at++; in[at] != '}'; {
		if in[at] == ',' {
			at++
		}
		end := scalar(in, at)
		key := in[at:end]
		var value bytes.Buffer
		at = w.value(&value, in, end+1) // behind the colon
		members = append(members, member{key, value.Bytes()})
		known[string(key[1:len(key)-1])] = true
	}
	first := true
	write := func(key string, value []byte) {
		if !first {
			out.WriteByte(',')
		}
		first = false
		out.WriteString(`"` + key + `":`)
		out.Write(value)
	}
	out.WriteByte('{')
	for _, m := range members {
		now := string(m.key[1 : len(m.key)-1])
		old, renamed := legacyFields[now]
		renamed = renamed && w.words != today
		switch {
		case w.exact && now == "pageNo" && known["totalList"]:
			write("start", m.value)
			continue
		case w.exact && now == "schedule" && w.words == legacy && known["executionType"]:
			continue
		case now == "workflowDefinition" && known["taskCode"]: // of a task instance
			old = "processDefine"
		case now == "workflowInstanceId" && known["inQueue"]: // of who waits for a task group
			old = "processId"
		}
		if !renamed || w.words == both {
			write(now, m.value)
		}
		if renamed && !known[old] {
			write(old, m.value)
		}
	}
	out.WriteByte('}')
	return at + 1
}

// scalar returns where the text, number, true, false or null that begins at ends.
func scalar(in []byte, at int) int {
	if in[at] != '"' {
		for at < len(in) && in[at] != ',' && in[at] != ']' && in[at] != '}' {
			at++
		}
		return at
	}
	for at++; in[at] != '"'; at++ {
		if in[at] == '\\' {
			at++
		}
	}
	return at + 1
}
