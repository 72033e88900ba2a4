package cron

import "fmt"

// Reason says what is wrong with an expression.
type Reason string

// The reasons.
const (
	Empty             Reason = "empty"
	TooLong           Reason = "too-long"
	FieldCount        Reason = "field-count"
	Syntax            Reason = "syntax"
	Range             Reason = "range"
	Step              Reason = "step"
	Backwards         Reason = "backwards"
	Name              Reason = "name"
	Nth               Reason = "nth"
	QuestionElsewhere Reason = "question-elsewhere"
	QuestionInList    Reason = "question-in-list"
	BothUnset         Reason = "both-unset"
	BothSet           Reason = "both-set"
	QuartzOnly        Reason = "quartz-only"
	Never             Reason = "never"
)

// Error is what Parse found, and where.
type Error struct {
	Field  Field // Whole when it concerns no single field
	Reason Reason
	// Start and End bound the offending bytes of the expression.
	Start, End int
	Text       string // what stands there, or the number of fields
	Min, Max   int    // what would be allowed, where Reason is about numbers
	Unix       bool
}

func (e *Error) Error() string { return "cron: " + e.Message("en") }

// Message is the sentence for the user, in "en" or "zh".
func (e *Error) Message(lang string) string {
	zh := lang == "zh"
	var text string
	switch e.Reason {
	case Empty:
		return pick(zh, "the expression is empty", "表达式为空")
	case TooLong:
		return fmt.Sprintf(pick(zh, "the expression is longer than %d characters", "表达式超过 %d 个字符"), e.Max)
	case FieldCount:
		return fmt.Sprintf(pick(zh,
			"the expression has %s fields; write 6 or 7 (Quartz: second minute hour day month weekday [year]) or 5 (Unix)",
			"表达式有 %s 个字段，应为 6 或 7 个（Quartz：秒 分 时 日 月 周 [年]）或 5 个（Unix）"), e.Text)
	case Syntax:
		text = fmt.Sprintf(pick(zh, "%q cannot be read here", "无法识别 %q"), e.Text)
	case Range:
		text = fmt.Sprintf(pick(zh, "%s is outside %d to %d", "%s 不在 %d 到 %d 之间"), e.Text, e.Min, e.Max)
	case Step:
		text = fmt.Sprintf(pick(zh, "the step %s is outside %d to %d", "步长 %s 不在 %d 到 %d 之间"), e.Text, e.Min, e.Max)
	case Backwards:
		text = fmt.Sprintf(pick(zh, "the range %s ends before it begins", "范围 %s 的终点早于起点"), e.Text)
	case Name:
		text = fmt.Sprintf(pick(zh, "%q is not a name; use three letters such as %s", "%q 不是有效名称，请用三个字母，如 %s"), e.Text,
			map[bool]string{true: "JAN", false: "MON"}[e.Field == Month])
	case Nth:
		text = fmt.Sprintf(pick(zh, "%s after # is outside %d to %d", "# 后的 %s 不在 %d 到 %d 之间"), e.Text, e.Min, e.Max)
	case QuestionElsewhere:
		text = pick(zh, "? is only for day-of-month and day-of-week", "? 只能用于日和周")
	case QuestionInList:
		text = pick(zh, "? stands alone", "? 必须单独使用")
	case BothUnset:
		text = pick(zh, "only one of day-of-month and day-of-week may be ?", "日和周不能同时为 ?")
	case BothSet:
		text = pick(zh, "one of day-of-month and day-of-week must be ?", "日和周必须有一个为 ?")
	case QuartzOnly:
		text = fmt.Sprintf(pick(zh, "%s needs a Quartz expression of 6 or 7 fields", "%s 只能用于 6 或 7 个字段的 Quartz 表达式"), e.Text)
	case Never:
		text = pick(zh, "no such day exists, the expression never fires", "不存在这样的日期，永远不会触发")
	}
	return e.Field.Name(lang) + pick(zh, ": ", "：") + text
}

// Name is the name of a field in "en" or "zh".
func (f Field) Name(lang string) string {
	zh := lang == "zh"
	switch f {
	case Second:
		return pick(zh, "second", "秒")
	case Minute:
		return pick(zh, "minute", "分")
	case Hour:
		return pick(zh, "hour", "时")
	case DayOfMonth:
		return pick(zh, "day-of-month", "日")
	case Month:
		return pick(zh, "month", "月")
	case DayOfWeek:
		return pick(zh, "day-of-week", "周")
	case Year:
		return pick(zh, "year", "年")
	case Whole:
	}
	return pick(zh, "expression", "表达式")
}

func pick(zh bool, en, cn string) string {
	if zh {
		return cn
	}
	return en
}
