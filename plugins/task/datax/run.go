package datax

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// launcher is the variable with the path of datax.py.
const launcher = "DATAX_LAUNCHER"

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
	job := launch.Job{Files: []task.File{file}}
	theirs, ours := theirLine(v, env, text, path), ourLine(v, file.Name)
	switch v.Text(engine) {
	case ourEngine:
		job.Lines = []string{ours}
	case theirEngine:
		job.Needs, job.Lines = []string{launcher}, []string{theirs}
	default:
		job.Lines = []string{`if [ -n "${` + launcher + `:-}" ]; then`, "  " + theirs, "else", "  " + ours, "fi"}
	}
	c := job.Command(env)
	c.Itself = v.Text(engine) != theirEngine
	return c, nil
}

// theirLine starts DataX.
func theirLine(v form.Values, env task.Env, text, path string) string {
	line := launch.NewLine(`${PYTHON_LAUNCHER:-python3} "${` + launcher + `}"`)
	line.Shell(fmt.Sprintf(`--jvm="-Xms%sG -Xmx%sG"`, heap(v, heapFirst), heap(v, heapMost)))
	return line.Option("-p", properties(text, env.Values)).Words(path).String()
}

// ourLine becomes the native engine. The heap of DataX is what it tries to stay below. A statement whose columns were not
// told means those of the same names, as in DolphinScheduler, which asks the source for them. The job is named as it lies in
// the working directory: a folder above may be closed to the tenant.
func ourLine(v form.Values, file string) string {
	limit := launch.Number(math.Ceil(max(v.Number(heapMost), 1) * 1024))
	line := launch.NewLine("GOMEMLIMIT="+limit+`MiB exec "${DORADO_PROGRAM}" sync`).Words("--job", file)
	if v.Text(customConfig) != fromJSON {
		line.Words("--by-name")
	}
	return line.String()
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
