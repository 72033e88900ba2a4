package datax

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// process puts the job, passwords included, into a file that only the tenant can read.
func process(v form.Values, env task.Env) (task.Command, error) {
	text := launch.Script(v.Text(jobJSON))
	if v.Text(customConfig) != fromJSON {
		var err error
		if text, err = generate(v, env); err != nil {
			return task.Command{}, err
		}
	}
	file, path := launch.Text(env, "_job.json", text)
	line := launch.NewLine(`${PYTHON_LAUNCHER:-python3} "${DATAX_LAUNCHER}"`)
	line.Shell(fmt.Sprintf(`--jvm="-Xms%sG -Xmx%sG"`, heap(v, heapFirst), heap(v, heapMost)))
	line.Option("-p", properties(text, env.Values)).Words(path)
	return launch.Job{Needs: []string{"DATAX_LAUNCHER"}, Lines: []string{line.String()}, Files: []task.File{file}}.Command(env), nil
}

func heap(v form.Values, name string) string { return launch.Number(max(v.Number(name), 1)) }

// properties are the parameters that the job still refers to when ours have been put in. datax.py hands them to a shell
// once more.
func properties(job string, values map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if strings.Contains(job, "${"+name+"}") {
			out = append(out, launch.Quote("-D"+name)+"='"+strings.ReplaceAll(values[name], "'", `'\''`)+"'")
		}
	}
	return strings.Join(out, " ")
}
