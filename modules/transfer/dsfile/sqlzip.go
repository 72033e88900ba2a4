package dsfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"dorado/modules/flow"
	"dorado/modules/transfer/neutral"
)

// ReadSQL adds one workflow, called name, that has a SQL task for each file. Comments at the top of a file tell the name
// of its task, the tasks before it, and the data source:
//
//	-- name: load
//	-- upstream: extract,clean
//	-- datasource: warehouse
func ReadSQL(b *neutral.Bundle, name string, files []neutral.Entry) error {
	b.Is(neutral.SQLZip)
	d := &flow.Definition{Code: b.NewCode(), Name: name, ExecutionType: flow.Parallel}
	byName := map[string]int64{}
	upstream := make([][]string, len(files))
	for i, f := range files {
		t := neutral.DefaultTask()
		t.Type, t.Code, t.Name = "SQL", b.NewCode(), strings.TrimSuffix(f.Base(), f.Ext())
		source := ""
		for _, c := range comments(f.Data) {
			key, value, _ := strings.Cut(c, ":")
			value = strings.TrimSpace(value)
			switch strings.ToLower(strings.TrimSpace(key)) {
			case "name":
				t.Name = value
			case "upstream":
				for up := range strings.SplitSeq(value, ",") {
					if up = strings.TrimSpace(up); up != "" && up != "root" {
						upstream[i] = append(upstream[i], up)
					}
				}
			case "datasource":
				source = value
			}
		}
		params, err := sqlParams(b, source, string(f.Data))
		if err != nil {
			return err
		}
		t.Params = params
		byName[t.Name] = t.Code
		d.Tasks = append(d.Tasks, t)
	}
	for i, t := range d.Tasks {
		for _, up := range upstream[i] {
			pre, known := byName[up]
			if !known {
				b.Note(neutral.Note{Level: neutral.Changed, File: files[i].Path, Workflow: name, Node: t.Name, Key: "transfer.note.pre_unknown", Args: []any{"name", up}})
				continue
			}
			d.Edges = append(d.Edges, flow.Edge{Pre: pre, Post: t.Code})
		}
	}
	b.Workflows = append(b.Workflows, neutral.Workflow{File: name, Definition: d})
	return nil
}

// comments lists what stands behind -- at the top of a text.
func comments(data []byte) []string {
	var out []string
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		comment, ok := strings.CutPrefix(line, "--")
		if !ok {
			break
		}
		out = append(out, comment)
	}
	return out
}

func sqlParams(b *neutral.Bundle, source, sql string) (json.RawMessage, error) {
	kind := "1"
	body := sql
	for {
		line, rest, more := strings.Cut(body, "\n")
		if s := strings.TrimSpace(line); s != "" && !strings.HasPrefix(s, "--") {
			if first, _, _ := strings.Cut(strings.ToLower(s), " "); first == "select" || first == "with" || first == "show" {
				kind = "0"
			}
			break
		}
		if !more {
			break
		}
		body = rest
	}
	id := int64(0)
	if source != "" {
		for ref, name := range b.Names {
			if ref.Kind == neutral.DataSource && name == source {
				id, _ = strconv.ParseInt(ref.Value, 10, 64)
			}
		}
		if id == 0 {
			id = b.NewCode()
			b.Called(neutral.DataSource, id, source)
		}
	}
	return write(struct {
		LocalParams    []int  `json:"localParams"`
		ResourceList   []int  `json:"resourceList"`
		Type           string `json:"type"`
		DataSource     int64  `json:"datasource"`
		SQL            string `json:"sql"`
		SQLType        string `json:"sqlType"`
		PreStatements  []int  `json:"preStatements"`
		PostStatements []int  `json:"postStatements"`
		DisplayRows    int    `json:"displayRows"`
	}{[]int{}, []int{}, "MYSQL", id, sql, kind, []int{}, []int{}, 10})
}
