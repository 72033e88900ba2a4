package cron

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// chinese goes from the large to the small: year, month, day, time.
type chinese struct{ e *Expr }

func (w *chinese) sentence() string {
	date := w.years() + w.days()
	if date == "" {
		return spaced(w.time())
	}
	return spaced(date + " " + w.time())
}

// spaced puts one space between a character and a digit, and none where a range of dates would have one too many.
func spaced(text string) string {
	var b strings.Builder
	last := rune(0)
	for _, r := range text {
		if last != 0 && (last > 0x2e80 && r >= '0' && r <= '9' && last != '、' || last >= '0' && last <= '9' && r > 0x2e80 && r != '、') {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last = r
	}
	return strings.NewReplacer("年 至 ", "年至 ", "月 至 ", "月至 ", "日 至 ", "日至 ", "时 至 ", "时至 ").Replace(b.String())
}

func (w *chinese) time() string {
	if list := w.e.times(); list != nil {
		return join(list)
	}
	second, minute, hour := w.e.fields[Second], w.e.fields[Minute], w.e.fields[Hour]
	fine := !second.zero() || every(minute) || minute.stepped() || bits.OnesCount64(w.e.minutes) > 1
	text := w.hours(hour, minute, fine)
	switch {
	case every(minute):
		if second.zero() {
			return text + "每分钟"
		}
		if !every(second) && !second.stepped() {
			text += "每分钟"
		}
	case minute.stepped():
		text += w.step(minute, "分钟", "分")
	case minute.zero() && second.zero():
		return text
	default:
		if every(hour) && fine {
			text += "每小时"
		}
		if !strings.HasSuffix(text, "每小时") && text != "" {
			text += "的"
		}
		text += "第 " + w.list(minute, strconv.Itoa) + " 分"
	}
	switch {
	case second.zero():
	case every(second):
		text += "每秒"
	case second.stepped():
		text += w.step(second, "秒", "秒")
	default:
		text += "第 " + w.list(second, strconv.Itoa) + " 秒"
	}
	return text
}

func (w *chinese) hours(hour, minute spec, fine bool) string {
	m, _ := minute.only()
	if every(hour) {
		if fine {
			return ""
		}
		return "每小时"
	}
	if r, ok := hour.run(); ok && r.to > r.from {
		if fine && r.step == 1 {
			return fmt.Sprintf("%s 至 %s 之间", clock(r.from, 0, 0), clock(r.to, 59, 0))
		}
		if !fine {
			return fmt.Sprintf("%s 至 %s %s", clock(r.from, m, 0), clock(r.to, m, 0), countZh(r.step, "小时"))
		}
	}
	if hour.stepped() && !fine {
		i := hour.items[0]
		if i.from > 0 {
			return fmt.Sprintf("从 %s 起%s", clock(i.from, m, 0), countZh(i.step, "小时"))
		}
		return countZh(i.step, "小时")
	}
	return w.list(hour, func(n int) string { return strconv.Itoa(n) + " 时" }) + "内"
}

func (w *chinese) step(s spec, name, at string) string {
	i := s.items[0]
	if i.from > 0 {
		return fmt.Sprintf("从第 %d %s起%s", i.from, at, countZh(i.step, name))
	}
	return countZh(i.step, name)
}

func countZh(n int, name string) string {
	if n == 1 {
		return "每" + name
	}
	return fmt.Sprintf("每 %d %s", n, name)
}

func (w *chinese) list(s spec, name func(int) string) string {
	var texts []string
	for _, i := range s.items {
		switch {
		case i.kind != itemRange:
		case i.single():
			texts = append(texts, name(i.from))
		case i.step > 1:
			texts = append(texts, fmt.Sprintf("%s 至 %s 每 %d 个", name(i.from), name(i.to), i.step))
		default:
			texts = append(texts, name(i.from)+" 至 "+name(i.to))
		}
	}
	return join(texts)
}

func join(texts []string) string { return strings.Join(texts, "、") }

func (w *chinese) years() string {
	s := w.e.fields[Year]
	year := func(n int) string { return strconv.Itoa(n) + " 年" }
	switch {
	case s.all():
		return ""
	case s.stepped():
		return fmt.Sprintf("从 %s起%s", year(s.items[0].from), countZh(s.items[0].step, "年"))
	default:
		return w.list(s, year)
	}
}

// days holds the months, because "每月" and "每年 3 月的" begin what follows them.
func (w *chinese) days() string {
	byMonth, byWeek := w.e.dayRules()
	s := w.e.fields[Month]
	month := func(n int) string { return strconv.Itoa(n) + " 月" }
	lead, each := "", "每月"
	switch {
	case s.all() || oneToAll(s):
	case s.stepped():
		lead = fmt.Sprintf("从 %s起%s", month(s.items[0].from), countZh(s.items[0].step, "个月"))
	default:
		lead = w.list(s, month)
		if w.e.fields[Year].all() {
			lead = "每年 " + lead
		}
	}
	if lead != "" {
		each = lead + "的"
	}
	switch {
	case byMonth && byWeek && w.e.either:
		return each + w.monthDays() + "或" + w.weekDays("")
	case byMonth && byWeek:
		return each + w.monthDays() + "且为" + strings.TrimPrefix(w.weekDays(""), "每")
	case byMonth:
		return each + w.monthDays()
	case byWeek:
		return w.weekDays(lead)
	case lead != "":
		return lead + "每天"
	case w.e.times() != nil:
		return "每天"
	default:
		return ""
	}
}

func (w *chinese) monthDays() string {
	s := w.e.fields[DayOfMonth]
	if s.stepped() {
		return fmt.Sprintf("从 %d 日起每 %d 天", s.items[0].from, s.items[0].step)
	}
	var texts []string
	for _, i := range s.items {
		switch i.kind {
		case itemRange:
			texts = append(texts, w.list(spec{items: []item{i}}, func(n int) string { return strconv.Itoa(n) + " 日" }))
		case itemLast:
			if i.from == 0 {
				texts = append(texts, "最后一天")
			} else {
				texts = append(texts, fmt.Sprintf("最后一天的前 %d 天", i.from))
			}
		case itemLastW:
			if i.from == 0 {
				texts = append(texts, "最后一个工作日")
			} else {
				texts = append(texts, fmt.Sprintf("离最后一天的前 %d 天最近的工作日", i.from))
			}
		case itemNearest:
			texts = append(texts, fmt.Sprintf("离 %d 日最近的工作日", i.from))
		case itemNone, itemLastDay, itemNth:
		}
	}
	return join(texts)
}

func (w *chinese) weekDays(lead string) string {
	s := w.e.fields[DayOfWeek]
	day := func(n int) string {
		return []string{"", "周日", "周一", "周二", "周三", "周四", "周五", "周六"}[n]
	}
	var plain, special []string
	for _, i := range s.items {
		switch i.kind {
		case itemRange:
			if i.open || i.step > 1 {
				for set := (spec{items: []item{i}}).bits(DayOfWeek); set != 0; set &= set - 1 {
					plain = append(plain, day(bits.TrailingZeros64(set)))
				}
				continue
			}
			plain = append(plain, strings.ReplaceAll(w.list(spec{items: []item{i}}, day), " 至 ", "至"))
		case itemLastDay:
			special = append(special, "最后一个"+day(i.from))
		case itemNth:
			special = append(special, "第"+[]string{"", "一", "二", "三", "四", "五"}[i.to]+"个"+day(i.from))
		case itemNone, itemLast, itemLastW, itemNearest:
		}
	}
	var texts []string
	if len(plain) > 0 {
		texts = append(texts, "每"+join(plain))
	}
	if len(special) > 0 {
		if lead == "" {
			special[0] = "每月" + special[0]
		}
		texts = append(texts, special...)
	}
	if lead != "" {
		lead += "的"
	}
	return lead + join(texts)
}
