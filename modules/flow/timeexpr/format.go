package timeexpr

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// format renders t by a SimpleDateFormat pattern with English names.
func format(pattern string, t time.Time) (string, error) {
	out := make([]byte, 0, len(pattern)+16)
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			end, err := closeQuote(pattern, i)
			if err != nil {
				return "", err
			}
			if end == i+1 {
				out = append(out, '\'')
			} else {
				out = append(out, strings.ReplaceAll(pattern[i+1:end], "''", "'")...)
			}
			i = end + 1
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			count := 1
			for i+count < len(pattern) && pattern[i+count] == c {
				count++
			}
			var err error
			if out, err = field(out, c, count, t); err != nil {
				return "", err
			}
			i += count
		default:
			out = append(out, c)
			i++
		}
	}
	return string(out), nil
}

// closeQuote finds the quote that ends the literal which starts at from; a doubled quote inside stands for one.
func closeQuote(pattern string, from int) (int, error) {
	for i := from + 1; i < len(pattern); i++ {
		if pattern[i] != '\'' {
			continue
		}
		if i > from+1 && i+1 < len(pattern) && pattern[i+1] == '\'' {
			i++
			continue
		}
		return i, nil
	}
	return 0, errors.New("a quote is not closed")
}

// field appends one pattern letter, repeated count times.
func field(out []byte, letter byte, count int, t time.Time) ([]byte, error) {
	switch letter {
	case 'G':
		return append(out, "AD"...), nil
	case 'y':
		return year(out, t.Year(), count), nil
	case 'Y':
		y, _ := weekOf(t, 1)
		return year(out, y, count), nil
	case 'M', 'L':
		switch {
		case count >= 4:
			return append(out, t.Month().String()...), nil
		case count == 3:
			return append(out, t.Month().String()[:3]...), nil
		}
		return pad(out, int(t.Month()), count), nil
	case 'w':
		_, week := weekOf(t, 1)
		return pad(out, week, count), nil
	case 'W':
		return pad(out, weekOfMonth(t), count), nil
	case 'D':
		return pad(out, t.YearDay(), count), nil
	case 'd':
		return pad(out, t.Day(), count), nil
	case 'F':
		return pad(out, (t.Day()-1)/7+1, count), nil
	case 'E':
		if count >= 4 {
			return append(out, t.Weekday().String()...), nil
		}
		return append(out, t.Weekday().String()[:3]...), nil
	case 'u':
		return pad(out, int(isoDay(t)), count), nil
	case 'a':
		return t.AppendFormat(out, "PM"), nil
	case 'H':
		return pad(out, t.Hour(), count), nil
	case 'k':
		return pad(out, (t.Hour()+23)%24+1, count), nil
	case 'K':
		return pad(out, t.Hour()%12, count), nil
	case 'h':
		return pad(out, (t.Hour()+11)%12+1, count), nil
	case 'm':
		return pad(out, t.Minute(), count), nil
	case 's':
		return pad(out, t.Second(), count), nil
	case 'S':
		return pad(out, t.Nanosecond()/int(time.Millisecond), count), nil
	case 'z':
		return zoneName(out, t), nil
	case 'Z':
		return t.AppendFormat(out, "-0700"), nil
	case 'X':
		if count > 3 {
			return nil, errors.New("the pattern letter X may stand at most three times in a row")
		}
		return t.AppendFormat(out, [...]string{"Z07", "Z0700", "Z07:00"}[count-1]), nil
	}
	return nil, fmt.Errorf("%q is no date pattern letter", letter)
}

func year(out []byte, y, count int) []byte {
	if count == 2 {
		return pad(out, y%100, 2)
	}
	return pad(out, y, count)
}

// pad appends n with zeros in front up to width digits.
func pad(out []byte, n, width int) []byte {
	limit := 10
	for digits := 1; digits < width; digits++ {
		if n < limit {
			out = append(out, '0')
		}
		if limit < 1_000_000_000 {
			limit *= 10
		}
	}
	return strconv.AppendInt(out, int64(n), 10)
}

// weekOfMonth counts like the letter w, but within the month: days before the first week of four days are week 0.
func weekOfMonth(t time.Time) int {
	first := int(isoDay(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC))) // weekday of the 1st
	week := (t.Day() + first - 2) / 7
	if first <= 4 {
		week++
	}
	return week
}

// zoneName is the zone's abbreviation, or its distance from GMT where the zone data has only digits.
func zoneName(out []byte, t time.Time) []byte {
	name, _ := t.Zone()
	if name == "" || name[0] == '+' || name[0] == '-' {
		return t.AppendFormat(append(out, "GMT"...), "-07:00")
	}
	return append(out, name...)
}
