package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"dorado/modules/flow"
)

// exampleNames is how many names CreateExample tries before it gives up.
const exampleNames = 100

// CreateExample makes a small offline workflow to start from: a shell task, two tasks beside each other that take a
// value over from it, and a Python task that waits for both. A taken name gets a number. Errors as of Create.
func (s *Service) CreateExample(ctx context.Context, projectCode int64, name string) (Saved, error) {
	for n := 1; ; n++ {
		def := exampleOf(s.Codes.NextN(4))
		def.Name = name
		if n > 1 {
			def.Name = name + " " + strconv.Itoa(n)
		}
		saved, err := s.Create(ctx, projectCode, Change{Definition: def})
		if !errors.Is(err, ErrNameTaken) || n == exampleNames {
			return saved, err
		}
	}
}

func exampleOf(codes []int64) *flow.Definition {
	type params struct {
		RawScript   string          `json:"rawScript"`
		LocalParams []flow.Property `json:"localParams"`
	}
	out := []flow.Property{{Prop: "rows", Direct: flow.Out, Type: flow.Integer}}
	tasks := []struct {
		name, kind string
		params     params
	}{
		{"extract", "SHELL", params{"echo \"reading orders of ${day}\"\nsleep 1\necho '${setValue(rows=42)}'", out}},
		{"check", "SHELL", params{"echo \"${rows} rows arrived\"\ntest ${rows} -gt 0", nil}},
		{"transform", "PYTHON", params{"rows = int(\"${rows}\")\nprint(f\"transforming {rows} rows\")\nprint(\"sum of squares:\", sum(n * n for n in range(rows)))", nil}},
		{"report", "SHELL", params{"echo \"${rows} rows of ${day} are ready\"", nil}},
	}
	def := &flow.Definition{
		ExecutionType: flow.Parallel,
		GlobalParams:  []flow.Property{{Prop: "day", Direct: flow.In, Type: flow.Varchar, Value: "$[yyyy-MM-dd-1]"}},
	}
	places := [][2]float64{{0, 76}, {264, 0}, {264, 152}, {528, 76}}
	for i, t := range tasks {
		if t.params.LocalParams == nil {
			t.params.LocalParams = []flow.Property{}
		}
		raw, err := json.Marshal(t.params)
		if err != nil {
			raw = json.RawMessage("{}") // strings always encode; validation would refuse the task
		}
		def.Tasks = append(def.Tasks, flow.Task{
			Code: codes[i], Name: t.name, Type: t.kind, Params: raw, Flag: flow.FlagYes, IsCache: flow.FlagNo, Priority: flow.Medium,
			WorkerGroup: "default", EnvironmentCode: -1, RetryInterval: 1, TimeoutFlag: flow.TimeoutClose, CPUQuota: -1, MemoryMax: -1,
			ExecuteType: flow.Batch,
		})
		def.Locations = append(def.Locations, flow.Location{TaskCode: codes[i], X: places[i][0], Y: places[i][1]})
	}
	for _, e := range [][2]int{{0, 1}, {0, 2}, {1, 3}, {2, 3}} {
		def.Edges = append(def.Edges, flow.Edge{Pre: codes[e[0]], Post: codes[e[1]]})
	}
	return def
}
