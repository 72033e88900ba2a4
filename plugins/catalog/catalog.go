package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/chunjun"
	dataquality "dorado/plugins/task/data_quality"
	"dorado/plugins/task/datax"
	"dorado/plugins/task/dvc"
	"dorado/plugins/task/flink"
	flinkstream "dorado/plugins/task/flink_stream"
	"dorado/plugins/task/foreign"
	"dorado/plugins/task/hivecli"
	httptask "dorado/plugins/task/http"
	"dorado/plugins/task/java"
	"dorado/plugins/task/jupyter"
	"dorado/plugins/task/k8s"
	"dorado/plugins/task/linkis"
	"dorado/plugins/task/logic"
	"dorado/plugins/task/mlflow"
	"dorado/plugins/task/mr"
	"dorado/plugins/task/openmldb"
	"dorado/plugins/task/procedure"
	"dorado/plugins/task/python"
	"dorado/plugins/task/pytorch"
	"dorado/plugins/task/remoteshell"
	"dorado/plugins/task/seatunnel"
	"dorado/plugins/task/shell"
	"dorado/plugins/task/spark"
	"dorado/plugins/task/sql"
	"dorado/plugins/task/sqoop"
)

// Catalog finds plugins by type. It never changes and may be used from everywhere at once.
type Catalog struct {
	tasks  []task.Plugin
	byType map[string]task.Plugin
}

// Builtin returns the plugins of this program, in the order of the palette.
func Builtin() (*Catalog, error) {
	return New(slices.Concat([]task.Plugin{
		shell.Plugin(),
		java.Plugin(),
		python.Plugin(),
		procedure.Plugin(),
		sql.Plugin(),
		spark.Plugin(),
		flink.Plugin(),
		httptask.Plugin(),
		mr.Plugin(),
		flinkstream.Plugin(),
		hivecli.Plugin(),
		remoteshell.Plugin(),
		k8s.Plugin(),
		seatunnel.Plugin(),
		datax.Plugin(),
		sqoop.Plugin(),
		dataquality.Plugin(),
		jupyter.Plugin(),
		mlflow.Plugin(),
		openmldb.Plugin(),
		dvc.Plugin(),
		pytorch.Plugin(),
		chunjun.Plugin(),
		linkis.Plugin(),
	}, logic.Plugins(), foreign.Plugins()))
}

// New returns a catalogue of tasks. It refuses a plugin that is incomplete or listed twice.
func New(tasks []task.Plugin) (*Catalog, error) {
	c := &Catalog{tasks: slices.Clone(tasks), byType: make(map[string]task.Plugin, len(tasks))}
	var problems []error
	for _, p := range tasks {
		if err := p.Validate(); err != nil {
			problems = append(problems, err)
		}
		for _, name := range append([]string{p.Type}, p.Also...) {
			if _, twice := c.byType[name]; twice {
				problems = append(problems, fmt.Errorf("catalog: task type %q is listed twice", name))
			}
			c.byType[name] = p
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return c, nil
}

// Tasks returns every task plugin in the order of the palette.
func (c *Catalog) Tasks() []task.Plugin { return slices.Clone(c.tasks) }

// Task returns the plugin of a task type, also under an older name of the type.
func (c *Catalog) Task(taskType string) (task.Plugin, bool) {
	p, ok := c.byType[taskType]
	return p, ok
}

// Describe returns every task plugin for the browser; translate turns a message key into text.
func (c *Catalog) Describe(translate func(key string) string) []task.Description {
	all := make([]task.Description, 0, len(c.tasks))
	for _, p := range c.tasks {
		all = append(all, p.Describe(translate))
	}
	return all
}

// SourceIDs lists the data sources that the settings of a task name, without repetition. Settings that cannot be read name none.
func (c *Catalog) SourceIDs(taskType string, raw json.RawMessage) []int64 {
	p, ok := c.byType[taskType]
	if !ok || p.Sources == nil && !slices.ContainsFunc(p.Schema, func(f form.Field) bool { return f.Type == form.Source }) {
		return nil
	}
	values, problems := p.Decode(raw)
	if len(problems) > 0 {
		return nil
	}
	return p.SourceIDs(values)
}

// Series is what the settings of a task measure. Settings that cannot be read measure nothing.
func (c *Catalog) Series(taskType string, raw json.RawMessage) task.Series {
	p, ok := c.byType[taskType]
	if !ok || p.Measures == nil {
		return task.Series{}
	}
	values, problems := p.Decode(raw)
	if len(problems) > 0 {
		return task.Series{}
	}
	return p.Measures(values)
}

// CheckParams returns what is wrong with the settings of a task, an unknown type included; nothing when they may be
// saved.
func (c *Catalog) CheckParams(taskType string, raw json.RawMessage) []form.Problem {
	p, ok := c.byType[taskType]
	if !ok {
		return []form.Problem{{Key: "task.unknown_type", Args: []any{"type", taskType}}}
	}
	_, problems := p.Decode(raw)
	return problems
}
