package instance

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

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
	s.Priority = choice(p, "workflowInstancePriority", flow.Medium, flow.Priorities()...)
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

// execType says whether a backfill is asked for.
func execType(p *dsapi.Params) (complement bool, err error) {
	switch kind := p.TextOr("execType", string(flow.CommandStart)); kind {
	case string(flow.CommandStart), "0":
		return false, nil
	case string(flow.CommandBackfill), "5":
		return true, nil
	default:
		return false, errExecType.With("type", kind)
	}
}

// complement reads what a backfill needs besides. Texts of dates are in the zone of the caller.
func complement(r *http.Request, p *dsapi.Params, s StartRequest) (BackfillRequest, error) {
	b := BackfillRequest{
		StartRequest: s, Skip: SkipNone, AllLevels: p.Bool("allLevelDependent", false), IgnoreCycle: p.Bool("ignoreCycle", false),
		Ascending:     choice(p, "executionOrder", "DESC_ORDER", "DESC_ORDER", "ASC_ORDER") == "ASC_ORDER",
		Dependents:    choice(p, "complementDependentMode", "OFF_MODE", "OFF_MODE", "ALL_DEPENDENT") == "ALL_DEPENDENT",
		ContinueChain: choice(p, "complementFailurePolicy", "STOP_CHAIN", "STOP_CHAIN", "CONTINUE_CHAIN") == "CONTINUE_CHAIN",
		Width:         1,
	}
	if text := p.Text("complementSkip"); text != "" {
		b.Skip = choice(p, "complementSkip", SkipNone, Skips()...)
	}
	parallel := choice(p, "runMode", "RUN_MODE_SERIAL", "RUN_MODE_SERIAL", "RUN_MODE_PARALLEL") == "RUN_MODE_PARALLEL"
	if n := p.Int("expectedParallelismNumber", 0); n < 0 {
		return b, errParallelism.With("count", n)
	} else if parallel {
		b.Width = n // 0 = all at once
	}
	if err := p.Err(); err != nil {
		return b, err
	}
	err := b.readDates(p.Text("scheduleTime"), i18n.Zone(r.Context()))
	return b, err
}

// scheduleTime is the JSON text in which clients send dates.
type scheduleTime struct {
	From string `json:"complementStartDate"`
	To   string `json:"complementEndDate"`
	List string `json:"complementScheduleDateList"`
}

// readDates reads the JSON text of a range or a list of dates.
func (b *BackfillRequest) readDates(text string, zone *time.Location) error {
	var st scheduleTime
	if err := json.Unmarshal([]byte(text), &st); err != nil {
		return errScheduleTime.With("text", text).Because(err)
	}
	var err error
	parse := func(text string) time.Time {
		at, failed := ParseDate(text, zone)
		if failed != nil && err == nil {
			err = failed
		}
		return at
	}
	if st.List != "" {
		if b.Dates, err = ParseDates(st.List, zone); err != nil {
			return err
		}
		return nil
	}
	b.From, b.To = parse(st.From), parse(st.To)
	return err
}

// ParseDate reads one date of a backfill: yyyy-MM-dd HH:mm:ss, or yyyy-MM-dd for its midnight. It returns ErrDate.
func ParseDate(text string, zone *time.Location) (time.Time, error) {
	text = strings.TrimSpace(strings.Replace(text, "T", " ", 1))
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			if at.Year() < 1970 || at.Year() > 2099 {
				break
			}
			return at, nil
		}
	}
	return time.Time{}, ErrDate.With("text", text)
}

// ParseDates reads a list of dates, separated by commas or line breaks. It returns ErrDate.
func ParseDates(text string, zone *time.Location) ([]time.Time, error) {
	var out []time.Time
	for part := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == ',' || c == '\n' || c == '\r' || c == '，' }) {
		if strings.TrimSpace(part) == "" {
			continue
		}
		at, err := ParseDate(part, zone)
		if err != nil {
			return nil, err
		}
		out = append(out, at)
	}
	return out, nil
}

// begin starts one run, or a backfill, and returns the ids of the instances that exist by then.
func (a api) begin(r *http.Request, p *dsapi.Params, in int64, s StartRequest) ([]int64, error) {
	many, err := execType(p)
	if err != nil {
		return nil, err
	}
	if !many {
		id, err := a.svc.Start(r.Context(), in, s)
		return []int64{id}, err
	}
	b, err := complement(r, p, s)
	if err != nil {
		return nil, err
	}
	if a.svc.backfills == nil {
		return nil, errExecType.With("type", string(flow.CommandBackfill))
	}
	started, err := a.svc.backfills.Start(r.Context(), in, b, "")
	return started.Instances, err
}

func (a api) start(r *http.Request, p *dsapi.Params) (any, error) {
	in := p.Path("project")
	code := p.RequiredInt64("workflowDefinitionCode")
	s, err := a.request(r, p)
	if err != nil {
		return nil, err
	}
	s.WorkflowCode = code
	ids, err := a.begin(r, p, in, s)
	if err != nil {
		return nil, err
	}
	if dsapi.Legacy(r.Context()) && len(ids) > 0 {
		return ids[0], nil // the trigger code, by which triggered finds it and what was started with it
	}
	return ids, nil
}

func (a api) startAll(r *http.Request, p *dsapi.Params) (any, error) {
	in := p.Path("project")
	codes := p.Int64s("workflowDefinitionCodes")
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
		started, err := a.begin(r, p, in, one)
		if err != nil {
			return nil, err
		}
		ids = append(ids, started...)
	}
	if dsapi.Legacy(r.Context()) {
		return nil, nil
	}
	return ids, nil
}
