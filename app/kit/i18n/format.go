package i18n

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Number writes n with thousands separators: 1,284.
func Number(_ context.Context, n int64) string { return group(n) }

// Bytes writes a size in the largest unit that keeps it above one, by powers of 1024 as file managers count: 512 B, 1.5 KB,
// 3 GB.
func Bytes(_ context.Context, n int64) string {
	units := []string{"B", "KB", "MB", "GB", "TB", "PB"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	digits := 0
	if unit > 0 && size < 10 {
		digits = 1
	}
	return strings.TrimSuffix(strconv.FormatFloat(size, 'f', digits, 64), ".0") + " " + units[unit]
}

// DateTime writes t to the second in the viewer's zone: 2026-10-18 09:30:00.
// The zero time is an empty string.
func DateTime(ctx context.Context, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(Zone(ctx)).Format("2006-01-02 15:04:05")
}

// Exact is DateTime with the zone's offset, for titles and tooltips:
// 2026-10-18 09:30:00 +08:00.
func Exact(ctx context.Context, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(Zone(ctx)).Format("2006-01-02 15:04:05 -07:00")
}

// Ago says how far t lies from now in the largest unit that fits: "3 min ago",
// "in 2 h". The zero time is an empty string.
func Ago(ctx context.Context, now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := now.Sub(t)
	future := d < 0
	if future {
		d = -d
	}
	var unit string
	var n int64
	switch {
	case d < 45*time.Second:
		return T(ctx, "js.time.now")
	case d < 90*time.Minute:
		unit, n = "minute", int64((d+30*time.Second)/time.Minute)
	case d < 36*time.Hour:
		unit, n = "hour", int64((d+30*time.Minute)/time.Hour)
	case d < 60*24*time.Hour:
		unit, n = "day", int64((d+12*time.Hour)/(24*time.Hour))
	default:
		return t.In(Zone(ctx)).Format("2006-01-02")
	}
	prefix := "js.time.ago."
	if future {
		prefix = "js.time.in."
	}
	return T(ctx, prefix+unit, "count", n)
}

// Duration writes d with its two largest units: 12s, 6m 41s, 1h 12m, 3d 4h, and
// milliseconds below one second.
func Duration(ctx context.Context, d time.Duration) string {
	if d < 0 {
		d = 0
	}
	if d < time.Second {
		return amount(ctx, "ms", int64(d/time.Millisecond))
	}
	units := []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	for i, u := range units {
		if d < u.size {
			continue
		}
		large := amount(ctx, u.name, int64(d/u.size))
		rest := d % u.size
		if i+1 == len(units) || rest < units[i+1].size {
			return large
		}
		small := amount(ctx, units[i+1].name, int64(rest/units[i+1].size))
		return T(ctx, "js.duration.pair", "large", large, "small", small)
	}
	return ""
}

func amount(ctx context.Context, unit string, n int64) string {
	return T(ctx, "js.duration."+unit, "n", n)
}

func group(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}
