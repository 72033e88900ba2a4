package instance

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"dorado/app/kit/web"
	"dorado/modules/flow"
)

// call is the same run as a call of the REST interface.
func call(r *http.Request, t runTarget, in runInput) string {
	scheme := "http"
	if web.Secure(r) {
		scheme = "https"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "curl -H \"token: $DORADO_TOKEN\" \\\n  %s://%s/dolphinscheduler/projects/%d/executors/start-workflow-instance", scheme, host(r), t.owner.Code)
	add := func(name, value string) {
		if wordlike(value) {
			fmt.Fprintf(&b, " \\\n  -d %s=%s", name, value)
		} else {
			fmt.Fprintf(&b, " \\\n  --data-urlencode %s", quote(name+"="+value))
		}
	}
	q := in.req
	add("workflowDefinitionCode", strconv.FormatInt(t.workflow.Code, 10))
	add("failureStrategy", string(q.FailureStrategy))
	add("warningType", string(q.WarningType))
	if q.WarningGroupID > 0 {
		add("warningGroupId", strconv.FormatInt(q.WarningGroupID, 10))
	}
	add("workflowInstancePriority", string(q.Priority))
	add("workerGroup", q.WorkerGroup)
	add("tenantCode", q.TenantCode)
	if q.EnvironmentCode > 0 {
		add("environmentCode", strconv.FormatInt(q.EnvironmentCode, 10))
	}
	if t.node != nil {
		add("startNodeList", strconv.FormatInt(t.node.Code, 10))
		add("taskDependType", string(q.Depend))
	}
	if list := typed(q.StartParams); len(list) > 0 {
		add("startParams", mustJSON(list))
	}
	if q.DryRun {
		add("dryRun", "1")
	}
	if !in.complement {
		add("scheduleTime", "")
		return b.String()
	}
	d := in.dates
	add("execType", string(flow.CommandBackfill))
	add("scheduleTime", mustJSON(d.scheduleTime()))
	add("runMode", d.Mode)
	if d.Mode == "RUN_MODE_PARALLEL" {
		add("expectedParallelismNumber", d.Width)
	}
	add("executionOrder", d.Order)
	add("complementDependentMode", d.Depend)
	if d.Depend == "ALL_DEPENDENT" && d.AllLevels {
		add("allLevelDependent", "true")
	}
	if d.ContinueChain {
		add("complementFailurePolicy", "CONTINUE_CHAIN")
	}
	if d.Skip != "" && d.Skip != string(SkipNone) {
		add("complementSkip", d.Skip)
	}
	return b.String()
}

// scheduleTime is the dates as the REST interface takes them.
func (d runDates) scheduleTime() map[string]string {
	if d.Kind == "list" {
		return map[string]string{"complementScheduleDateList": strings.Join(strings.Fields(strings.ReplaceAll(d.List, "\n", ",")), " ")}
	}
	full := func(s string) string {
		if s = strings.Replace(s, "T", " ", 1); strings.Count(s, ":") == 1 {
			s += ":00"
		}
		return s
	}
	return map[string]string{"complementStartDate": full(d.From), "complementEndDate": full(d.To)}
}

// typed leaves out the parameters whose value is a secret: they do not belong on a command line.
func typed(list []flow.Property) []flow.Property {
	out := make([]flow.Property, 0, len(list))
	for _, v := range list {
		if conceal(v) == v {
			out = append(out, v)
		}
	}
	return out
}

// commandLine is the same run as a call of the program's own client; empty where that cannot do it.
func commandLine(t runTarget, in runInput) string {
	var b strings.Builder
	if in.complement || t.node != nil {
		return "" // it starts whole workflows, now
	}
	fmt.Fprintf(&b, "dorado workflow run %s --project %s", quote(t.workflow.Name), quote(t.owner.Name))
	if in.req.DryRun {
		b.WriteString(" --dry-run")
	}
	for _, v := range typed(in.req.StartParams) {
		fmt.Fprintf(&b, " --param %s", quote(v.Prop+"="+v.Value))
	}
	return b.String()
}

// wordlike reports whether a shell, and a form, take text as it is.
func wordlike(text string) bool {
	return url.QueryEscape(text) == text
}

// quote makes text one word for a shell.
func quote(text string) string {
	if text != "" && wordlike(strings.ReplaceAll(text, "=", "")) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// host is the name this server was called by, without anything that a shell would take for more.
func host(r *http.Request) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(".-:[]", c) {
			return c
		}
		return -1
	}, r.Host)
}
