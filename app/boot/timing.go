package boot

import (
	"context"
	"strconv"

	"dorado/modules/schedule"
	"dorado/modules/security/account"
	"dorado/modules/workflow"
)

// timingPages gives the timing dialog what its schedules may refer to.
func (m *modules) timingPages() schedule.PageDeps {
	return schedule.PageDeps{
		Runs: m.instance.Service, Zones: account.Zones(),
		WorkerGroups: func(ctx context.Context) ([]schedule.Choice, error) {
			names, err := m.groups.Names(ctx)
			list := make([]schedule.Choice, len(names))
			for k, name := range names {
				list[k] = schedule.Choice{Value: name, Label: name}
			}
			return list, err
		},
		Environments: func(ctx context.Context) ([]schedule.Choice, error) {
			all, err := m.envs.All(ctx)
			list := make([]schedule.Choice, len(all))
			for k := range all {
				list[k] = schedule.Choice{Value: strconv.FormatInt(all[k].Code, 10), Label: all[k].Name}
			}
			return list, err
		},
		WarningGroups: func(ctx context.Context) ([]schedule.Choice, error) {
			all, err := m.alerts.All(ctx)
			list := make([]schedule.Choice, len(all))
			for k := range all {
				list[k] = schedule.Choice{Value: strconv.FormatInt(all[k].ID, 10), Label: all[k].Name}
			}
			return list, err
		},
		CalendarList: func(ctx context.Context) ([]schedule.Choice, error) {
			all, err := m.calendar.All(ctx)
			list := make([]schedule.Choice, len(all))
			for k := range all {
				list[k] = schedule.Choice{Value: strconv.FormatInt(all[k].ID, 10), Label: all[k].Name}
			}
			return list, err
		},
	}
}

// timings tells the list of workflows about their schedules.
func (m *modules) timings() *workflow.Timings {
	return &workflow.Timings{Edit: schedule.Edit, Of: func(ctx context.Context, codes []int64) (map[int64]workflow.Timing, error) {
		all, err := m.schedule.Summaries(ctx, codes)
		out := make(map[int64]workflow.Timing, len(all))
		for code, s := range all {
			out[code] = workflow.Timing{Online: s.Online, Offline: s.Offline, Next: s.Next, Words: s.Words}
		}
		return out, err
	}}
}
