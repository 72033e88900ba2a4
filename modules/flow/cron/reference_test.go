package cron_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow/cron"
)

// pattern is a random expression together with what it means, written down without a parser: a table of the seconds,
// minutes and hours, and a rule for days.
type pattern struct {
	text                  string
	second, minute, hour  [60]bool
	day                   func(time.Time) bool // a day as midnight UTC
	perHour, hoursMatched int
}

func (p *pattern) matches(w wall) bool {
	return p.second[w.sod%60] && p.minute[w.sod/60%60] && p.hour[w.sod/3600]
}

// once says whether a repeated hour counts a single time.
func (p *pattern) once() bool { return p.perHour == 1 && p.hoursMatched < 24 }

// field makes one field of numbers.
func field(r *rand.Rand, lo, hi int, names []string) (string, [60]bool) {
	var set [60]bool
	var parts []string
	name := func(v int) string {
		if names != nil && r.IntN(2) == 0 {
			return names[v-lo]
		}
		return strconv.Itoa(v)
	}
	for range 1 + r.IntN(3)*r.IntN(2) {
		a, b, step := lo+r.IntN(hi-lo+1), lo+r.IntN(hi-lo+1), 1+r.IntN(min(hi, hi-lo+1))
		switch r.IntN(7) {
		case 0:
			parts = append(parts, "*")
			a, b, step = lo, hi, 1
		case 1:
			parts = append(parts, fmt.Sprintf("*/%d", step))
			a, b = lo, hi
		case 2:
			parts = append(parts, fmt.Sprintf("%s/%d", name(a), step))
			b = hi
		case 3:
			parts = append(parts, fmt.Sprintf("%s-%s", name(a), name(b)))
			step = 1
		case 4:
			parts = append(parts, fmt.Sprintf("%s-%s/%d", name(a), name(b), step))
		default:
			parts = append(parts, name(a))
			b, step = a, 1
		}
		for v := a; ; v += step { // walk, turning over at the end
			if b >= a && v > b || b < a && v > b+hi-lo+1 {
				break
			}
			set[lo+(v-lo)%(hi-lo+1)] = true
		}
	}
	return strings.Join(parts, ","), set
}

func randomPattern(r *rand.Rand) *pattern {
	p := &pattern{}
	var s, m, h string
	switch r.IntN(3) { // many schedules have one time a day: the random ones, too
	case 0:
		v, w, x := r.IntN(60), r.IntN(60), r.IntN(24)
		if r.IntN(2) == 0 {
			x = r.IntN(4) // where clocks change
		}
		s, m, h = strconv.Itoa(v), strconv.Itoa(w), strconv.Itoa(x)
		p.second[v], p.minute[w], p.hour[x] = true, true, true
	case 1:
		s, p.second = "0", [60]bool{0: true}
		m, p.minute = field(r, 0, 59, nil)
		h, p.hour = field(r, 0, 23, nil)
	default:
		s, p.second = field(r, 0, 59, nil)
		m, p.minute = field(r, 0, 59, nil)
		h, p.hour = field(r, 0, 23, nil)
	}
	count := func(set [60]bool) (n int) {
		for _, b := range set {
			if b {
				n++
			}
		}
		return n
	}
	p.perHour, p.hoursMatched = count(p.second)*count(p.minute), count(p.hour)
	months := []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	month, inMonth := "*", [60]bool{}
	for i := range inMonth {
		inMonth[i] = true
	}
	if r.IntN(4) == 0 {
		month, inMonth = field(r, 1, 12, months)
	}
	dom, dow, rule := randomDay(r)
	p.day = func(d time.Time) bool { return inMonth[int(d.Month())] && rule(d) }
	p.text = strings.Join([]string{s, m, h, dom, month, dow}, " ")
	if r.IntN(5) == 0 {
		p.text = strings.ToLower(p.text)
	}
	if r.IntN(3) == 0 {
		p.text += " 1970-2030"
	}
	return p
}

