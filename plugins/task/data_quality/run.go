package dataquality

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// States of a result, as DolphinScheduler numbers them.
const (
	stateNone    = 0 // there was nothing to compare with
	stateSuccess = 1
	stateFailure = 2
)

// Result is what a rule found. Members are those of DolphinScheduler's results; numbers that may have digits after the point
// are texts.
type Result struct {
	RuleID          int    `json:"ruleId"`
	RuleType        int    `json:"ruleType"`
	RuleName        string `json:"ruleName"`
	TaskName        string `json:"taskName"`
	TaskInstanceID  int64  `json:"taskInstanceId"`
	StatisticsName  string `json:"statisticsName"`
	StatisticsValue string `json:"statisticsValue"`
	ComparisonType  int    `json:"comparisonType"`
	ComparisonValue string `json:"comparisonValue"`
	CheckType       int    `json:"checkType"`
	CheckValue      string `json:"checkValue"` // what the check type makes of the two; "" when it cannot
	Operator        int    `json:"operator"`
	Threshold       string `json:"threshold"`
	FailureStrategy int    `json:"failureStrategy"`
	State           int    `json:"state"`
	Reason          string `json:"reason,omitempty"`
	ErrorOutputPath string `json:"errorOutputPath,omitempty"`
	UniqueCode      string `json:"uniqueCode"` // of what was measured: results with the same one can be compared
}

// kind is what is known of a rule besides its inputs.
type kind struct {
	name, statistic string
	group           int // single table, custom SQL, accuracy, two values
}

func kinds() map[int]kind {
	return map[int]kind{
		ruleNull: {"null_check", "null_count.nulls", 0}, ruleCustom: {"custom_sql", "", 1}, ruleAccuracy: {"multi_table_accuracy", "miss_count.miss", 2},
		ruleTwoValues: {"multi_table_value_comparison", "", 3}, ruleLength: {"field_length_check", "invalid_length_count.valids", 0},
		ruleUnique: {"uniqueness_check", "duplicate_count.duplicates", 0}, rulePattern: {"regexp_check", "regexp_count.regexps", 0},
		ruleTimely: {"timeliness_check", "timeliness_count.timeliness", 0}, ruleEnum: {"enumeration_check", "enum_count.enums", 0},
		ruleCount: {"table_count_check", "table_count.total", 0},
	}
}

func run(ctx context.Context, v form.Values, env task.Env) (task.Outcome, error) {
	p, err := read(v)
	if err != nil {
		return task.Outcome{}, err
	}
	rule, ok := kinds()[p.rule]
	if !ok {
		return task.Outcome{}, fmt.Errorf("there is no rule %d", p.rule)
	}
	if p.rule == ruleTwoValues {
		p.expected = 0
	}
	if window(p.expected) != nil && env.Past == nil {
		return task.Outcome{}, errHistory
	}
	actual, expected, shown, err := values(ctx, p, env)
	if err != nil {
		return task.Outcome{}, err
	}
	r := Result{
		RuleID: p.rule, RuleType: rule.group, RuleName: rule.name, TaskName: env.TaskName, TaskInstanceID: env.TaskInstanceID,
		StatisticsName: rule.statistic, StatisticsValue: show(actual), ComparisonType: p.expected, ComparisonValue: show(expected),
		CheckType: p.check, Operator: p.operator, Threshold: show(p.threshold), State: stateSuccess, UniqueCode: code(v),
	}
	if r.StatisticsName == "" {
		r.StatisticsName = p.actualName
	}
	if p.block {
		r.FailureStrategy = 1
	}
	r.judge(p, actual, expected)
	out := task.Outcome{Measured: exact(actual)}
	if len(shown.rows) > 0 {
		fmt.Fprintln(env.Log, "rows that break the rule:")
		shown.write(env.Log)
		if err := shown.save(filepath.Join(env.Dir, rowsFile)); err != nil {
			fmt.Fprintln(env.Log, err)
		} else {
			r.ErrorOutputPath = rowsFile
		}
		out.Detail = shown.preview()
	}
	return finish(r, env, out)
}

// judge compares the two values. Without an expected one there is no verdict.
func (r *Result) judge(p params, actual, expected *big.Rat) {
	if expected == nil {
		r.State, r.Reason = stateNone, "there is no earlier value in the time that was asked for, so the rule was not judged"
		return
	}
	value, err := measure(p.check, actual, expected)
	switch {
	case err != nil:
		r.State, r.Reason = stateFailure, err.Error()
	case holds(value, p.operator, p.threshold):
		r.State, r.CheckValue = stateFailure, show(value)
		r.Reason = fmt.Sprintf("%s is %s, which is %s %s", formula(p.check), r.CheckValue, sign(p.operator), r.Threshold)
	default:
		r.CheckValue = show(value)
	}
}

