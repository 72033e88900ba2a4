package datax

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// The structs are DataX's job file; their order is the one in which DolphinScheduler writes the members.
type (
	config struct {
		Job  job  `json:"job"`
		Core core `json:"core"`
	}
	job struct {
		Content []content `json:"content"`
		Setting setting   `json:"setting"`
	}
	content struct {
		Reader reader `json:"reader"`
		Writer writer `json:"writer"`
	}
	reader struct {
		Name      string     `json:"name"`
		Parameter readerArgs `json:"parameter"`
	}
	readerArgs struct {
		Username   string       `json:"username"`
		Password   string       `json:"password"`
		Connection []readerConn `json:"connection"`
	}
	readerConn struct {
		QuerySQL []string `json:"querySql"`
		URL      []string `json:"jdbcUrl"`
	}
	writer struct {
		Name      string     `json:"name"`
		Parameter writerArgs `json:"parameter"`
	}
	writerArgs struct {
		Username   string       `json:"username"`
		Password   string       `json:"password"`
		Column     []string     `json:"column"`
		Connection []writerConn `json:"connection"`
		PreSQL     []string     `json:"preSql,omitempty"`
		PostSQL    []string     `json:"postSql,omitempty"`
	}
	writerConn struct {
		Table []string `json:"table"`
		URL   string   `json:"jdbcUrl"`
	}
	setting struct {
		Speed speed  `json:"speed"`
		Limit limits `json:"errorLimit"`
	}
	limits struct {
		Record     int `json:"record"`
		Percentage int `json:"percentage"`
	}
	speed struct {
		Channel int   `json:"channel"`
		Byte    int64 `json:"byte,omitempty"`
		Record  int64 `json:"record,omitempty"`
	}
	core struct {
		Transport struct {
			Channel struct {
				Speed speed `json:"speed"`
			} `json:"channel"`
		} `json:"transport"`
	}
)

// generate makes the job out of the form.
func generate(v form.Values, env task.Env) (string, error) {
	from, fromURL, err := database(env, v.ID(source))
	if err != nil {
		return "", err
	}
	to, toURL, err := database(env, v.ID(target))
	if err != nil {
		return "", err
	}
	sql := strings.TrimRight(launch.Script(v.Text(sqlText)), "; \t\n")
	limit := speed{Channel: 1, Byte: max(int64(v.Number(speedByte)), 0), Record: max(int64(v.Number(speedRecord)), 0)}
	c := config{Job: job{
		Content: []content{{
			Reader: reader{readerName(v.Text(sourceType)), readerArgs{
				Username: from.Settings.User, Password: from.Settings.Password.Reveal(),
				Connection: []readerConn{{QuerySQL: []string{sql}, URL: []string{fromURL}}},
			}},
			Writer: writer{writerName(v.Text(targetType)), writerArgs{
				Username: to.Settings.User, Password: to.Settings.Password.Reveal(), Column: targetColumns(sql, v),
				Connection: []writerConn{{Table: []string{strings.TrimSpace(v.Text(targetTable))}, URL: toURL}},
				PreSQL:     v.Texts(preStatements), PostSQL: v.Texts(postStatements),
			}},
		}},
		Setting: setting{Speed: limit},
	}}
	c.Core.Transport.Channel.Speed = limit
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // < and > are common in statements, and somebody may read this file
	encoder.SetIndent("", "  ")
	err = encoder.Encode(c)
	return out.String(), err
}

func database(env task.Env, id int64) (task.Source, string, error) {
	s, err := env.Source(id)
	if err != nil {
		return s, "", err
	}
	if s.Plugin.URL == nil {
		return s, "", fmt.Errorf("data source %q has no address for JDBC", s.Name)
	}
	return s, s.Plugin.URL(s.Settings), nil
}

func readerName(kind string) string {
	switch kind {
	case "MYSQL", "POSTGRESQL", "ORACLE", "SQLSERVER", "CLICKHOUSE":
		return strings.ToLower(kind) + "reader"
	case "OCEANBASE":
		return "oceanbasev10reader"
	}
	return "rdbmsreader"
}

func writerName(kind string) string {
	switch kind {
	case "MYSQL", "POSTGRESQL", "ORACLE", "SQLSERVER", "CLICKHOUSE", "DATABEND":
		return strings.ToLower(kind) + "writer"
	case "OCEANBASE":
		return "oceanbasev10writer"
	}
	return "rdbmswriter"
}

// targetColumns are the columns of the target in the order of the statement, quoted as the target wants it. Where the
// statement does not tell them, all columns of the table are filled in their own order: asking the source would need a
// connection, which nothing has that only prepares a command.
func targetColumns(sql string, v form.Values) []string {
	names, ok := columns(sql, v.Text(sourceType) == "SQLSERVER")
	if !ok {
		return []string{"*"}
	}
	quote := ""
	switch v.Text(targetType) {
	case "MYSQL", "CLICKHOUSE", "DATABEND", "OCEANBASE":
		quote = "`"
	case "POSTGRESQL", "ORACLE", "SQLSERVER":
		quote = `"`
	}
	for i, name := range names {
		if quote != "" {
			names[i] = quote + strings.ReplaceAll(name, quote, quote+quote) + quote
		}
	}
	return names
}
