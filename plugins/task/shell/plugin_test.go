package shell_test

import (
	"testing"

	"dorado/plugins/task/shell"
	"dorado/plugins/task/tasktest"
)

func TestShell(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Suite{
		Plugin: shell.Plugin(),
		Cases: []tasktest.Case{
			{Name: "runs bash", Params: `{"rawScript":"x=(a b); echo ${x[1]}"}`, Output: "b"},
			{Name: "lets the last command decide", Params: `{"rawScript":"false\ntrue"}`},
			{Name: "fails with its last command", Params: `{"rawScript":"echo no >&2; exit 3"}`, Output: "no", Fails: true},
			{Name: "understands the line ends of Windows", Params: `{"rawScript":"if true\r\nthen echo fine\r\nfi\r\n"}`, Output: "fine"},
		},
		Bad:  []string{`{"rawScript":""}`, `{"rawScript":" \n\t"}`, `{"rawScript":{}}`, `{"rawScript":"a\u0000b"}`},
		Slow: `{"rawScript":"sleep 300 & wait"}`,
	})
}
