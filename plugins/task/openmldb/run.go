package openmldb

import (
	"cmp"
	"encoding/json"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// process writes a program for OpenMLDB's client. Whatever is typed is a text within it.
func process(v form.Values, env task.Env) (task.Command, error) {
	lines := []string{
		"import openmldb", "import sqlalchemy as db",
		"engine = db.create_engine(" + literal("openmldb:///?zk="+strings.TrimSpace(v.Text(zk))+"&zkPath="+strings.TrimSpace(v.Text(zkPath))) + ")",
		"con = engine.connect()",
	}
	run := func(statement string) { lines = append(lines, "con.execute("+literal(statement)+")") }
	how := cmp.Or(v.Text(mode), offline)
	run("set @@execute_mode='" + how + "';")
	if how == offline { // the script ends when the work has ended
		run("set @@sync_job=true")
		run("set @@job_timeout=1800000")
	}
	for _, statement := range statements(launch.Script(v.Text(sqlText))) {
		run(statement)
	}
	file := task.File{Name: "openmldb_" + env.ID() + ".py", Text: strings.Join(lines, "\n") + "\n"}
	line := launch.NewLine("${PYTHON_LAUNCHER:-python3}").Words(env.Dir + "/" + file.Name)
	return launch.Job{Lines: []string{line.String()}, Files: []task.File{file}}.Command(env), nil
}

// literal is text as Python writes it; what JSON escapes, Python reads alike.
func literal(text string) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) != nil {
		return `""` // a text can always be written
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// statements splits at semicolons outside of quotes.
func statements(sql string) []string {
	var all []string
	var quote rune
	begin := 0
	add := func(end int) {
		if s := strings.TrimSpace(sql[begin:end]); s != "" {
			all = append(all, s)
		}
	}
	for i, r := range sql {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"' || r == '`'):
			quote = r
		case quote == 0 && r == ';':
			add(i)
			begin = i + 1
		}
	}
	add(len(sql))
	return all
}
