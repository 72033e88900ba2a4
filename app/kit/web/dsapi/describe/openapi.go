package describe

import (
	"slices"
	"strconv"
	"strings"

	"dorado/app/kit/web/dsapi"
)

// Info is what the OpenAPI document says about the server.
type Info struct {
	Title, Description, Version string
	Server                      string           // the address that paths are relative to
	Chinese                     bool             // summaries in Chinese
	CodeText                    func(int) string // what a code means; nil: nothing is said
	WhoText                     func(Who) string // who may call it, as a sentence; nil: nothing is said
}

type object = map[string]any

// OpenAPI is the table as an OpenAPI 3.1 document, ready for encoding/json.
func (t *Table) OpenAPI(info Info) map[string]any {
	d := &document{table: t, info: info, schemas: object{}}
	paths := object{}
	var tags []any
	for _, tag := range t.Tags {
		name := d.choose(tag.English, tag.Chinese)
		tags = append(tags, object{"name": name})
		for _, e := range tag.Endpoints {
			put(paths, e.Path, e.Method, d.operation(e, name, false))
			if e.Older != "" {
				put(paths, e.Older, e.Method, d.operation(e, name, true))
			}
		}
	}
	d.schemas["Failure"] = failure()
	return object{
		"openapi": "3.1.0",
		"info":    object{"title": info.Title, "description": info.Description, "version": info.Version, "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"}},
		"servers": []any{object{"url": info.Server}},
		"tags":    tags,
		"paths":   paths,
		"security": []any{
			object{"token": []any{}}, object{"session": []any{}}, object{"cookie": []any{}},
		},
		"components": object{
			"schemas": d.schemas,
			"securitySchemes": object{
				"token":   object{"type": "apiKey", "in": "header", "name": dsapi.TokenHeader},
				"session": object{"type": "apiKey", "in": "header", "name": dsapi.SessionHeader},
				"cookie":  object{"type": "apiKey", "in": "cookie", "name": "sessionId"},
			},
		},
	}
}

func put(paths object, path, method string, operation object) {
	item, there := paths[path].(object)
	if !there {
		item = object{}
		paths[path] = item
	}
	item[strings.ToLower(method)] = operation
}

// document collects the schemas that operations refer to.
type document struct {
	table   *Table
	info    Info
	schemas object
}

func (d *document) choose(english, chinese string) string {
	if d.info.Chinese {
		return chinese
	}
	return english
}

func (d *document) operation(e Endpoint, tag string, older bool) object {
	out := object{
		"operationId": e.ID(), "tags": []any{tag}, "summary": d.choose(e.English, e.Chinese),
		"responses": d.responses(e, older), "x-who": string(e.Who),
	}
	if older {
		out["operationId"] = operationID(e.Method, e.Older)
		out["deprecated"] = true
	}
	if text := d.details(e); text != "" {
		out["description"] = text
	}
	if e.Who == Public {
		out["security"] = []any{}
	}
	var parameters []any
	for _, p := range e.Params {
		in := p.In
		if in == InJSON && e.Method == "GET" {
			in = InQuery // the body of a GET is lost on the way too often
		}
		if in != InPath && in != InQuery {
			continue
		}
		parameters = append(parameters, object{"name": name(p.Name, older && in == InQuery), "in": string(in), "required": p.Required, "schema": d.parameter(p.Member)})
	}
	if parameters != nil {
		out["parameters"] = parameters
	}
	if body := d.body(e, older); body != nil {
		out["requestBody"] = body
	}
	return out
}

func (d *document) details(e Endpoint) string {
	var parts []string
	if d.info.WhoText != nil {
		parts = append(parts, d.info.WhoText(e.Who))
	}
	if d.info.CodeText != nil && e.Form != Redirect {
		var lines []string
		for _, code := range e.Codes {
			line := "- " + strconv.Itoa(code)
			if text := d.info.CodeText(code); text != "" {
				line += ": " + text
			}
			lines = append(lines, line)
		}
		parts = append(parts, strings.Join(lines, "\n"))
	}
	return strings.Join(parts, "\n\n")
}

