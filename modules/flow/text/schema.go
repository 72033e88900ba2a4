package text

import "encoding/json"

// TypeSchema describes a type of task for the schema: With is the JSON schema of its parameters, nil for any.
type TypeSchema struct {
	Name string
	With any
}

// Schema is the JSON schema (2020-12) of the form. types are the types of tasks that a server has; without any, the
// schema says nothing about them.
func Schema(types []TypeSchema) []byte {
	task := fieldsSchema(taskFields(), "name")
	task["required"] = []string{"type"}
	if len(types) > 0 {
		known := make([]string, len(types))
		var rules []any
		for i, t := range types {
			known[i] = t.Name
			if t.With != nil {
				rules = append(rules, map[string]any{
					"if":   map[string]any{"properties": map[string]any{"type": map[string]any{"const": t.Name}}},
					"then": map[string]any{"properties": map[string]any{"with": t.With}},
				})
			}
		}
		task["properties"].(map[string]any)["type"] = map[string]any{"type": "string", "enum": known, "description": "Task type."} //nolint:forcetypeassert // made above
		if len(rules) > 0 {
			task["allOf"] = rules
		}
	}
	listed := map[string]any{"allOf": []any{ref("task"), map[string]any{"required": []string{"name"}}}}
	root := fieldsSchema(workflowFields(), "")
	root["$schema"], root["title"], root["required"] = "https://json-schema.org/draft/2020-12/schema", "Dorado workflow", []string{"name", "tasks"}
	point := map[string]any{"type": "array", "prefixItems": []any{number64(), number64()}, "minItems": 2, "maxItems": 2}
	parameter := map[string]any{
		"type": "object", "additionalProperties": false, "properties": map[string]any{
			"direct": map[string]any{"enum": []string{"IN", "OUT"}, "default": "IN"},
			"type":   map[string]any{"enum": paramTypes(), "default": "VARCHAR"}, "value": scalarSchema(),
		},
	}
	named := map[string]any{"type": "object", "required": []string{"name"}, "properties": map[string]any{"name": map[string]any{"type": "string"}, "direct": true, "type": true, "value": true}, "additionalProperties": false}
	need := anyOf(scalarSchema(), closed(map[string]any{"task": scalarSchema(), "label": map[string]any{"type": "string"}}, "task"))
	timer := fieldsSchema(timerFields(), "")
	timer["required"] = []string{"cron", "timeZone"}
	root["$defs"] = map[string]any{
		"schedules": map[string]any{"type": "object", "additionalProperties": timer},
		"task":      task,
		"tasks":     anyOf(map[string]any{"type": "object", "additionalProperties": ref("task"), "minProperties": 1}, map[string]any{"type": "array", "items": listed, "minItems": 1}),
		"params":    anyOf(map[string]any{"type": "object", "additionalProperties": anyOf(scalarSchema(), parameter)}, map[string]any{"type": "array", "items": named}),
		"layout":    map[string]any{"type": "object", "additionalProperties": point},
		"needs":     anyOf(scalarSchema(), map[string]any{"type": "array", "items": need}),
		"names":     map[string]any{"type": "array", "items": map[string]any{"type": "string"}},
		"reference": map[string]any{"type": []string{"string", "integer"}},
		"retry":     anyOf(minutesSchema(), closed(map[string]any{"times": minutesSchema(), "interval": minutesSchema()})),
		"timeout": anyOf(minutesSchema(), closed(map[string]any{
			"minutes": minutesSchema(), "strategy": map[string]any{"enum": []string{"WARN", "FAILED", "WARNFAILED"}}, "enabled": map[string]any{"type": "boolean"},
		})),
		"taskGroup": anyOf(ref("reference"), closed(map[string]any{"group": ref("reference"), "priority": map[string]any{"type": "integer"}})),
	}
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil // maps of texts and numbers are always encoded
	}
	return append(out, '\n')
}

func ref(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name} }

func anyOf(all ...any) map[string]any { return map[string]any{"anyOf": all} }

func number64() map[string]any { return map[string]any{"type": "number"} }

func minutesSchema() map[string]any { return map[string]any{"type": "integer", "minimum": 0} }

func scalarSchema() map[string]any {
	return map[string]any{"type": []string{"string", "number", "boolean", "null"}}
}

func closed(properties map[string]any, required ...string) map[string]any {
	out := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// fieldsSchema describes a mapping of fields; except names one that counts elsewhere only.
func fieldsSchema(fields []field, except string) map[string]any {
	properties := map[string]any{}
	for _, f := range fields {
		one := map[string]any{"description": f.help}
		switch {
		case f.kind[0] == '#':
			one["$ref"] = "#/$defs/" + f.kind[1:]
		case f.name == except || f.kind == "string" && f.enum == nil:
			one["type"] = []string{"string", "number", "boolean", "null"}
		default:
			one["type"] = []string{f.kind, "null"}
		}
		if f.enum != nil {
			one["enum"] = f.enum
			one["type"] = "string"
		}
		if f.def != nil {
			one["default"] = f.def
		}
		properties[f.name] = one
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties, "patternProperties": map[string]any{"^x-": true}}
}

func paramTypes() []string {
	return []string{"VARCHAR", "INTEGER", "LONG", "FLOAT", "DOUBLE", "DATE", "TIME", "TIMESTAMP", "BOOLEAN", "LIST", "FILE"}
}
