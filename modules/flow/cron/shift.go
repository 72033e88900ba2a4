package cron

import "time"

// Shift is what a change of the clock did to a fire.
type Shift int

// The shifts.
const (
	ShiftNone  Shift = iota // an ordinary time
	ShiftMoved              // the time that was meant does not exist on this day: this is the first instant after the gap
	ShiftOnce               // the time comes twice on this day and the expression fires at the first only
	ShiftFirst              // the first of two passes, both of which fire
	ShiftAgain              // the second of them
)

// Shift says what a change of the clock did to a fire that Next returned, in the location of the fire.
func (e *Expr) Shift(fire time.Time) Shift {
	_, off := fire.Zone()
	start, end := fire.ZoneBounds()
	t := fire.Unix()
	wall := t + int64(off)
	if !start.IsZero() {
		_, before := start.Add(-time.Second).Zone()
		if before > off && wall < start.Unix()+int64(before) {
			return ShiftAgain
		}
		if w, _ := e.nextWall(wall); before < off && t == start.Unix() && w != wall {
			return ShiftMoved
		}
	}
	if end.IsZero() {
		return ShiftNone
	}
	if _, after := end.Zone(); wall < end.Unix()+int64(after) {
		return ShiftNone
	}
	if e.twice {
		return ShiftFirst
	}
	return ShiftOnce
}
