package launch

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Job is a script that drives a program, and what surrounds it.
type Job struct {
	Needs  []string // environment variables without which nothing can work
	Lines  []string // text for the shell
	Files  []task.File
	Remote *task.Remote
}

// Command returns j as the command of an attempt.
func (j Job) Command(env task.Env) task.Command {
	var script strings.Builder
	for _, name := range j.Needs {
		fmt.Fprintf(&script, ": \"${%s:?is not set: choose an environment for this task that exports it}\"\n", name)
	}
	script.WriteString(j.leftovers(env.Link))
	for _, line := range j.Lines {
		script.WriteString(line + "\n")
	}
	return task.Command{
		Interpreter: []string{"bash", "sh"}, Shell: true, Script: script.String(), Files: j.Files, Remote: j.Remote,
	}
}

// identifier is what a program may call its remote work. Anything else came by mistake and is not handed to a shell.
var identifier = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]*$`)

// IDs splits a link into identifiers of remote work.
func IDs(link string) []string {
	var ids []string
	for id := range strings.FieldsFuncSeq(link, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }) {
		if identifier.MatchString(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// leftovers ends the work of an earlier attempt. When that fails the attempt goes on, because the usual reason is that
// nothing is left; the log shows what was said. Underscores are changed in it, or old identifiers would be taken for those
// of this attempt.
func (j Job) leftovers(link string) string {
	ids := IDs(link)
	if j.Remote == nil || len(ids) == 0 {
		return ""
	}
	return `# The worker of an earlier attempt was lost. What it left on the cluster is ended first.
DORADO_REMOTE_IDS=` + Quote(strings.Join(ids, " ")) + `
export DORADO_REMOTE_IDS
echo 'Ending what an earlier attempt left on the cluster'
{ (
` + j.Remote.Cancel + `
) 2>&1 || echo "this failed with exit code $?"; } | tr _ -
unset DORADO_REMOTE_IDS
`
}

// Yarn is work on YARN. Logging in with Kerberos is left to the environment, whose lines stand before the script.
func Yarn() *task.Remote {
	return &task.Remote{Pattern: `application_\d+_\d+`, Cancel: `yarn application -kill $DORADO_REMOTE_IDS`}
}

// Pods is a driver on Kubernetes that spark-submit names.
func Pods(namespace string) *task.Remote {
	return &task.Remote{
		Pattern: `pod name: (\S+)`,
		Cancel:  NewLine("kubectl").Words("delete", "pod", "--ignore-not-found").Option("--namespace", namespace).String() + " $DORADO_REMOTE_IDS",
	}
}

// Text returns a file of the working directory and where it lies. suffix follows the id of the task in its name.
func Text(env task.Env, suffix, text string) (file task.File, path string) {
	file = task.File{Name: env.ID() + suffix, Text: text}
	return file, filepath.Join(env.Dir, file.Name)
}

// Local returns where a file of the resource center lies on the worker.
func Local(env task.Env, name string) (string, error) {
	switch {
	case name == "":
		return "", fmt.Errorf("no file is chosen")
	case strings.HasPrefix(name, form.NumberedFile):
		return "", fmt.Errorf("file %q is missing: the definition was made by an older release, which knew files by numbers; choose the file again", name)
	}
	path := env.File(name)
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Dir, path)
	}
	return path, nil
}

// OneFile returns where the only file of resourceList lies.
func OneFile(v form.Values, env task.Env) (string, error) {
	names := v.List(task.ResourceList)
	if len(names) != 1 {
		return "", fmt.Errorf("exactly one file has to be chosen as resource, not %d", len(names))
	}
	return Local(env, names[0])
}

// CheckOneFile is the problem of a form whose text comes from a file.
func CheckOneFile(v form.Values) []form.Problem {
	if len(v.List(task.ResourceList)) == 1 {
		return nil
	}
	return []form.Problem{{Field: task.ResourceList, Key: "task.launch.one_file"}}
}

// Queue is the queue of YARN to submit to: that of the form, else that of the tenant; "" when the further options name
// one in one of these ways.
func Queue(v form.Values, env task.Env, ways ...string) string {
	for _, way := range ways {
		if strings.Contains(v.Text(Others), way) {
			return ""
		}
	}
	if q := strings.TrimSpace(v.Text(YarnQueue)); q != "" {
		return q
	}
	return env.Queue
}
