package flow

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// WireError says which field of a JSON text from a client cannot be understood, and why.
type WireError struct {
	Path   string // "tasks[3].failRetryTimes"
	Reason string
}

// Error names the field first.
func (e *WireError) Error() string { return e.Path + ": " + e.Reason }

// DecodeTasks reads taskDefinitionJson with the leniency of rest-api.md 1.13: unknown fields, numbers as texts and
// texts as numbers, null, enumerations by name or number, taskParams as object or text. What is missing, null or an
// unknown enumeration value gets its default. Each error is a *WireError.
func DecodeTasks(text string) ([]Task, error) {
	var out []Task
	err := eachObject("tasks", text, func(o *object) {
		task := Task{
			Code: o.integer("code", 0), Version: o.small("version", 0), Name: o.text("name"), Description: o.text("description"),
			Type: o.text("taskType"), Params: o.params("taskParams"),
			Flag:        enum(o, "flag", FlagYes, FlagNo, FlagYes),
			IsCache:     enum(o, "isCache", FlagNo, FlagNo, FlagYes),
			Priority:    enum(o, "taskPriority", Medium, Priorities()...),
			WorkerGroup: o.text("workerGroup"), EnvironmentCode: o.integer("environmentCode", -1),
			RetryTimes: o.small("failRetryTimes", 0), RetryInterval: o.small("failRetryInterval", 1),
			TimeoutFlag:     enum(o, "timeoutFlag", TimeoutClose, TimeoutClose, TimeoutOpen),
			TimeoutStrategy: enum(o, "timeoutNotifyStrategy", "", TimeoutWarn, TimeoutFailed, TimeoutWarnFailed),
			TimeoutMinutes:  o.small("timeout", 0), DelayMinutes: o.small("delayTime", 0),
			TaskGroupID: o.integer("taskGroupId", 0), TaskGroupPriority: o.small("taskGroupPriority", 0),
			CPUQuota: o.small("cpuQuota", -1), MemoryMax: o.small("memoryMax", -1),
			ExecuteType: enum(o, "taskExecuteType", Batch, Batch, Stream), Finally: o.boolean("finally"),
		}
		if task.WorkerGroup == "" {
			task.WorkerGroup = "default"
		}
		if task.EnvironmentCode == 0 {
			task.EnvironmentCode = -1
		}
		if task.TimeoutFlag == TimeoutOpen && task.TimeoutStrategy == "" {
			task.TimeoutStrategy = TimeoutWarn
		}
		out = append(out, task)
	})
	return out, err
}

// DecodeRelations reads taskRelationJson. Rows with preTaskCode 0 only mark roots and are dropped.
func DecodeRelations(text string) ([]Edge, error) {
	var out []Edge
	err := eachObject("relations", text, func(o *object) {
		e := Edge{Name: o.text("name"), Pre: o.integer("preTaskCode", 0), Post: o.integer("postTaskCode", 0)}
		switch {
		case e.Post <= 0:
			o.fail("postTaskCode", "a relation must end at a task")
		case e.Pre < 0:
			o.fail("preTaskCode", "is negative")
		case e.Pre > 0:
			out = append(out, e)
		}
	})
	return out, err
}

// DecodeLocations reads locations; null, an empty text and the object form of old versions mean none.
func DecodeLocations(text string) ([]Location, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return nil, nil
	}
	var out []Location
	err := eachObject("locations", text, func(o *object) {
		out = append(out, Location{TaskCode: o.integer("taskCode", 0), X: o.float("x"), Y: o.float("y")})
	})
	return out, err
}

// DecodeProperties reads a parameter list: an array of Property, or an object name → value. A missing direction is
// IN, a missing or unknown type VARCHAR, a null value empty; a null prop is the empty name, which Validate reports.
func DecodeProperties(text string) ([]Property, error) { return decodeProperties("params", text) }

func decodeProperties(path, text string) ([]Property, error) {
	raw, err := unwrap(path, text)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(raw, []byte("{")) {
		var out []Property
		err = eachElement(path, raw, func(o *object) {
			out = append(out, Property{
				Prop: o.text("prop"), Direct: enum(o, "direct", In, In, Out),
				Type: enum(o, "type", Varchar, ParamTypes()...), Value: o.text("value"),
			})
		})
		return out, err
	}
	// Read token by token: the order of the names is the user's.
	var out []Property
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if _, err := decoder.Token(); err != nil {
		return nil, &WireError{path, syntax(err)}
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, &WireError{path, syntax(err)}
		}
		key, _ := name.(string) // object keys are strings
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, &WireError{path, syntax(err)}
		}
		o := object{path: path, fields: map[string]json.RawMessage{key: value}}
		out = append(out, Property{Prop: key, Direct: In, Type: Varchar, Value: o.text(key)})
	}
	return out, nil
}

