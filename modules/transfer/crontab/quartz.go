package crontab

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// field is one of the five: the values it stands for, and whether that is all of them.
type field struct {
	values []int
	all    bool
	step   int // of a bare */n, else 0
	star   bool
}

type rangeOf struct {
	name     string
	low, top int
	words    []string
}

func ranges() [5]rangeOf {
	return [5]rangeOf{
		{"minute", 0, 59, nil},
		{"hour", 0, 23, nil},
		{"day of month", 1, 31, nil},
		{"month", 1, 12, []string{"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
		{"day of week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
	}
}

// Quartz writes the time of a crontab line as expressions of a schedule. There are two when the line restricts both the day
// of the month and the day of the week: crontab fires on either, an expression only on both.
func Quartz(when string) ([]string, error) {
	switch strings.ToLower(when) {
	case "@yearly", "@annually":
		when = "0 0 1 1 *"
	case "@monthly":
		when = "0 0 1 * *"
	case "@weekly":
		when = "0 0 * * 0"
	case "@daily", "@midnight":
		when = "0 0 * * *"
	case "@hourly":
		when = "0 * * * *"
	case "@reboot":
		return nil, errors.New("nothing here starts with the machine")
	}
	texts := strings.Fields(when)
	if len(texts) != 5 {
		return nil, errors.New("not five fields")
	}
	var f [5]field
	for i, text := range texts {
		var err error
		if f[i], err = parseField(text, i); err != nil {
			return nil, err
		}
	}
	head := "0 " + f[0].text(0) + " " + f[1].text(0)
	month := f[3].text(1)
	days, week := f[2], f[4]
	switch {
	case week.all:
		return []string{head + " " + days.text(1) + " " + month + " ?"}, nil
	case days.all:
		return []string{head + " ? " + month + " " + week.weekdays()}, nil
	case days.star || week.star: // crontab fires on both then
		return nil, errors.New("days that are of both kinds")
	}
	return []string{head + " " + days.text(1) + " " + month + " ?", head + " ? " + month + " " + week.weekdays()}, nil
}

// parseField reads lists of values, ranges and steps.
func parseField(text string, at int) (field, error) {
	r := ranges()[at]
	f := field{all: text == "*", star: strings.HasPrefix(text, "*")}
	seen := map[int]bool{}
	for part := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(part, "/")
		n := 1
		if stepped {
			var err error
			if n, err = strconv.Atoi(step); err != nil || n < 1 || n > r.top {
				return f, fmt.Errorf("step %.20q of the %s", step, r.name)
			}
		}
		low, top := r.low, r.top
		if at == 4 {
			top = 6
		}
		if span == "*" {
			if stepped && !strings.Contains(text, ",") {
				f.step = n
			}
		} else {
			from, to, two := strings.Cut(span, "-")
			var err error
			if low, err = r.value(from); err != nil {
				return f, err
			}
			top = low
			if two {
				if top, err = r.value(to); err != nil {
					return f, err
				}
			} else if stepped {
				top = r.top
			}
			if low > top {
				return f, fmt.Errorf("%s from %d to %d", r.name, low, top)
			}
		}
		for v := low; v <= top; v += n {
			if at == 4 {
				seen[v%7] = true
			} else {
				seen[v] = true
			}
		}
	}
	for v := range seen {
		f.values = append(f.values, v)
	}
	slices.Sort(f.values)
	return f, nil
}

func (r rangeOf) value(text string) (int, error) {
	if at := slices.Index(r.words, strings.ToLower(text)); at >= 0 && text != "" {
		return at, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < r.low || n > r.top {
		return 0, fmt.Errorf("%.20q is no %s", text, r.name)
	}
	return n, nil
}

// text writes the field; first is the least value there is.
func (f field) text(first int) string {
	if f.all || f.step == 1 {
		return "*"
	}
	if f.step > 1 {
		return strconv.Itoa(first) + "/" + strconv.Itoa(f.step)
	}
	return list(f.values, strconv.Itoa)
}

func (f field) weekdays() string {
	names := []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}
	return list(f.values, func(v int) string { return names[v] })
}

// list joins values, runs of three and more as ranges.
func list(values []int, name func(int) string) string {
	var out []string
	for i := 0; i < len(values); {
		j := i
		for j+1 < len(values) && values[j+1] == values[j]+1 {
			j++
		}
		if j-i >= 2 {
			out = append(out, name(values[i])+"-"+name(values[j]))
		} else {
			for k := i; k <= j; k++ {
				out = append(out, name(values[k]))
			}
		}
		i = j + 1
	}
	return strings.Join(out, ",")
}
