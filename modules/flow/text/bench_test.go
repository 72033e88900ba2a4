package text_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
	"dorado/modules/flow/text"
)

// large is a workflow as long as workflows may be.
func large() *flow.Definition {
	def := &flow.Definition{Name: "large", ExecutionType: flow.Parallel, GlobalParams: []flow.Property{}, Edges: []flow.Edge{}, Locations: []flow.Location{}}
	g := random(1)
	for i := range flow.MaxTasks {
		t := g.task(int64(i+1), fmt.Sprintf("task-%d", i), []int64{1})
		t.Type, t.Params = "SHELL", json.RawMessage(`{"localParams":[],"rawScript":"echo one\necho two\n","resourceList":[]}`)
		def.Tasks = append(def.Tasks, t)
		if i > 0 {
			def.Edges = append(def.Edges, flow.Edge{Pre: int64(i), Post: int64(i + 1)})
		}
	}
	return def
}

func BenchmarkUpdateLarge(b *testing.B) {
	def := large()
	src := text.Format(def, nil, text.Style{})
	next := *def
	next.Tasks = append([]flow.Task(nil), def.Tasks...)
	next.Tasks[777].RetryTimes = 9
	for b.Loop() {
		require.NotEqual(b, src, text.Update(src, def, &next, nil))
	}
}

func BenchmarkParseLarge(b *testing.B) {
	def := large()
	src := text.Format(def, nil, text.Style{})
	for b.Loop() {
		require.Empty(b, text.Parse(src, text.Options{Base: def}).Problems)
	}
}
