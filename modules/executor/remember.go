package executor

import (
	"maps"
	"sync"
	"time"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Bounds of what is remembered between attempts. Attempts of one workflow come close together and often look alike.
const (
	rememberSettings = 256             // decoded settings, by their text
	rememberText     = 8 << 10         // bytes; a longer text is decoded each time
	rememberProgram  = 2 * time.Second // where an interpreter is; an upgrade of the machine is noticed soon
)

// remembered spares attempts the work that others have just done. It may be used from everywhere at once.
type remembered struct {
	mu       sync.Mutex
	settings map[settingsKey]form.Values
	programs map[programKey]foundProgram
}

type settingsKey struct{ taskType, text string }

type programKey struct{ name, path string }

type foundProgram struct {
	file  string
	until time.Time
}

func newRemembered() *remembered {
	return &remembered{settings: map[settingsKey]form.Values{}, programs: map[programKey]foundProgram{}}
}

// decode is plugin.Decode. The values are the caller's: he may replace what is in the map, not change it in place, which is
// how form.Values.Expand works.
func (r *remembered) decode(plugin task.Plugin, raw []byte) (form.Values, []form.Problem) {
	if len(raw) > rememberText {
		return plugin.Decode(raw)
	}
	key := settingsKey{plugin.Type, string(raw)}
	r.mu.Lock()
	known, ok := r.settings[key]
	r.mu.Unlock()
	if ok {
		return maps.Clone(known), nil
	}
	values, problems := plugin.Decode(raw)
	if len(problems) > 0 {
		return values, problems
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.settings) >= rememberSettings {
		clear(r.settings)
	}
	r.settings[key] = maps.Clone(values)
	return values, nil
}

// lookPath is the function of that name, asked once in a while.
func (r *remembered) lookPath(name, path string) string {
	key, now := programKey{name, path}, time.Now()
	r.mu.Lock()
	found, ok := r.programs[key]
	r.mu.Unlock()
	if ok && now.Before(found.until) {
		return found.file
	}
	file := lookPath(name, path)
	if file == "" {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.programs) >= rememberSettings {
		clear(r.programs)
	}
	r.programs[key] = foundProgram{file, now.Add(rememberProgram)}
	return file
}
