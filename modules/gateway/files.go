package gateway

import (
	"bytes"
	"encoding/json"
	"sync"

	"dorado/modules/flow"
)

// maxGiven bounds the ids that are remembered.
const maxGiven = 10_000

// given remembers the names of files whose ids clients were told. Clients of 4.0 and before write ids into their tasks right
// after they asked for them; what is saved has names.
type given struct {
	mu    sync.Mutex
	names map[int64]string
	order []int64
}

func (g *given) note(id int64, name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.names == nil {
		g.names = map[int64]string{}
	}
	if _, ok := g.names[id]; !ok {
		if g.order = append(g.order, id); len(g.order) > maxGiven {
			delete(g.names, g.order[0])
			g.order = g.order[1:]
		}
	}
	g.names[id] = name
}

func (g *given) name(id int64) (string, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	name, ok := g.names[id]
	return name, ok
}

// withNames replaces the ids of files in the parameters of tasks by names, where they are known.
func (g *given) withNames(tasks []flow.Task) {
	for i := range tasks {
		if !bytes.Contains(tasks[i].Params, []byte(`"id"`)) {
			continue
		}
		var params map[string]json.RawMessage
		if json.Unmarshal(tasks[i].Params, &params) != nil {
			continue
		}
		changed := false
		var list []json.RawMessage
		if json.Unmarshal(params["resourceList"], &list) == nil {
			for k := range list {
				if named, ok := g.named(list[k]); ok {
					list[k], changed = named, true
				}
			}
			if changed {
				params["resourceList"] = encoded(list)
			}
		}
		for _, key := range []string{"mainJar", "resourceFiles"} {
			if named, ok := g.named(params[key]); ok {
				params[key], changed = named, true
			}
		}
		if changed {
			tasks[i].Params = encoded(params)
		}
	}
}

// named is a reference by name for one by id.
func (g *given) named(raw json.RawMessage) (json.RawMessage, bool) {
	var ref struct {
		ID   int64  `json:"id"`
		Name string `json:"resourceName"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &ref) != nil || ref.ID == 0 || ref.Name != "" {
		return nil, false
	}
	name, ok := g.name(ref.ID)
	if !ok {
		return nil, false
	}
	return encoded(map[string]string{"resourceName": name}), true
}

// encoded is JSON of what was read from JSON.
func encoded(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