// values gets the two numbers, and rows that break the rule.
func values(ctx context.Context, p params, env task.Env) (actual, expected *big.Rat, shown *sample, err error) {
	shown = &sample{}
	source, err := connect(ctx, env, p.source)
	if err != nil {
		return nil, nil, shown, err
	}
	defer source.close()
	target := source
	needed := p.rule == ruleAccuracy || p.rule == ruleTwoValues
	apart := needed && !together(source.source.Plugin, p.source, p.target)
	if apart {
		if target, err = connect(ctx, env, p.target); err != nil {
			return nil, nil, shown, err
		}
		defer target.close()
	}
	if p.rule == ruleAccuracy && apart {
		actual, err = compare(ctx, p, source, target, mostKeys, shown)
	} else {
		actual, err = source.measure(ctx, p, shown)
	}
	if err != nil {
		return nil, nil, shown, err
	}
	switch {
	case p.rule == ruleTwoValues:
		expected, err = target.number(ctx, target.fill(target.source.Plugin, p, p.expectSQL), p.expectName)
	case p.expected == expectSource:
		expected, err = source.number(ctx, count(source.table(source.source.Plugin, p.source), where(p.source.filter)), "")
	case window(p.expected) != nil:
		expected, err = earlier(env.Past, env.Log)
	case p.expected == expectTarget:
		expected, err = target.number(ctx, count(target.table(target.source.Plugin, p.target), where(p.target.filter)), "")
	default:
		if expected, err = parse(p.expectName); err != nil {
			err = fmt.Errorf("the expected value %w", err)
		}
	}
	return actual, expected, shown, err
}

// measure asks for the actual value of a rule, and for the rows behind it.
func (c *connection) measure(ctx context.Context, p params, shown *sample) (*big.Rat, error) {
	var text bool
	if p.rule == ruleTimely {
		var err error
		if text, err = c.isText(ctx, p); err != nil {
			return nil, err
		}
	}
	q, err := c.ask(c.source.Plugin, p, text)
	if err != nil {
		return nil, err
	}
	n, err := c.number(ctx, q.count, q.name)
	if err != nil || n.Sign() == 0 || q.rows == "" {
		return n, err
	}
	return n, c.query(ctx, c.first(q.rows, mostRows)+q.tail, shown.add)
}

// code is the same for inputs that measure the same, whatever the value is compared with.
func code(v form.Values) string {
	inputs := map[string]any{}
	for _, f := range schema() {
		if (f.Name == fieldRule || strings.HasPrefix(f.Name, in)) && !slices.Contains(verdict(), f.Name) && schema().Shown(f, v) {
			inputs[f.Name] = v[f.Name]
		}
	}
	raw, err := json.Marshal(inputs)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return strings.ToUpper(base64.StdEncoding.EncodeToString(sum[:]))
}

// verdict are the inputs that say what the value is compared with, and what comes of it.
func verdict() []string {
	return []string{fieldExpected, expectedName, expectedSQL, fieldCheck, fieldOperator, fieldLimit, fieldStrategy}
}

// finish says what was found to everybody who wants to know.
func finish(r Result, env task.Env, out task.Outcome) (task.Outcome, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return task.Outcome{}, fmt.Errorf("write the result: %w", err)
	}
	verdict := "the rule holds"
	switch r.State {
	case stateFailure:
		verdict = "the rule is broken: " + r.Reason
	case stateNone:
		verdict = r.Reason
	}
	_, err = fmt.Fprintf(env.Log, "actual value %s = %s, expected value = %s; fails when %s %s %s\n%s\ndata quality result: %s\n",
		r.StatisticsName, r.StatisticsValue, r.ComparisonValue, formula(r.CheckType), sign(r.Operator), r.Threshold, verdict, raw)
	if err != nil {
		return task.Outcome{}, fmt.Errorf("write the log: %w", err)
	}
	out.Result, out.Extra = raw, []form.Param{{Prop: env.TaskName + ".result", Direct: "OUT", Type: "VARCHAR", Value: string(raw)}}
	if r.State != stateFailure {
		return out, nil
	}
	content, err := json.Marshal([]map[string]string{{
		"task": r.TaskName, "rule": r.RuleName, "reason": r.Reason, "actual": r.StatisticsValue, "expected": r.ComparisonValue,
		"check": formula(r.CheckType) + " " + sign(r.Operator) + " " + r.Threshold, "task instance": strconv.FormatInt(r.TaskInstanceID, 10),
	}})
	if err != nil {
		return out, fmt.Errorf("write the alert: %w", err)
	}
	out.Alert = &task.Alert{Title: "Data quality: " + r.TaskName + " breaks the rule " + r.RuleName, Content: string(content)}
	if r.FailureStrategy == 1 {
		return out, errors.New("the rule " + r.RuleName + " is broken: " + r.Reason)
	}
	return out, nil
}
