package expr_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow/expr"
)

func params(name string) (expr.Param, bool) {
	p, ok := map[string]expr.Param{
		"n": {Text: "5", Bare: true}, "neg": {Text: "-3", Bare: true}, "f": {Text: "1.50", Bare: true}, "yes": {Text: "true", Bare: true},
		"bad": {Text: "5 || true", Bare: true}, "none": {Text: "", Bare: true},
		"s": {Text: "abc"}, "one": {Text: "1"}, "empty": {Text: ""}, "evil": {Text: `" || true || "`}, "lines": {Text: "a\nb\\"},
		"a.b-c": {Text: "dotted"},
	}[name]
	return p, ok
}

func TestConditionsAreTrueAsInJavaScript(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]bool{
		// literals and logic
		"true": true, "!false": true, "!!1": false || true, "true && false": false, "false || true": true, "true;": true,
		"null == undefined": true, "null === undefined": false, "null == 0": false, "undefined == false": false,
		// loose equality
		`"10" == 10`: true, `"1.0" == 1`: true, `"" == 0`: true, `" 7 " == 7`: true, `"a" == 0`: false, `true == 1`: true,
		`true == "1"`: true, `false == ""`: true, `"true" == true`: false, "NaN == NaN": false, "NaN != NaN": true,
		"[1] == 1": true, "[1,2] == '1,2'": true, "[1] == [1]": false, "[] == ''": true, "0x10 == 16": true, "'0x10' == 16": true,
		// strict equality
		`"1" === 1`: false, `1 === 1.0`: true, `"a" !== "b"`: true,
		// order
		"2 < 10": true, `"2" < "10"`: false, `"2" < 10`: true, `"a" < "b"`: true, "null >= 0": true, "undefined >= 0": false,
		`"x" < 1`: false, `"x" >= 1`: false, `"Z" < "a"`: true,
		// arithmetic
		"1 + 2 * 3 == 7": true, "(1 + 2) * 3 == 9": true, "7 % 4 == 3": true, "-7 % 4 == -3": true, `"1" + 2 === "12"`: true,
		`"6" / "2" == 3`: true, "1 / 0 == Infinity": true, `1 + true === 2`: true, `"a" + null === "anull"`: true, "0.1 + 0.2 == 0.3": false,
		`1e21 + "" == "1e+21"`: true, `1.5e-7 + "" == "1.5e-7"`: true, `100 + "" == "100"`: true, `-0 + "" == "0"`: true,
		// ternary binds loosest
		"1 > 2 ? false : true": true, "true ? false ? true : false : true": false,
		// texts
		`'it\'s' == "it's"`: true, `"\u0041\x42\n" == "AB\n"`: true, `"abc".length == 3`: true, `"😀".length == 2`: true,
		`"abc".includes("bc")`: true, `"abc".indexOf("c") === 2`: true, `"é€c".indexOf("c") === 2`: true, `"abc".startsWith("ab")`: true,
		`"abc".endsWith("bc")`: true, `"AbC".toLowerCase() == "abc"`: true, `"abc".toUpperCase() == "ABC"`: true, `" a ".trim() == "a"`: true,
		`"abc"[1] == "b"`: true, `"abc".charAt(9) == ""`: true, `"abcdef".substring(4, 2) == "cd"`: true,
		// lists
		`["a","b"].includes("a")`: true, `[1,2,3].includes("1")`: false, `[1,2].indexOf(2) == 1`: true, `[1,2,3].length === 3`: true, `[5][0] == 5`: true,
		// functions
		`Number("12") === 12`: true, `parseInt("12px") === 12`: true, `parseFloat("1.5e1x") == 15`: true, `String(1) === "1"`: true, `Boolean("") == false`: true,
		// parameters: numbers and booleans bare, everything else a text
		"${n} === 5": true, "${n} > 4 && ${neg} < 0": true, "${n}-${neg} == 8": true, "${f} == 1.5": true, "${yes}": true, "${yes} === true": true,
		`${s} == "abc"`: true, `${s} === 'abc'`: true, "${one} === 1": false, "${one} == 1": true, `${one} === "1"`: true, `${a.b-c} == "dotted"`: true,
		// quotes that the user wrote himself are swallowed
		`"${s}" == "abc"`: true, `'${s}' == 'abc'`: true, `"x${s}y" == "xabcy"`: true, `"${n}" == 5`: true, `"${n}" === "5"`: true,
		`"${unknown}" == "${unknown}"`: true, `${empty} == ""`: true,
		// values are never code
		`${evil} == "x"`: false, `"${evil}" == "x"`: false, `${lines}.length == 4`: true,
	} {
		holds, err := expr.Holds(src, params)
		require.NoError(t, err, src)
		require.Equal(t, want, holds, src)
	}
}