// eachObject calls use for every object of the JSON array in text; null and the empty text are no objects. It stops
// at the first error.
func eachObject(path, text string, use func(o *object)) error {
	raw, err := unwrap(path, text)
	if err != nil {
		return err
	}
	return eachElement(path, raw, use)
}

func eachElement(path string, raw json.RawMessage, use func(o *object)) error {
	if raw == nil {
		return nil
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		return &WireError{path, "must be a JSON array"}
	}
	for i, element := range elements {
		if string(element) == "null" {
			continue
		}
		o := object{path: path + "[" + strconv.Itoa(i) + "]"}
		if err := json.Unmarshal(element, &o.fields); err != nil {
			return &WireError{o.path, "must be a JSON object"}
		}
		if use(&o); o.err != nil {
			return o.err
		}
	}
	return nil
}

// unwrap checks the syntax and looks into a text that holds JSON again; nil stands for null and for nothing at all.
func unwrap(path, text string) (json.RawMessage, error) {
	for range 2 {
		if text = strings.TrimSpace(text); text == "" || text == "null" {
			return nil, nil
		}
		if text[0] != '"' {
			break
		}
		var inner string
		if err := json.Unmarshal([]byte(text), &inner); err != nil {
			return nil, &WireError{path, syntax(err)}
		}
		text = inner
	}
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, &WireError{path, syntax(err)}
	}
	return raw, nil
}

func syntax(err error) string {
	if bad, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("is not JSON: %s (at byte %d)", bad.Error(), bad.Offset)
	}
	return "is not JSON: " + err.Error()
}

// object reads the fields of one JSON object and remembers the first that it cannot.
type object struct {
	path   string
	fields map[string]json.RawMessage
	err    error
}

func (o *object) fail(field, reason string) {
	if o.err == nil {
		o.err = &WireError{o.path + "." + field, reason}
	}
}

// text reads a string; numbers, booleans and even lists and objects are taken as they are written.
func (o *object) text(field string) string {
	raw := o.fields[field]
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if raw[0] != '"' {
		return string(raw)
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		o.fail(field, syntax(err))
	}
	return s
}

// integer reads a whole number. Missing and empty mean the fallback; null does too, except that it never means more
// than 0, which is what it is for a primitive number elsewhere.
func (o *object) integer(field string, fallback int64) int64 {
	if string(o.fields[field]) == "null" {
		return min(fallback, 0)
	}
	s := strings.TrimSpace(o.text(field))
	if s == "" {
		return fallback
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil {
		return n
	}
	// 1.0 and 1e3 are whole numbers, too, as long as they are exact.
	if f, err := strconv.ParseFloat(s, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f)
	}
	o.fail(field, fmt.Sprintf("%.40q is no whole number", s))
	return fallback
}

// small reads an integer that fits the database's int32.
func (o *object) small(field string, fallback int64) int {
	n := o.integer(field, fallback)
	if n < math.MinInt32 || n > math.MaxInt32 {
		o.fail(field, fmt.Sprintf("%d is out of range", n))
	}
	return int(n)
}

// boolean reads true, "true", 1 and "YES" as true, everything else as false.
func (o *object) boolean(field string) bool {
	switch strings.ToUpper(strings.TrimSpace(o.text(field))) {
	case "TRUE", "1", "YES":
		return true
	}
	return false
}

func (o *object) float(field string) float64 {
	s := strings.TrimSpace(o.text(field))
	if s == "" {
		return 0
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		o.fail(field, fmt.Sprintf("%.40q is no number", s))
		return 0
	}
	return f
}

// params reads a JSON object or a text that holds one, without white space; [] stands for an empty one.
func (o *object) params(field string) json.RawMessage {
	raw := o.fields[field]
	if len(raw) == 0 {
		return json.RawMessage("{}")
	}
	raw, err := unwrap(o.path+"."+field, string(raw))
	if err != nil {
		if wire, ok := errors.AsType[*WireError](err); ok {
			o.fail(field, wire.Reason)
		}
		return nil
	}
	if raw == nil || string(raw) == "[]" {
		return json.RawMessage("{}")
	}
	if raw[0] != '{' {
		o.fail(field, "must be a JSON object")
		return nil
	}
	var compact bytes.Buffer
	compact.Grow(len(raw))
	if err := json.Compact(&compact, raw); err != nil {
		o.fail(field, syntax(err))
	}
	return compact.Bytes()
}

// enum reads a member of all by name or by number (its place in all); everything else is the fallback.
func enum[T ~string](o *object, field string, fallback T, all ...T) T {
	s := strings.TrimSpace(o.text(field))
	if slices.Contains(all, T(s)) {
		return T(s)
	}
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < len(all) {
		return all[n]
	}
	return fallback
}
