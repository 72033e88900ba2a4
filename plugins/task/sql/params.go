package sql

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"dorado/plugins/datasource"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Names of settings, all of them DolphinScheduler's.
const (
	text           = "sql"
	sqlType        = "sqlType"
	sendEmail      = "sendEmail"
	title          = "title"
	groupID        = "groupId"
	displayRows    = "displayRows"
	limit          = "limit"
	connParams     = "connParams"
	preStatements  = "preStatements"
	postStatements = "postStatements"

	asQuery  = "0"
	asChange = "1"

	standardLimit = 10_000
)

// params are the settings of an SQL task.
type params struct {
	source     int64
	text       string
	query      bool
	alert      *task.Alert // without its content; nil when nobody is told
	display    int
	limit      int
	connection string
	pre, post  []string
	local      []form.Param
}

func read(v form.Values, env task.Env) params {
	p := params{
		source: v.ID("datasource"), text: v.Text(text), query: v.Text(sqlType) != asChange, display: max(0, whole(v.Number(displayRows))),
		limit: whole(v.Number(limit)), pre: v.Texts(preStatements), post: v.Texts(postStatements), local: v.Params(task.LocalParams),
	}
	if p.limit <= 0 {
		p.limit = standardLimit
	}
	if p.query && v.Bool(sendEmail) {
		p.alert = &task.Alert{Group: v.ID(groupID), Title: cmp.Or(strings.TrimSpace(v.Text(title)), env.TaskName+" query result sets")}
	}
	if v.Text("type") == "HIVE" {
		p.connection = v.Text(connParams)
	}
	return p
}

// whole is n without its fraction, within what an int holds everywhere.
func whole(n float64) int { return int(min(max(n, math.MinInt32), math.MaxInt32)) }

// connect adds further parameters of the connection, written as k=v;k=v, to a data source. They come from whoever edits the
// task, so those that a data source may not have either are refused.
func connect(source task.Source, pairs string) (task.Source, error) {
	source.Settings.Other = slices.Clone(source.Settings.Other)
	for pair := range strings.SplitSeq(pairs, ";") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok || name == "":
			return source, fmt.Errorf("connection parameter %q is not of the form name=value", pair)
		case datasource.Forbidden(name):
			return source, fmt.Errorf("connection parameter %q is not allowed", name)
		case strings.ContainsFunc(name+value, func(r rune) bool { return r < ' ' || r == '&' || r == '#' || r == '?' }):
			return source, errors.New("a connection parameter holds a character that ends it")
		}
		source.Settings.Other = append(source.Settings.Other, datasource.Pair{Name: name, Value: value})
	}
	return source, nil
}
