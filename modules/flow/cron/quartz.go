package cron

import (
	"strconv"
	"strings"
)

// Quartz returns the expression in the seven fields of Quartz. It is false for a Unix expression with both day fields
// restricted, which Quartz cannot say.
func (e *Expr) Quartz() (string, bool) {
	if !e.unix {
		return e.String(), true
	}
	day, week := e.fields[DayOfMonth], e.fields[DayOfWeek]
	dayText, weekText := "*", "?"
	switch {
	case week.all():
		if !day.all() {
			dayText = day.text
		}
	case day.all():
		dayText, weekText = "?", week.write()
	default:
		return "", false
	}
	return strings.Join([]string{"0", e.fields[Minute].text, e.fields[Hour].text, dayText, e.fields[Month].text, weekText, "*"}, " "), true
}

// write spells the items of a field with numbers, those of Quartz.
func (s spec) write() string {
	parts := make([]string, len(s.items))
	for n, i := range s.items {
		text := strconv.Itoa(i.from)
		switch {
		case i.star:
			text = "*"
		case i.open || i.single():
		default:
			text += "-" + strconv.Itoa(i.to)
		}
		if i.step > 1 || i.open && !i.star {
			text += "/" + strconv.Itoa(i.step)
		}
		parts[n] = text
	}
	return strings.Join(parts, ",")
}
