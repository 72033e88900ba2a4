package dataquality

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"dorado/plugins/form"
)

// Kinds of expected values.
const (
	expectFixed = 1 + iota
	expectDay
	expectWeek
	expectMonth
	expect7Days
	expect30Days
	expectSource
	expectTarget
)

// params are the settings of a DATA_QUALITY task.
type params struct {
	rule                  int
	source, target        place
	column                string
	compare               string
	length                int64
	pattern               string
	begin, deadline       string
	format                string
	allowed               []string
	mapping               []pair
	actualSQL, actualName string
	expectSQL, expectName string
	expected              int
	check, operator       int
	threshold             *big.Rat
	block                 bool
}

// place is a table somewhere.
type place struct {
	source                  int64
	database, table, filter string
}

// pair is one condition by which rows of two tables belong together.
type pair struct {
	Source   string `json:"src_field"`
	Operator string `json:"operator"`
	Target   string `json:"target_field"`
}

// read takes settings whose placeholders are replaced.
func read(v form.Values) (params, error) {
	text := func(name string) string { return strings.TrimSpace(v.Text(name)) }
	number := func(name string) int { n, _ := strconv.Atoi(text(name)); return n }
	p := params{
		rule:   number(fieldRule),
		source: place{v.ID(fieldSource), text(fieldBase), text(fieldTable), text(fieldFilter)},
		target: place{v.ID(targetSource), text(targetBase), text(targetTable), text(targetFilter)},
		column: text(fieldColumn), compare: v.Text(fieldCompare), length: int64(v.Number(fieldLength)), pattern: v.Text(fieldPattern),
		begin: text(fieldBegin), deadline: text(fieldDeadline), format: text(fieldFormat), allowed: listed(v.Text(fieldEnum)),
		actualSQL: text(actualSQL), actualName: text(actualName), expectSQL: text(expectedSQL), expectName: text(expectedName),
		expected: number(fieldExpected), check: number(fieldCheck), operator: number(fieldOperator), block: v.Text(fieldStrategy) == "1",
	}
	var err error
	if p.threshold, err = parse(text(fieldLimit)); err != nil {
		return p, fmt.Errorf("the threshold %w", err)
	}
	if p.rule == ruleAccuracy {
		if p.mapping, err = mapped(v.Text(fieldMapping)); err != nil {
			return p, err
		}
	}
	return p, nil
}

// listed reads texts separated by commas; each may stand in quotes.
func listed(text string) []string {
	var all []string
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		if n := len(one); n > 1 && (one[0] == '\'' || one[0] == '"') && one[n-1] == one[0] {
			one = one[1 : n-1]
		} else if one == "" {
			continue
		}
		all = append(all, one)
	}
	return all
}

var errMapping = errors.New(`the columns must be a JSON list such as [{"src_field":"id","operator":"=","target_field":"id"}]`)

// mapped reads the columns by which rows belong together.
func mapped(text string) ([]pair, error) {
	var all []pair
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) == 0 {
		return nil, errMapping
	}
	for i, m := range all {
		if m.Operator == "" {
			all[i].Operator = "="
		}
		if strings.TrimSpace(m.Source) == "" || strings.TrimSpace(m.Target) == "" || !slices.Contains([]string{"=", "<>", "!=", "<", "<=", ">", ">="}, all[i].Operator) {
			return nil, errMapping
		}
	}
	return all, nil
}

// check finds what the schema does not see. Texts with placeholders are judged when the task runs.
func check(v form.Values) []form.Problem {
	var problems []form.Problem
	add := func(field, key string) { problems = append(problems, form.Problem{Field: field, Key: key}) }
	set := func(name string) bool { return strings.TrimSpace(v.Text(name)) != "" }
	open := func(name string) bool {
		return strings.Contains(v.Text(name), "${") || strings.Contains(v.Text(name), "$[")
	}
	rule, expected := v.Text(fieldRule), v.Text(fieldExpected)
	custom := rule == strconv.Itoa(ruleCustom) || rule == strconv.Itoa(ruleTwoValues)
	if !set(fieldTable) && !custom {
		add(fieldTable, "form.required")
	}
	if !set(targetTable) && rule == strconv.Itoa(ruleAccuracy) {
		add(targetTable, "form.required")
	}
	numbers := []string{fieldLimit}
	if expected == strconv.Itoa(expectFixed) && rule != strconv.Itoa(ruleTwoValues) {
		numbers = append(numbers, expectedName)
	}
	for _, name := range numbers {
		if _, err := parse(v.Text(name)); err != nil && !open(name) {
			add(name, "task.quality.error.number")
		}
	}
	if rule != strconv.Itoa(ruleTwoValues) {
		switch {
		case expected == strconv.Itoa(expectTarget) && rule != strconv.Itoa(ruleAccuracy):
			add(fieldExpected, "task.quality.error.target")
		case expected == strconv.Itoa(expectSource) && !set(fieldTable):
			add(fieldTable, "form.required")
		}
	}
	if rule == strconv.Itoa(ruleAccuracy) && !open(fieldMapping) {
		if _, err := mapped(v.Text(fieldMapping)); err != nil {
			add(fieldMapping, "task.quality.error.mapping")
		}
	}
	if rule == strconv.Itoa(ruleTimely) && !open(fieldFormat) {
		if _, err := timeFormat(strings.TrimSpace(v.Text(fieldFormat))); err != nil {
			add(fieldFormat, "task.quality.error.format")
		}
	}
	if rule == strconv.Itoa(ruleEnum) && len(listed(v.Text(fieldEnum))) == 0 {
		add(fieldEnum, "form.required")
	}
	return problems
}
