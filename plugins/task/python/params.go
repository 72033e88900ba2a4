package python

import (
	"strings"

	"dorado/plugins/form"
)

const rawScript = "rawScript"

// params are the settings of a PYTHON task.
type params struct {
	script string // line ends are \n
}

func read(v form.Values) params {
	return params{script: strings.ReplaceAll(v.Text(rawScript), "\r\n", "\n")}
}
