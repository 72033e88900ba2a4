package describe

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// Example is JSON of a type, indented, with made-up values: an answer to see what it looks like.
func (t *Table) Example(e Endpoint) string {
	var b strings.Builder
	switch e.Form {
	case Enveloped:
		b.WriteString(`{"code":0,"msg":"success","data":`)
		t.example(&b, e.Data, nil)
		b.WriteString(`,"failed":false,"success":true}`)
	case Bare:
		t.example(&b, e.Data, nil)
	case File, Empty, Redirect:
		return ""
	}
	return indent(b.String())
}

// BodyExample is what a client may send as the JSON body; empty for those that take none.
func (t *Table) BodyExample(e Endpoint) string {
	var b strings.Builder
	if e.Body != nil {
		t.example(&b, *e.Body, nil)
		return indent(b.String())
	}
	var members []Member
	for _, p := range e.Params {
		if p.In == InJSON && e.Method != "GET" {
			members = append(members, p.Member)
		}
	}
	if members == nil {
		return ""
	}
	t.object(&b, members, nil)
	return indent(b.String())
}

func indent(text string) string {
	var out bytes.Buffer
	if json.Indent(&out, []byte(text), "", "  ") != nil {
		return text
	}
	return out.String()
}

// example writes a value; within are the schemas that it is part of, so that none holds itself.
func (t *Table) example(b *strings.Builder, of Type, within []string) {
	switch of.Name {
	case "list":
		b.WriteByte('[')
		if !slices.Contains(within, of.Of.Name) {
			t.example(b, *of.Of, within)
		}
		b.WriteByte(']')
		return
	case "map":
		b.WriteString(`{"name":`)
		t.example(b, *of.Of, within)
		b.WriteByte('}')
		return
	case "page":
		b.WriteString(`{"totalList":[`)
		t.example(b, *of.Of, within)
		b.WriteString(`],"total":1,"totalPage":1,"pageSize":10,"currentPage":1,"pageNo":0}`)
		return
	}
	if len(of.Members) > 0 {
		t.object(b, of.Members, within)
		return
	}
	if members, schema := t.Schemas[of.Name]; schema {
		if slices.Contains(within, of.Name) {
			b.WriteString("null")
			return
		}
		t.object(b, members, append(slices.Clip(within), of.Name))
		return
	}
	if members, body := t.Bodies[of.Name]; body {
		t.object(b, members, within)
		return
	}
	b.WriteString(t.scalar(of))
}

func (t *Table) object(b *strings.Builder, members []Member, within []string) {
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + m.Name + `":`)
		t.example(b, m.Type, within)
	}
	b.WriteByte('}')
}

func (t *Table) scalar(of Type) string {
	if values, enum := t.Enums[of.Name]; enum {
		return `"` + values[0] + `"`
	}
	return map[string]string{
		"int": "1", "long": "122586461890560", "double": "0.5", "bool": "true", "str": `"text"`, "time": `"2026-03-01 08:00:00"`,
		"json": `"{}"`, "ids": `"1,2"`, "object": "{}", "any": "{}", "null": "null", "true": "true", "false": "false",
	}[of.Name]
}

// Curl is a command that calls the endpoint with its required parameters. TOKEN stands for an access token.
func (t *Table) Curl(e Endpoint, base string) string {
	var b strings.Builder
	b.WriteString("curl")
	if e.Method != "GET" {
		b.WriteString(" -X " + e.Method)
	}
	query, form := url.Values{}, []string(nil)
	for _, p := range e.Params {
		if !p.Required || p.In == InPath {
			continue
		}
		sample := strings.Trim(t.scalar(p.Type), `"`)
		switch p.In {
		case InQuery:
			query.Set(p.Name, sample)
		case InForm:
			form = append(form, "--data-urlencode '"+p.Name+"="+sample+"'")
		case InMultipart:
			if p.Type.Name == "file" {
				sample = "@file"
			}
			form = append(form, "-F '"+p.Name+"="+sample+"'")
		case InPath, InJSON:
		}
	}
	address := base + e.Path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	b.WriteString(" '" + address + "'")
	if e.Who != Public {
		b.WriteString(" \\\n  -H \"token: $TOKEN\"")
	}
	for _, f := range form {
		b.WriteString(" \\\n  " + f)
	}
	if body := t.BodyExample(e); body != "" {
		var flat bytes.Buffer
		_ = json.Compact(&flat, []byte(body)) // it is ours
		b.WriteString(" \\\n  -H 'Content-Type: application/json' --data '" + flat.String() + "'")
	}
	return b.String()
}
