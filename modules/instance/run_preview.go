package instance

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/views/components"
	view "dorado/views/instance"
)

// edge is how many dates of a plan are shown at each end.
const edge = 5

// runPreview is what a run, or a backfill, would do.
type runPreview struct {
	backfill *BackfillPlan
	zone     *time.Location
	at       time.Time // the date whose parameters are shown
	params   flow.Params
	project  int64
}

func (s *runPreview) plan() string {
	if s.backfill == nil {
		return ""
	}
	return s.backfill.ID
}

func (s *runPreview) runs() int {
	if s.backfill == nil {
		return 1
	}
	return s.backfill.Runs
}

// preview works out what was asked for. It changes nothing. What is wrong with a field is noted in f.
func (p pages) preview(ctx context.Context, t runTarget, in *runInput, f *web.Form) (*runPreview, error) {
	out := &runPreview{zone: i18n.Zone(ctx), at: p.now(), project: t.owner.Code}
	if in.complement {
		b, err := p.backfillOf(ctx, t, *in, f)
		if err != nil || len(f.Errors()) > 0 {
			return nil, err
		}
		if out.backfill, err = p.backfills.Plan(ctx, t.owner.Code, b); err != nil {
			return nil, err
		}
		out.zone, out.at = out.backfill.Zone, out.backfill.Dates[0].At
		for _, d := range out.backfill.Dates {
			if strconv.FormatInt(d.At.UnixMilli(), 10) == in.at {
				out.at = d.At
			}
		}
	} else if _, _, err := p.CheckStart(ctx, t.owner.Code, &in.req); err != nil {
		return nil, err
	}
	var err error
	out.params, err = p.resolved(ctx, t, in, out.at.In(out.zone))
	return out, err
}

// resolved are the parameters that every task of a run would find, for a date.
func (p pages) resolved(ctx context.Context, t runTarget, in *runInput, base time.Time) (flow.Params, error) {
	globals, err := flow.Cure(t.program.def.GlobalParams, in.req.StartParams, base)
	if err != nil {
		return flow.Params{}, ErrParamEvaluate.With("reason", err.Error())
	}
	project, err := db.Select[struct {
		Name  string `db:"name"`
		Value string `db:"value"`
		Type  string `db:"data_type"`
	}](ctx, p.DB, `SELECT name, CASE WHEN is_secret THEN '`+Hidden+`' ELSE value END AS value, data_type FROM project_parameter WHERE project_code = ? ORDER BY name`, t.owner.Code)
	if err != nil {
		return flow.Params{}, err
	}
	given := make([]flow.Property, 0, len(project))
	for _, v := range project {
		given = append(given, flow.Property{Prop: v.Name, Direct: flow.In, Type: flow.ParamType(v.Type), Value: v.Value})
	}
	out, err := flow.Resolve(flow.ParamSources{
		Builtin: flow.Builtins(flow.BuiltinInput{
			Base: base, WorkflowName: t.workflow.Name, WorkflowCode: t.workflow.Code, ProjectName: t.owner.Name, ProjectCode: t.owner.Code,
		}),
		Project: given, Global: globals, Startup: in.req.StartParams, Base: base, Scheduled: in.complement,
	})
	if err != nil {
		return out, ErrParamEvaluate.With("reason", err.Error())
	}
	return out, nil
}

// view shows the preview.
func (s *runPreview) view(ctx context.Context, in runInput) *view.RunPreview {
	v := &view.RunPreview{Zone: s.zone.String(), ViewerZone: i18n.Zone(ctx).String()}
	v.TwoZones = v.Zone != v.ViewerZone
	for _, p := range s.params.List {
		shown := conceal(p.Property)
		v.Params = append(v.Params, view.PreviewParam{Name: p.Prop, Value: shown.Value, Level: i18n.T(ctx, p.Source.Level.MessageKey())})
	}
	b := s.backfill
	if b == nil {
		return v
	}
	v.Backfill, v.Runs, v.Skipped, v.Width = true, b.Runs, len(b.Dates)-b.Runs, b.Width
	v.Estimate = i18n.T(ctx, "run.p.unknown")
	if b.Estimate > 0 {
		v.Estimate = i18n.T(ctx, "run.p.estimate", "total", i18n.Duration(ctx, b.Estimate), "one", i18n.Duration(ctx, b.Median))
	}
	v.WarnWide = b.Width > 10
	for k, d := range b.Dates {
		if d.State != "" {
			v.Existing++
		}
		value := strconv.FormatInt(d.At.UnixMilli(), 10)
		if k < 200 {
			v.Options = append(v.Options, components.Option{Value: value, Label: d.At.In(s.zone).Format(time.DateTime)})
		}
		if d.At.Equal(s.at) {
			v.Chosen = value
		}
		one := view.PreviewDate{
			N: k + 1, Zoned: stamp(d.At.In(s.zone)), Viewer: stamp(d.At.In(i18n.Zone(ctx))), State: string(d.State), Skip: d.Skip,
		}
		if d.Instance != 0 {
			one.URL = address(s.project, d.Instance)
		}
		switch {
		case k < edge:
			v.First = append(v.First, one)
		case k >= len(b.Dates)-edge:
			v.Last = append(v.Last, one)
		default:
			v.More++
		}
	}
	for _, d := range b.Dependents {
		name := d.Name
		if d.Refused != nil {
			name = i18n.T(ctx, "run.p.refused", "name", d.Name, "reason", web.Message(ctx, d.Refused))
		}
		v.Dependents = append(v.Dependents, name)
	}
	v.Along = in.dates.Depend == "ALL_DEPENDENT"
	return v
}

// stamp is a time with its weekday's date and its offset.
func stamp(t time.Time) string {
	return fmt.Sprintf("%s %s", t.Format(time.DateTime), t.Format("-07:00"))
}
