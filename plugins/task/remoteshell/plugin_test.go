package remoteshell

import (
	"encoding/json"
	"strings"
	"testing"

	"dorado/plugins/task"
	"dorado/plugins/task/tasktest"
)

func settings(text string) string {
	raw, _ := json.Marshal(text)
	return `{"type":"SSH","datasource":4,"rawScript":` + string(raw) + `}`
}

func TestRemoteShell(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	tasktest.Run(t, tasktest.Suite{
		Plugin: Plugin(),
		Env: func(t *testing.T, env *task.Env) {
			env.Sources = map[int64]task.Source{4: s.source(t, 0)}
			env.Environment = "export GREETING='good morning'\r\n"
		},
		Cases: []tasktest.Case{
			{Name: "runs bash", Params: settings("x=(a b); echo ${x[1]} $SSH_CONNECTION"), Output: "b 127.0.0.1"},
			{Name: "has the environment before it", Params: settings("echo $GREETING"), Output: "good morning"},
			{Name: "lets the last command decide", Params: settings("false\r\ntrue\r\n")},
			{Name: "fails with the code of the last command", Params: settings("echo no >&2\nfalse"), Output: "no", Fails: true},
			{Name: "fails with exit", Params: settings("echo before; exit 3"), Output: "before", Fails: true},
			{Name: "writes a line without an end", Params: settings("printf 你好"), Output: "你好"},
			{Name: "is not fooled by its text", Params: settings("cat <<'EOF'\nE 0\nD 5\n'\"$(echo no)`\\\nEOF\necho E 1"), Output: "D 5\n'\"$(echo no)`\\\nE 1"},
			{Name: "prints what sets a parameter", Params: settings("echo '#{setValue(rows=7)}'"), Output: "#{setValue(rows=7)}\n"},
			{Name: "does not wait for what stays behind", Params: settings("sleep 5 & echo gone"), Output: "gone"},
			{Name: "reads nothing", Params: settings("cat; echo end"), Output: "end"},
			{Name: "carries long scripts", Params: settings(strings.Repeat(": 'a line that does nothing at all'\n", 20_000) + "echo long"), Output: "long"},
			{Name: "fails when the script ends its own shell", Params: settings("kill -9 $$"), Fails: true},
		},
		Bad: []string{
			`{"rawScript":"ls"}`, `{"rawScript":"","type":"SSH","datasource":4}`, `{"rawScript":"ls","type":"MYSQL","datasource":4}`,
			`{"rawScript":"ls","type":"SSH","datasource":"x"}`, `{"rawScript":"ls","type":"SSH","datasource":0}`,
		},
		Slow: settings("sleep 300 & wait"),
	})
}
