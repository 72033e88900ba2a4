package boot

import (
	"context"
	"strconv"

	"dorado/modules/schedule"
	"dorado/modules/security/account"
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
