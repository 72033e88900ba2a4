package cron

// Cycle is how an expression repeats, in the coarse classes of DolphinScheduler. Backfills of dependents and the windows
// of DEPENDENT tasks go by it.
type Cycle string

// The cycles. CycleNone is what none of the others fits: one year only.
const (
	CycleMinute Cycle = "MINUTE"
	CycleHour   Cycle = "HOUR"
	CycleDay    Cycle = "DAY"
	CycleWeek   Cycle = "WEEK"
	CycleMonth  Cycle = "MONTH"
	CycleYear   Cycle = "YEAR"
	CycleNone   Cycle = "NONE"
)

// Cycle classifies the expression by how it is written, not by when it fires: `? * MON` is MONTH, as DolphinScheduler has
// it.
func (e *Expr) Cycle() Cycle {
	day, week := e.fields[DayOfMonth], e.fields[DayOfWeek]
	dayAll, dayNone := day.all(), day.none()
	weekNone := week.none()
	if e.unix { // as the same days are written in Quartz
		if week.all() {
			weekNone = true
		} else if day.all() {
			dayAll, dayNone = false, true
		}
	}
	minute, hour, month, year := e.fields[Minute], e.fields[Hour], e.fields[Month], e.fields[Year]
	switch {
	case (minute.all() || minute.stepped()) && hour.all() && dayAll && month.all():
		return CycleMinute
	case (hour.all() || hour.stepped()) && dayAll && month.all() && weekNone:
		return CycleHour
	case (dayAll || day.stepped()) && weekNone && month.all():
		return CycleDay
	case dayNone && (week.all() || week.stepped()) && month.all():
		return CycleWeek
	case month.all() || month.stepped():
		return CycleMonth
	case year.all():
		return CycleYear
	default:
		return CycleNone
	}
}
