package quality

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/fault"
	"dorado/modules/access"
	dataquality "dorado/plugins/task/data_quality"
)

// View allows to read the rules, and the results of projects whose runs one may see.
const View access.Permission = "quality.view"

// Rules says who has the permissions of this package.
func Rules() []access.Rule { return []access.Rule{access.Allow(View, access.User)} }

// ErrNoRule is answered for a rule that does not exist.
var ErrNoRule = fault.New(fault.NotFound, "quality.error.no_rule")

// ErrNoResult is answered for an attempt that left no result, or that one may not see.
var ErrNoResult = fault.New(fault.NotFound, "quality.error.no_result")

// types are the kinds of rules by their number: parts of message keys, and values of the filter.
func types() []string {
	return []string{"single_table", "custom_sql", "accuracy", "comparison"}
}

// typeOf is the kind of a rule in words of this package; "" for a number that is none.
func typeOf(n int) string {
	if all := types(); n >= 0 && n < len(all) {
		return all[n]
	}
	return ""
}

// States of results, which are values of the filter, too.
const (
	kept   = "SUCCESS"
	broken = "FAILURE"

	unknown = "NONE" // of a number that is no state, or no type
)

// stateOf is a state of DolphinScheduler's results as states are called here.
func stateOf(n int) string {
	switch n {
	case 1:
		return kept
	case 2:
		return broken
	}
	return unknown
}

// Result is what a task found, and where.
type Result struct {
	ID           int64     `db:"id"` // of the attempt
	Task         string    `db:"task"`
	At           time.Time `db:"created_at"`
	Body         string    `db:"body"`
	InstanceID   int64     `db:"instance_id"`
	Instance     string    `db:"instance"`
	WorkflowCode int64     `db:"workflow_code"`
	WorkflowID   *int64    `db:"workflow_id"` // nil: the workflow is gone
	Workflow     string    `db:"workflow"`
	ProjectCode  int64     `db:"project_code"`
	Project      string    `db:"project"`
	UserID       int64     `db:"user_id"` // who started the run
	User         string    `db:"user_name"`
	Rows         bool      `db:"has_rows"` // that break the rule are kept

	Found dataquality.Result `db:"-"`
}

// read takes the body apart. One of a newer program may have members of other types: what can be read is shown.
func (r *Result) read() {
	if err := json.Unmarshal([]byte(r.Body), &r.Found); err != nil && r.Found.RuleName == "" {
		r.Found.RuleName = "?"
	}
}

// ruleBy returns a rule by its number.
func ruleBy(id int) (dataquality.Rule, error) {
	all := dataquality.Rules()
	if k := slices.IndexFunc(all, func(r dataquality.Rule) bool { return r.ID == id }); k >= 0 {
		return all[k], nil
	}
	return dataquality.Rule{}, ErrNoRule.With("id", id)
}

// labelKey is the message key of a rule's name.
func labelKey(id int) string { return "task.quality.rule." + strconv.Itoa(id) }

// matches reports whether one of the texts contains what is searched, whatever the case.
func matches(search string, texts ...string) bool {
	search = strings.ToLower(strings.TrimSpace(search))
	return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(strings.ToLower(t), search) })
}
