package auditlog

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
)

// mostExported is how many entries one file holds; the newest ones do.
const mostExported = 100_000

// export answers with the entries of the list, all pages of it, as a file. That it was asked for is in the log, too.
func (m *Module) export(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if err := m.access.Require(ctx, access.AuditRead); err != nil {
		return nil, err
	}
	q, f := frame.Query(r, audit.Spec()), m.filter(r).Filter
	format, write := "csv", m.writeCSV
	if r.URL.Query().Get("format") == "json" {
		format, write = "json", m.writeJSON
	}
	if err := m.audit.Record(ctx, audit.Entry{
		Action: "auditlog.export", ObjectType: "auditlog", ObjectName: format, Detail: map[string]string{"query": r.URL.RawQuery},
	}); err != nil {
		return nil, err
	}
	each := func(fn func(audit.Row) error) (bool, error) { return m.audit.Each(ctx, q, f, mostExported, fn) }
	more := i18n.T(ctx, "auditlog.export.more", "count", mostExported)
	return web.Download("audit-log."+format, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 64<<10)
		return errors.Join(write(b, each, more), b.Flush())
	}), nil
}

type eachRow func(fn func(audit.Row) error) (more bool, err error)

// columns are the head of a CSV file.
func columns() []string {
	return []string{
		"id", "time", "user_id", "user", "client", "action", "object_type", "object_id", "object", "project_code", "request_id", "latency_ms",
		"detail", "before", "after",
	}
}

// writeCSV writes UTF-8 with a mark for spreadsheets, which take it for something else without.
func (m *Module) writeCSV(w io.Writer, each eachRow, more string) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(columns()); err != nil {
		return err
	}
	rest, err := each(func(r audit.Row) error {
		line := []string{
			itoa(r.ID), r.At.UTC().Format(time.RFC3339Nano), itoa(r.UserID), r.UserName, r.Client, r.Action, r.ObjectType, r.ObjectID, r.ObjectName,
			itoa(r.ProjectCode), r.RequestID, itoa(r.LatencyMS), r.Detail, r.Before, r.After,
		}
		for i := range line {
			line[i] = harmless(line[i])
		}
		return out.Write(line)
	})
	if err == nil && rest {
		err = out.Write([]string{more})
	}
	out.Flush()
	return errors.Join(err, out.Error())
}

// harmless keeps a spreadsheet from taking a text for a formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

// exported is an entry in a JSON file.
type exported struct {
	ID          int64           `json:"id"`
	Time        time.Time       `json:"time"`
	UserID      int64           `json:"userId"`
	User        string          `json:"user"`
	Client      string          `json:"client"`
	Action      string          `json:"action"`
	ObjectType  string          `json:"objectType"`
	ObjectID    string          `json:"objectId"`
	Object      string          `json:"object"`
	ProjectCode int64           `json:"projectCode"`
	RequestID   string          `json:"requestId"`
	LatencyMS   int64           `json:"latencyMs"`
	Detail      json.RawMessage `json:"detail"`
	Before      json.RawMessage `json:"before"`
	After       json.RawMessage `json:"after"`
}

// writeJSON writes an object with the entries, one a line, and whether there are more than a file holds.
func (m *Module) writeJSON(w io.Writer, each eachRow, _ string) error {
	if _, err := io.WriteString(w, `{"entries":[`); err != nil {
		return err
	}
	first := true
	rest, err := each(func(r audit.Row) error {
		text, err := json.Marshal(exported{
			ID: r.ID, Time: r.At.UTC(), UserID: r.UserID, User: r.UserName, Client: r.Client, Action: r.Action, ObjectType: r.ObjectType,
			ObjectID: r.ObjectID, Object: r.ObjectName, ProjectCode: r.ProjectCode, RequestID: r.RequestID, LatencyMS: r.LatencyMS,
			Detail: raw(r.Detail), Before: raw(r.Before), After: raw(r.After),
		})
		if err != nil {
			return err
		}
		line := ",\n" + string(text)
		if first {
			line, first = line[1:], false
		}
		_, err = io.WriteString(w, line)
		return err
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n],\"more\":"+strconv.FormatBool(rest)+"}\n")
	return err
}

// raw is the JSON that the log holds; what is none of it becomes a text.
func raw(text string) json.RawMessage {
	switch {
	case text == "":
		return json.RawMessage("null")
	case json.Valid([]byte(text)):
		return json.RawMessage(text)
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage("null")
	}
	return quoted
}
