package boot

import (
	"context"

	"dorado/modules/schedule"
	"dorado/modules/security/calendar"
)

// workdays gives schedules the business calendars.
type workdays struct{ *calendar.Service }

// Workdays returns what decides about the days of a calendar, false when there is no such calendar.
func (w workdays) Workdays(ctx context.Context, id int64) (schedule.Workdays, bool, error) {
	days, ok, err := w.Days(ctx, id)
	return days, ok, err
}

// known tells schedules what they may refer to.
func (m *modules) known() schedule.Known {
	return schedule.Known{WorkerGroup: m.groups.Exists, Environment: m.envs.Exists, WarningGroup: m.alerts.Exists}
}

// referToSchedules makes what schedules refer to ask them before it goes, and tell them when it changes.
func (m *modules) referToSchedules() {
	s := m.schedule.Service
	m.identity.AddReferrer(s)
	m.user.AddReferrer(s)
	m.groups.AddReferrer(s)
	m.envs.AddReferrer(s)
	m.alerts.AddReferrer(s)
	m.calendar.AddReferrer(s)
	m.calendar.OnChange(s.CalendarChanged)
}
