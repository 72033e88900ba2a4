package email

import (
	"html"
	"strings"

	"dorado/plugins/alert"
)

// tableRows is how many rows a message shows when there is a workbook with all of them.
const tableRows = 1000

const style = `table{margin-top:0px;padding-top:0px;border:1px solid;font-size:14px;color:#333333;border-width:1px;border-color:#666666;border-collapse:collapse;}` +
	`table th{border-width:1px;padding:8px;border-style:solid;border-color:#666666;background-color:#dedede;text-align:left;}` +
	`table td{border-width:1px;padding:8px;border-style:solid;border-color:#666666;background-color:#ffffff;text-align:left;}`

// page is a table as an HTML document; limit bounds its rows, 0 = all.
func page(title string, t alert.Table, limit int) string {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd"><html><head>` +
		`<meta http-equiv="Content-Type" content="text/html; charset=utf-8"><title>` + html.EscapeString(title) +
		`</title><style type="text/css">` + style + `</style></head><body><table><thead><tr>`)
	for _, c := range t.Columns {
		b.WriteString("<th>" + html.EscapeString(c) + "</th>")
	}
	b.WriteString("</tr></thead><tbody>")
	rows := t.Rows
	if limit > 0 {
		rows = rows[:min(len(rows), limit)]
	}
	for _, r := range rows {
		b.WriteString("<tr>")
		for _, c := range t.Columns {
			b.WriteString("<td>" + html.EscapeString(r.Values[c].Text) + "</td>")
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</tbody></table></body></html>")
	return b.String()
}

// asJSON is a table whose rows are the objects as they were written.
func asJSON(t alert.Table) alert.Table {
	out := alert.Table{Columns: []string{""}}
	for _, r := range t.Rows {
		out.Rows = append(out.Rows, alert.Row{Values: map[string]alert.Value{"": {Text: string(r.Raw)}}})
	}
	return out
}

// note is a table that is one sentence.
func note(text string) alert.Table {
	return alert.Table{Columns: []string{""}, Rows: []alert.Row{{Values: map[string]alert.Value{"": {Text: text}}}}}
}
