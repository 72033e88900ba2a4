package pinyin_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/pinyin"
)

func table(t testing.TB) *pinyin.Table {
	t.Helper()
	p, err := pinyin.New()
	require.NoError(t, err)
	return p
}

func TestNamesAreFoundAsPeopleTypeThem(t *testing.T) {
	t.Parallel()
	p := table(t)
	for name, c := range map[string]struct{ found, missed []string }{
		"订单": {
			[]string{"dingdan", "dd", "dingd", "ddan", "dingda", "d", "di", "din", "ding dan", "ding'dan", "DingDan", "dan", "订dan", "ding单", "订单"},
			[]string{"dida", "ddd", "dingdang", "dindan", "ingdan", "danding", "dingdan1", "dang", "b"},
		},
		"重庆":        {[]string{"chongqing", "cq", "chq", "zhongqing", "zq", "chongq", "cqing"}, []string{"qc", "chqong"}},
		"银行对账":      {[]string{"yinhang", "yh", "yhdz", "yinhangduizhang", "duizhang", "dzh", "yinhdzhang"}, []string{"yinhan'd", "yd"}},
		"中国上海":      {[]string{"zhongguo", "zg", "zhg", "shanghai", "sh", "zgsh", "zhgshh", "zhonggsh"}, []string{"zgh", "hgsh"}},
		"西安":        {[]string{"xian", "xi'an", "xa", "xi an"}, []string{"xiang", "axi"}},
		"方案":        {[]string{"fangan", "fang'an", "fa", "fan"}, []string{"fanan"}},
		"女装绿色":      {[]string{"nvzhuang", "nuzhuang", "nüzhuang", "nz", "lvse", "luse", "lüse"}, []string{"vzhuang"}},
		"会计单据":      {[]string{"kuaiji", "huiji", "kj", "kjdj", "danju"}, []string{"kuaidj1"}},
		"etl_每日订单":  {[]string{"etlmrdd", "etl_mrdd", "ETLmeiri", "mrdd", "etl每r"}, []string{"etldd"}},
		"订单-汇总 (新)": {[]string{"ddhz", "ddhzx", "dd-hz", "huizongxin", "dingdan huizong"}, []string{"ddx"}},
		"2026年订单":   {[]string{"2026ndd", "2026nian", "6n"}, []string{"2026dd"}},
		"行长":        {[]string{"hangzhang", "xingchang", "hz"}, nil},
		"數據倉庫":      {[]string{"shujucangku", "sjck"}, nil}, // traditional characters
		"daily":     {[]string{"daily", "ail", "DAI"}, []string{"dly", "day"}},
		"日本語テスト":    {[]string{"riben", "rb", "テスト"}, []string{"tesuto"}},
		"":          {[]string{"", " "}, []string{"a"}},
	} {
		for _, text := range c.found {
			require.True(t, p.Text(text).In(name), "%q finds %q", text, name)
		}
		for _, text := range c.missed {
			require.False(t, p.Text(text).In(name), "%q does not find %q", text, name)
		}
	}
}

func TestTheBeginningOfANameIsToldFromItsMiddle(t *testing.T) {
	t.Parallel()
	p := table(t)
	require.True(t, p.Text("dd").Begins("订单同步"))
	require.False(t, p.Text("dd").Begins("每日订单"))
	require.True(t, p.Text("dd").In("每日订单"))
	require.False(t, p.Text("dd").Begins("(订单)"))
}

func TestOnlyLatinLettersSpell(t *testing.T) {
	t.Parallel()
	p := table(t)
	for text, spells := range map[string]bool{"dd": true, "订d": true, "DD": true, "": false, "订单": false, "2026": false, "é": false} {
		require.Equal(t, spells, p.Text(text).Spells(), text)
	}
}

func TestTheTableHasTheCharactersOfDailyLifeInTheirCommonReadings(t *testing.T) {
	t.Parallel()
	p := table(t)
	for c, want := range map[rune][]string{
		'单': {"chan", "dan", "shan"}, '重': {"chong", "zhong"}, '行': {"hang", "heng", "xing"}, '乐': {"le", "yue"},
		'率': {"lv", "shuai"}, '还': {"hai", "huan"}, '长': {"chang", "zhang"}, '一': {"yi"}, '龥': {"yu"}, 'a': nil, 'é': nil, '㐀': nil,
	} {
		require.Equal(t, want, p.Readings(c), string(c))
	}
	known := 0
	for c := rune(0x4E00); c <= 0x9FFF; c++ {
		list := p.Readings(c)
		require.LessOrEqual(t, len(list), 4, string(c))
		known += min(1, len(list))
		for _, s := range list {
			require.Regexp(t, `^[a-z]{1,6}$`, s)
		}
	}
	require.Greater(t, known, 20_800)
}

// However a name of characters is typed, by whole syllables, initials, or an end that was broken off, it is found; and what is
// found stays found while one takes back the last letter.
func FuzzWhatIsTypedForANameFindsIt(f *testing.F) {
	p := table(f)
	f.Add("订单重庆", []byte{0, 1, 2, 3}, uint8(2))
	f.Add("银行_女 中国ab", []byte{7, 4, 1}, uint8(0))
	f.Add("\xff單e\u0301", []byte{}, uint8(9))
	f.Fuzz(func(t *testing.T, name string, choices []byte, cut uint8) {
		if len(name) > 200 || !utf8.ValidString(name) {
			return
		}
		choice := func(k, among int) int {
			if len(choices) == 0 {
				return 0
			}
			return int(choices[k%len(choices)]) % among
		}
		var typed strings.Builder
		last := 0 // where the text of the last character begins
		k := 0
		for _, c := range name {
			last = typed.Len()
			k++
			readings := p.Readings(c)
			if len(readings) == 0 {
				typed.WriteRune(c)
				continue
			}
			s := readings[choice(k, len(readings))]
			switch choice(k+1, 3) {
			case 0:
				typed.WriteString(s)
			case 1:
				typed.WriteString(s[:1])
			case 2:
				if len(s) > 1 && s[1] == 'h' {
					typed.WriteString(s[:2])
				} else {
					typed.WriteString(s)
				}
			}
		}
		text := typed.String()
		require.True(t, p.Text(text).In(name), "%q for %q", text, name)
		require.True(t, p.Text(text).In("前缀"+name+"后"), "%q inside", text)
		if end := text[last:]; len(end) > 1 && utf8.RuneCountInString(end) == len(end) {
			text = text[:last+1+int(cut)%(len(end)-1)]
			require.True(t, p.Text(text).In(name), "%q for %q", text, name)
		}
	})
}
