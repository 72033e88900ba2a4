package instance

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/flow"
)

// choice reads an enumeration by name or number; empty is the fallback.
func choice[T ~string](p *dsapi.Params, name string, fallback T, names ...T) T {
	text := strings.TrimSpace(p.Text(name))
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < len(names) {
		return names[n]
	}
	allowed := make([]string, len(names))
	for k, v := range names {
		allowed[k] = string(v)
	}
	if got := p.Enum(name, allowed...); got != "" {
		return T(got)
	}
	return fallback
}

// request reads what the two starting endpoints share.
func (a api) request(r *http.Request, p *dsapi.Params) (StartRequest, error) {
	p.RequiredText("scheduleTime") // must be there; what it says counts for backfills only
	p.RequiredText("failureStrategy")
	p.RequiredText("warningType")
	s := StartRequest{
		FailureStrategy: choice(p, "failureStrategy", flow.FailureContinue, flow.FailureEnd, flow.FailureContinue),
		WarningType:     choice(p, "warningType", flow.WarningNone, flow.WarningNone, flow.WarningSuccess, flow.WarningFailure, flow.WarningAll),
		Depend:          choice(p, "taskDependType", flow.TaskPost, flow.TaskOnly, flow.TaskPre, flow.TaskPost),
		WarningGroupID:  p.Int64("warningGroupId", 0), Version: p.Int("version", 0), StartNodes: p.Int64s("startNodeList"),
		WorkerGroup: p.TextOr("workerGroup", "default"), TenantCode: p.TextOr("tenantCode", "default"),
		EnvironmentCode: p.Int64("environmentCode", -1), DryRun: p.Bool("dryRun", false), TimeZone: i18n.Zone(r.Context()).String(),
		IdempotencyKey: r.Header.Get("Idempotency-Key"),
	}
	name := "workflowInstancePriority"
	if !p.Has(name) {
		name = "processInstancePriority"
	}
	s.Priority = choice(p, name, flow.Medium, flow.Priorities()...)
	if kind := p.TextOr("execType", string(flow.CommandStart)); kind != string(flow.CommandStart) && kind != "0" {
		return s, errExecType.With("type", kind)
	}
	params, err := startParams(p.Text("startParams"))
	if err != nil {
		return s, err
	}
	s.StartParams = params
	return s, p.Err()
}

// startParams reads a JSON text: an object of names and values, or a list of parameters.
func startParams(text string) ([]flow.Property, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "null" {
		return nil, nil
	}
	if strings.HasPrefix(text, "[") {
		list, err := flow.DecodeProperties(text)
		if err != nil {
			return nil, ErrStartRequest.With("field", "startParams", "reason", err.Error())
		}
		return list, nil
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return nil, ErrStartRequest.With("field", "startParams", "reason", "JSON").Because(err)
	}
	list := make([]flow.Property, 0, len(object))
	for name, value := range object {
		v := flow.Property{Prop: name, Direct: flow.In, Type: flow.Varchar}
		switch x := value.(type) {
		case nil:
		case string:
			v.Value = x
		default:
			raw, err := json.Marshal(x)
			if err != nil {
				return nil, ErrStartRequest.With("field", "startParams", "reason", name).Because(err)
			}
			v.Value = string(raw)
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(x, y flow.Property) int { return strings.Compare(x.Prop, y.Prop) })
	return list, nil
}

func (a api) start(r *http.Request, p *dsapi.Params) (any, error) {
	in := p.Path("project")
	code := p.RequiredInt64("workflowDefinitionCode", "processDefinitionCode")
	s, err := a.request(r, p)
	if err != nil {
		return nil, err
	}
	s.WorkflowCode = code
	id, err := a.svc.Start(r.Context(), in, s)
	if err != nil {
		return nil, err
	}
	return []int64{id}, nil
}

func (a api) startAll(r *http.Request, p *dsapi.Params) (any, error) {
	in := p.Path("project")
	name := "workflowDefinitionCodes"
	if !p.Has(name) {
		name = "processDefinitionCodes"
	}
	codes := p.Int64s(name)
	if len(codes) == 0 {
		p.RequiredInt64("workflowDefinitionCodes")
	}
	s, err := a.request(r, p)
	if err != nil {
		return nil, err
	}
	key := s.IdempotencyKey
	ids := make([]int64, 0, len(codes))
	for _, code := range codes {
		one := s
		one.WorkflowCode = code
		if key != "" {
			one.IdempotencyKey = key + "/" + strconv.FormatInt(code, 10)
		}
		id, err := a.svc.Start(r.Context(), in, one)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}