func lastDay(d time.Time) int { return time.Date(d.Year(), d.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// workingDay finds the working day nearest to day n of d's month by trying the neighbours, nearest first.
func workingDay(d time.Time, n int) int {
	if n < 1 || n > lastDay(d) {
		return -1
	}
	for _, delta := range []int{0, -1, 1, 2, -2} {
		c := time.Date(d.Year(), d.Month(), n+delta, 0, 0, 0, 0, time.UTC)
		if c.Month() == d.Month() && c.Weekday() != time.Saturday && c.Weekday() != time.Sunday {
			return c.Day()
		}
	}
	return -1
}

func randomDay(r *rand.Rand) (dom, dow string, rule func(time.Time) bool) {
	names := []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
	weekday := 1 + r.IntN(7)
	is := func(d time.Time, wd int) bool { return int(d.Weekday())+1 == wd }
	n := r.IntN(8)
	switch r.IntN(10) {
	case 0, 1:
		return "*", "?", func(time.Time) bool { return true }
	case 2:
		text, set := field(r, 1, 31, nil)
		return text, "?", func(d time.Time) bool { return set[d.Day()] }
	case 3, 4:
		text, set := field(r, 1, 7, names)
		return "?", text, func(d time.Time) bool { return set[int(d.Weekday())+1] }
	case 5:
		if n == 0 {
			return "L", "?", func(d time.Time) bool { return d.Day() == lastDay(d) }
		}
		return fmt.Sprintf("L-%d", n), "?", func(d time.Time) bool { return d.Day() == lastDay(d)-n }
	case 6:
		if n == 0 {
			return "LW", "?", func(d time.Time) bool { return d.Day() == workingDay(d, lastDay(d)) }
		}
		return fmt.Sprintf("L-%dW", n), "?", func(d time.Time) bool { return d.Day() == workingDay(d, lastDay(d)-n) }
	case 7:
		day := 1 + r.IntN(31)
		return fmt.Sprintf("%dW", day), "?", func(d time.Time) bool { return d.Day() == workingDay(d, day) }
	case 8:
		return "?", fmt.Sprintf("%dL", weekday), func(d time.Time) bool { return is(d, weekday) && d.Day()+7 > lastDay(d) }
	default:
		nth := 1 + r.IntN(5)
		return "?", fmt.Sprintf("%s#%d", names[weekday-1], nth), func(d time.Time) bool { return is(d, weekday) && (d.Day()+6)/7 == nth }
	}
}

// wall is what a clock shows.
type wall struct {
	day int64 // since 1970
	sod int   // second of the day
}

func (w wall) seconds() int64 { return w.day*86400 + int64(w.sod) }

// window is a stretch of time in a zone, second by second.
type window struct {
	loc   *time.Location
	from  int64 // instant of walls[0]
	walls []wall
	again []bool // the clock showed this before
}

func makeWindow(t testing.TB, zone string, year, month, day, hours int) *window {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	require.NoError(t, err)
	w := &window{loc: loc, from: time.Date(year, time.Month(month), day, 12, 0, 0, 0, time.UTC).Add(-time.Duration(hours) * time.Hour / 2).Unix()}
	highest := int64(-1)
	for i := range int64(hours) * 3600 {
		l := time.Unix(w.from+i, 0).In(loc)
		c := wall{sod: l.Hour()*3600 + l.Minute()*60 + l.Second()}
		c.day = time.Date(l.Year(), l.Month(), l.Day(), 0, 0, 0, 0, time.UTC).Unix() / 86400
		w.walls = append(w.walls, c)
		w.again = append(w.again, c.seconds() <= highest)
		highest = max(highest, c.seconds())
	}
	return w
}

// fires searches the window second by second, by the rules as they are written in engine.md 7.1.
func (w *window) fires(p *pattern) []int64 {
	days := map[int64]bool{}
	dayMatches := func(day int64) bool {
		ok, known := days[day]
		if !known {
			ok = p.day(time.Unix(day*86400, 0).UTC())
			days[day] = ok
		}
		return ok
	}
	matches := func(c wall) bool { return p.matches(c) && dayMatches(c.day) }
	var found []int64
	for i, c := range w.walls {
		hit := matches(c) && (!p.once() || !w.again[i])
		if i > 0 && !hit {
			for gap := w.walls[i-1].seconds() + 1; gap < c.seconds() && !hit; gap++ {
				hit = matches(wall{day: gap / 86400, sod: int(gap % 86400)})
			}
		}
		if hit {
			found = append(found, w.from+int64(i))
		}
	}
	return found
}

func TestNextAgreesWithASearchSecondBySecond(t *testing.T) {
	t.Parallel()
	windows := []*window{
		makeWindow(t, "Europe/London", 2026, 3, 29, 44), makeWindow(t, "Europe/London", 2026, 10, 25, 44),
		makeWindow(t, "America/New_York", 2026, 3, 8, 44), makeWindow(t, "America/New_York", 2026, 11, 1, 44),
		makeWindow(t, "Asia/Shanghai", 1990, 4, 15, 44), makeWindow(t, "Asia/Shanghai", 1990, 9, 16, 44), makeWindow(t, "Asia/Shanghai", 2026, 11, 22, 44),
		makeWindow(t, "Australia/Lord_Howe", 2026, 4, 4, 44), makeWindow(t, "Australia/Lord_Howe", 2026, 10, 3, 44),
		makeWindow(t, "UTC", 2027, 2, 28, 44),
		makeWindow(t, "Pacific/Apia", 2011, 12, 30, 60), makeWindow(t, "Africa/Monrovia", 1972, 1, 7, 44),
	}
	rounds, seed := 2000, uint64(20261122)
	if n, err := strconv.Atoi(os.Getenv("CRON_ROUNDS")); err == nil {
		rounds = n
	}
	if n, err := strconv.ParseUint(os.Getenv("CRON_SEED"), 10, 64); err == nil {
		seed = n
	}
	r := rand.New(rand.NewPCG(seed, 1))
	fires := 0
	for n := 0; n < rounds; {
		p := randomPattern(r)
		e, err := cron.Parse(p.text)
		if err != nil {
			var ce *cron.Error
			require.ErrorAs(t, err, &ce, p.text)
			require.Equal(t, cron.Never, ce.Reason, "%s: %v", p.text, err)
			continue
		}
		n++
		w := windows[r.IntN(len(windows))]
		want := w.fires(p)
		fires += len(want)
		checkWindow(t, r, e, p, w, want)
	}
	require.Greater(t, fires, rounds, "the windows must not be empty")
}

func checkWindow(t *testing.T, r *rand.Rand, e *cron.Expr, p *pattern, w *window, want []int64) {
	t.Helper()
	end := w.from + int64(len(w.walls))
	// The first second of a window may follow a gap that the search cannot see; none of the windows begins there.
	got, more := e.Between(time.Unix(w.from, 0).In(w.loc), time.Unix(end-1, 0).In(w.loc), len(want)+1)
	require.False(t, more)
	require.Len(t, got, len(want), "%s in %s from %d", p.text, w.loc, w.from)
	for i, f := range got {
		require.Equal(t, want[i], f.Unix(), "%s in %s", p.text, w.loc)
	}
	for range 5 {
		after := w.from + r.Int64N(int64(len(w.walls)))
		next, ok := e.Next(time.Unix(after, r.Int64N(1e9)).In(w.loc))
		prev, okPrev := e.Prev(time.Unix(after, 0).In(w.loc))
		for i, f := range want {
			if f > after {
				require.True(t, ok)
				require.Equal(t, f, next.Unix(), "%s after %d in %s", p.text, after, w.loc)
				break
			} else if i == len(want)-1 && ok {
				require.GreaterOrEqual(t, next.Unix(), end)
			}
		}
		for _, f := range slices.Backward(want) {
			if f < after {
				require.True(t, okPrev)
				require.Equal(t, f, prev.Unix(), "%s before %d in %s", p.text, after, w.loc)
				break
			}
		}
	}
}

// TestNextFindsTheRightDayOverYears walks day by day, so that rare days are met as well.
func TestNextFindsTheRightDayOverYears(t *testing.T) {
	t.Parallel()
	rounds := 600
	if n, err := strconv.Atoi(os.Getenv("CRON_ROUNDS")); err == nil {
		rounds = n
	}
	r := rand.New(rand.NewPCG(7, 7))
	from := time.Date(2023, 11, 1, 0, 0, 0, 0, time.UTC)
	for n := 0; n < rounds; {
		p := randomPattern(r)
		e, err := cron.Parse(p.text)
		if err != nil {
			continue
		}
		n++
		at := from.Add(-time.Second)
		for d := from; d.Year() < 2028; d = d.AddDate(0, 0, 1) {
			if !p.day(d) {
				continue
			}
			next, ok := e.Next(at)
			require.True(t, ok, p.text)
			require.Equal(t, d.Format(time.DateOnly), next.Format(time.DateOnly), p.text)
			at = d.Add(24*time.Hour - time.Second)
		}
	}
}