func TestWhatIsNoConditionIsFalseAndSaysWhy(t *testing.T) {
	t.Parallel()
	for src, reason := range map[string]string{
		"":                                "empty",
		"while(true)":                     "loops are not allowed",
		"while (true) {}":                 "loops are not allowed",
		"true && for(;;)":                 "loops are not allowed",
		"function(){}":                    "statements are not allowed",
		"(function(){while(1){}})()":      "statements are not allowed",
		"new Date()":                      "statements are not allowed",
		"x":                               "x is not defined",
		"1 = 1":                           "compare with ==",
		"${n} += 1":                       "changes a value",
		"${n}++":                          "changes a value",
		"abc == 1":                        `write ${abc} for a parameter and "abc" for a text`,
		"java.lang.System.exit(0)":        "java is not defined",
		"(1":                              ") is missing",
		"1 +":                             "ends too early",
		"1 1":                             "not expected",
		`"open`:                           "not closed",
		`"abc".constructor`:               ".constructor is not known",
		`"abc".repeat(9)`:                 ".repeat() is not known",
		"${open":                          "${ without }",
		"${unknown} == 1":                 "no parameter is called unknown",
		"true || ${unknown}":              "no parameter is called unknown",
		"${bad}":                          "which is no number",
		"${none} == 0":                    "is empty",
		"1":                               "neither true nor false",
		`"true"`:                          "neither true nor false",
		"null.length":                     "has no length",
		"null[0]":                         "has no elements",
		"1 // comment":                    "comments",
		"1 @ 2":                           "means nothing",
		"12abc":                           "no number",
		strings.Repeat("(", 500) + "1":    "nested too deeply",
		strings.Repeat("!", 500) + "1":    "nested too deeply",
		strings.Repeat("1+", 40000) + "1": "longer than",
	} {
		holds, err := expr.Holds(src, params)
		require.False(t, holds, src)
		require.ErrorContains(t, err, reason, "%.60s", src)
	}
}

func TestAnEvaluationIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	src := "${long}.includes('y')" + strings.Repeat(" || ${long}.includes('y')", 2000)
	_, err := expr.Holds(src, func(string) (expr.Param, bool) { return expr.Param{Text: long}, true })
	require.ErrorIs(t, err, expr.ErrTooMuch)
}

func TestShowPutsParametersIn(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"${n} > 4 && ${s} == 'abc'": `5 > 4 && "abc" == 'abc'`,
		`"${s}" == "x\"${s}"`:       `"abc" == "x\"abc"`,
		"${unknown} == 1":           "${unknown} == 1",
		"${open":                    "${open",
	} {
		require.Equal(t, want, expr.Show(src, params))
	}
}

func FuzzHolds(f *testing.F) {
	for _, src := range []string{`${n} > 4 ? "a"[0] : [1,"2"].includes('1')`, "while(true)", `"\u12`, "((((", "${", "1e999 % -0x1F", `"😀".charAt(1)`} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		first, err := expr.Holds(src, params)
		again, same := expr.Holds(src, params)
		require.Equal(t, first, again)
		require.Equal(t, err == nil, same == nil)
		require.False(t, first && err != nil)
		expr.Show(src, params)
	})
}
