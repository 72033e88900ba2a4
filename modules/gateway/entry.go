package gateway

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dorado/modules/gateway/py4j"
)

// entry is the object that clients call methods of.
type entry struct {
	Deps
	methods   map[string][]method
	passwords passwords
	codes     taskCodes
	given     given
	calls     *prometheus.CounterVec
	took      prometheus.Observer
}

// method is one way to call a method by a name. takes has a letter for each argument:
//
//	s text or null   i int   I int or null   L long, int or null   b truth value
//
// read marks what changes nothing: it is logged for debugging only.
type method struct {
	takes string
	read  bool
	user  bool // the first argument names the user it acts for
	call  func(ctx context.Context, a args) (py4j.Value, error)
}

func newEntry(d Deps) *entry {
	e := &entry{
		Deps: d, calls: d.Metrics.Counter("dorado.gateway.calls", "Calls of the Python gateway.", "method", "outcome"),
		took: d.Metrics.Duration("dorado.gateway.call.time", "How long calls of the Python gateway took.").WithLabelValues(),
	}
	e.passwords.init()
	e.methods = e.table()
	return e
}

// table is every method in each of its forms. Later releases of DolphinScheduler renamed process to workflow, and dropped or
// added arguments; all forms are served.
func (e *entry) table() map[string][]method {
	return map[string][]method{
		"ping": {{read: true, call: func(context.Context, args) (py4j.Value, error) { return py4j.OfText("PONG"), nil }}},
		"getGatewayVersion": {{read: true, call: func(context.Context, args) (py4j.Value, error) {
			return py4j.OfText(e.Config.Version), nil
		}}},
		"genTaskCodeList":   {{takes: "I", read: true, call: e.genTaskCodeList}},
		"getCodeAndVersion": {{takes: "sss", read: true, call: e.getCodeAndVersion}},

		"createOrUpdateWorkflow": {{takes: "ssssssbsiisissss", user: true, call: e.createOrUpdateWorkflow}},
		"createOrUpdateProcessDefinition": {
			{takes: "sssssssiississss", user: true, call: e.createOrUpdate31},
			{takes: "sssssssisississs", user: true, call: e.createOrUpdate30},
		},
		"execWorkflowInstance": {{takes: "ssssssII", user: true, call: e.exec}, {takes: "sssssI", user: true, call: e.execShort}},
		"execProcessInstance":  {{takes: "ssssssII", user: true, call: e.exec}},
		"getWorkflowInfo":      {{takes: "sss", user: true, call: e.getWorkflowInfo}},

		"getProcessDefinitionInfo": {{takes: "sss", user: true, call: e.getWorkflowInfo}},
		"getDependentInfo":         {{takes: "sss", read: true, call: e.getDependentInfo}, {takes: "ss", read: true, call: e.getDependentInfo}},

		"createOrGrantProject": {{takes: "sss", user: true, call: e.createOrGrantProject}},
		"queryProjectByName":   {{takes: "ss", read: true, user: true, call: e.queryProjectByName}},
		"updateProject":        {{takes: "sLss", user: true, call: e.updateProject}},
		"deleteProject":        {{takes: "sL", user: true, call: e.deleteProject}},

		"createTenant":      {{takes: "sss", call: e.createTenant}},
		"queryTenantByCode": {{takes: "s", read: true, call: e.queryTenantByCode}},
		"updateTenant":      {{takes: "sisis", user: true, call: e.updateTenant}},
		"deleteTenantById":  {{takes: "sI", user: true, call: e.deleteTenant}},
		"grantTenantToUser": {{takes: "ss", user: true, call: e.grantTenantToUser}},

		"createUser": {{takes: "ssssssi", user: true, call: e.createUser}},
		"queryUser":  {{takes: "i", read: true, call: e.queryUser}},
		"updateUser": {{takes: "ssssssi", user: true, call: e.updateUser}},
		"deleteUser": {{takes: "si", user: true, call: e.deleteUser}},

		"getDatasource":      {{takes: "ss", read: true, call: e.getDatasource}, {takes: "s", read: true, call: e.getDatasource}},
		"getDatasourceInfo":  {{takes: "s", read: true, call: e.getDatasourceInfo}},
		"getEnvironmentInfo": {{takes: "s", read: true, call: e.getEnvironmentInfo}},

		"getResourcesFileInfo":   {{takes: "s", read: true, call: e.getResourcesFileInfo}, {takes: "ss", read: true, call: e.getResourcesFileInfo}},
		"queryResourcesFileInfo": {{takes: "ss", read: true, user: true, call: e.queryResourcesFileInfo}},
		"createOrUpdateResource": {{takes: "sss", user: true, call: e.createOrUpdateResource}, {takes: "ssss", user: true, call: e.createOrUpdateResource}},
	}
}

// callTime bounds one call.
const callTime = 5 * time.Minute

// Call is part of py4j.Entry. Arguments are never logged: they hold passwords and scripts.
func (e *entry) Call(ctx context.Context, name string, given []py4j.Value) (py4j.Value, error) {
	m, ok := e.find(name, given)
	if !ok {
		e.calls.WithLabelValues("unknown", "refused").Inc()
		return py4j.Value{}, py4j.ErrNoMethod
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	began := time.Now()
	v, err := m.call(ctx, args(given))
	took := time.Since(began)
	e.took.Observe(took.Seconds())
	err = e.told(ctx, err)
	level, outcome := slog.LevelInfo, "ok"
	if m.read {
		level = slog.LevelDebug
	}
	if err != nil {
		level, outcome = slog.LevelWarn, "failed"
	}
	e.calls.WithLabelValues(name, outcome).Inc()
	attrs := []slog.Attr{slog.String("method", name), slog.Duration("took", took), slog.String("outcome", outcome)}
	if m.user {
		attrs = append(attrs, slog.String("user", clip(args(given).text(0))))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", clip(err.Error())))
	}
	e.Logger.LogAttrs(ctx, level, "python gateway call", attrs...)
	return v, err
}

// find chooses the method by name, number and types of the arguments.
func (e *entry) find(name string, given []py4j.Value) (method, bool) {
	for _, m := range e.methods[name] {
		if fits(m.takes, given) {
			return m, true
		}
	}
	return method{}, false
}

func fits(takes string, given []py4j.Value) bool {
	if len(takes) != len(given) {
		return false
	}
	for i, v := range given {
		k := v.Kind
		ok := false
		switch takes[i] {
		case 's':
			ok = k == py4j.Text || k == py4j.Null
		case 'i':
			ok = k == py4j.Int
		case 'I':
			ok = k == py4j.Int || k == py4j.Null
		case 'L':
			ok = k == py4j.Int || k == py4j.Long || k == py4j.Null
		case 'b':
			ok = k == py4j.Bool
		}
		if !ok {
			return false
		}
	}
	return true
}

// args are the arguments of a call, which fit its method.
type args []py4j.Value

// text is an argument, "" for null and for one that was not given.
func (a args) text(i int) string {
	if i >= len(a) {
		return ""
	}
	return a[i].Text
}

// number is an argument, 0 for null.
func (a args) number(i int) int64 { return a[i].Int }

// truth is an argument.
func (a args) truth(i int) bool { return a[i].Int != 0 }

// clip keeps what is repeated in a log line short.
func clip(text string) string {
	const most = 300
	if len(text) > most {
		return strconv.Quote(text[:most]) + "…"
	}
	return text
}