// body is the request's body, nil for those that have none.
func (d *document) body(e Endpoint, older bool) object {
	if e.Body != nil {
		return object{"required": true, "content": object{"application/json": object{"schema": d.schema(*e.Body, false)}}}
	}
	if e.Method == "GET" {
		return nil
	}
	for _, kind := range []struct {
		in   Place
		mime string
	}{{InForm, "application/x-www-form-urlencoded"}, {InMultipart, "multipart/form-data"}, {InJSON, "application/json"}} {
		properties, required := object{}, []any{}
		for _, p := range e.Params {
			if p.In != kind.in {
				continue
			}
			label := name(p.Name, older)
			properties[label] = d.parameter(p.Member)
			if p.Required {
				required = append(required, label)
			}
		}
		if len(properties) > 0 {
			schema := object{"type": "object", "properties": properties}
			if len(required) > 0 {
				schema["required"] = required
			}
			return object{"required": len(required) > 0, "content": object{kind.mime: object{"schema": schema}}}
		}
	}
	return nil
}

// parameter is the schema of something that is sent.
func (d *document) parameter(m Member) object {
	schema := d.schema(m.Type, false)
	if values, enum := d.table.Enums[m.Type.Name]; enum {
		schema = object{"type": "string", "enum": anys(values)}
	}
	if m.HasDefault {
		schema["default"] = value(m.Type.Name, m.Default)
	}
	return schema
}

func value(kind, text string) any {
	switch kind {
	case "int", "long":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case "bool":
		return text == "true"
	}
	return text
}

func (d *document) responses(e Endpoint, older bool) object {
	failed := object{"application/json": object{"schema": object{"$ref": "#/components/schemas/Failure"}}}
	out := object{
		"401": object{"description": "Nobody is signed in."},
		"429": object{"description": "Too many requests.", "headers": object{"Retry-After": object{"schema": object{"type": "integer"}}}},
	}
	if e.Who == Public {
		delete(out, "401")
	}
	if e.Method != "GET" {
		out["403"] = object{"description": "A page of another site tried to use the cookie.", "content": failed}
	}
	if strings.Contains(e.Path, "{") {
		out["404"] = object{"description": "There is no such address.", "content": failed}
	}
	status := strconv.Itoa(e.Status)
	success := object{"description": "Done."}
	switch e.Form {
	case Enveloped:
		envelope := envelope(d.schema(e.Data, older))
		if e.Status == 200 {
			success["description"] = "Done, or failed with a code."
			envelope = object{"anyOf": []any{envelope, object{"$ref": "#/components/schemas/Failure"}}}
		}
		success["content"] = object{"application/json": object{"schema": envelope}}
	case Bare:
		success["content"] = object{"application/json": object{"schema": object{"anyOf": []any{d.schema(e.Data, older), object{"$ref": "#/components/schemas/Failure"}}}}}
	case File:
		content := object{e.ContentType: object{"schema": object{"type": "string", "format": "binary"}}}
		content["application/json"] = object{"schema": object{}}
		success["content"] = content
	case Redirect:
		success["headers"] = object{"Location": object{"schema": object{"type": "string"}}}
	case Empty:
	}
	out[status] = success
	if _, there := out["200"]; !there {
		out["200"] = object{"description": "Failed with a code.", "content": failed}
	}
	return out
}

func envelope(data object) object {
	return object{
		"type": "object", "required": anys([]string{"code", "msg", "data", "failed", "success"}),
		"properties": object{
			"code": object{"const": 0}, "msg": object{"type": "string"}, "data": data, "failed": object{"const": false}, "success": object{"const": true},
		},
	}
}

func failure() object {
	return object{
		"type": "object", "required": anys([]string{"code", "msg", "data", "failed", "success"}),
		"properties": object{
			"code": object{"type": "integer", "minimum": 1}, "msg": object{"type": "string"}, "data": object{"type": "null"},
			"failed": object{"const": true}, "success": object{"const": false},
		},
	}
}

