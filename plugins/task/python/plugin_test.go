package python_test

import (
	"testing"

	"dorado/plugins/task/python"
	"dorado/plugins/task/tasktest"
)

func TestPython(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Suite{
		Plugin: python.Plugin(),
		Cases: []tasktest.Case{
			{Name: "runs python", Params: `{"rawScript":"print('sum', 1 + 2)"}`, Output: "sum 3"},
			{Name: "fails when the script raises", Params: `{"rawScript":"\nraise ValueError('no')"}`, Output: "line 2", Fails: true},
			{Name: "reads UTF-8 and the line ends of Windows", Params: `{"rawScript":"if True:\r\n    print('\u4f60\u597d')\r\n"}`, Output: "你好"},
		},
		Bad:  []string{`{"rawScript":""}`, `{"rawScript":[]}`},
		Slow: `{"rawScript":"import time\ntime.sleep(300)"}`,
	})
}