// plainTypes are the types that are no schema of ours.
func plainTypes() map[string]object {
	return map[string]object{
		"int":    {"type": "integer", "format": "int32"},
		"long":   {"type": "integer", "format": "int64"},
		"double": {"type": "number"},
		"bool":   {"type": "boolean"},
		"str":    {"type": "string"},
		"time":   {"type": "string", "pattern": `^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$`, "examples": []any{"2026-03-01 08:00:00"}},
		"json":   {"type": "string", "contentMediaType": "application/json"},
		"ids":    {"type": "string", "examples": []any{"1,2,3"}},
		"file":   {"type": "string", "contentMediaType": "application/octet-stream"},
		"object": {"type": "object"},
		"any":    {},
		"null":   {"type": "null"},
		"true":   {"const": true},
		"false":  {"const": false},
	}
}

// schema is a type; older gives its members the names of 3.2.
func (d *document) schema(t Type, older bool) object {
	out := d.bare(t, older)
	if !t.Null {
		return out
	}
	if kind, plain := out["type"].(string); plain {
		out["type"] = []any{kind, "null"}
		return out
	}
	if len(out) == 0 {
		return out
	}
	return object{"anyOf": []any{out, object{"type": "null"}}}
}

func (d *document) bare(t Type, older bool) object {
	switch t.Name {
	case "list":
		return object{"type": "array", "items": d.schema(*t.Of, older)}
	case "map":
		return object{"type": "object", "additionalProperties": d.schema(*t.Of, older)}
	case "page":
		whole := object{"type": "integer"}
		return object{
			"type": "object", "required": anys([]string{"totalList", "total", "totalPage", "pageSize", "currentPage", "pageNo"}),
			"properties": object{
				"totalList": object{"type": "array", "items": d.schema(*t.Of, older)},
				"total":     whole, "totalPage": whole, "pageSize": whole, "currentPage": object{"type": []any{"integer", "null"}}, "pageNo": whole,
			},
		}
	}
	if len(t.Members) > 0 {
		return d.members(t.Members, older, true)
	}
	if plain, there := plainTypes()[t.Name]; there {
		return plain
	}
	if values, enum := d.table.Enums[t.Name]; enum {
		d.schemas[t.Name] = object{"type": "string", "enum": anys(values)}
		return ref(t.Name)
	}
	if members, body := d.table.Bodies[t.Name]; body {
		if _, known := d.schemas[t.Name]; !known {
			d.schemas[t.Name] = d.members(members, false, false)
		}
		return ref(t.Name)
	}
	key := t.Name
	if older && d.renamed(t.Name, map[string]bool{}) {
		key += "Before33"
	} else {
		older = false
	}
	if _, known := d.schemas[key]; !known {
		d.schemas[key] = object{} // it may hold itself
		d.schemas[key] = d.members(d.table.Schemas[t.Name], older, true)
	}
	return ref(key)
}

// members is an object. Everything that we send is always there; of what clients send only what they must send.
func (d *document) members(list []Member, older, answer bool) object {
	properties, required := object{}, []any{}
	task := slices.ContainsFunc(list, func(m Member) bool { return m.Name == "taskCode" })
	for _, m := range list {
		label := m.Name
		if older {
			label = dsapi.OlderField(m.Name, task)
		}
		properties[label] = d.schema(m.Type, older)
		if answer || m.Required {
			required = append(required, label)
		}
	}
	out := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// renamed reports whether a schema, or one within it, has members that 3.2 calls otherwise.
func (d *document) renamed(schema string, seen map[string]bool) bool {
	if seen[schema] {
		return false
	}
	seen[schema] = true
	for _, m := range d.table.Schemas[schema] {
		if dsapi.OlderField(m.Name, false) != m.Name {
			return true
		}
		t := m.Type
		for t.Of != nil {
			t = *t.Of
		}
		if d.renamed(t.Name, seen) {
			return true
		}
	}
	return false
}

// name is a parameter's name, in the words of 3.2 when older.
func name(today string, older bool) string {
	if older {
		return dsapi.OlderParam(today)
	}
	return today
}

func ref(schema string) object { return object{"$ref": "#/components/schemas/" + schema} }

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
