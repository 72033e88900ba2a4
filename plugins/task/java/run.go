package java

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

var (
	errNoJar     = errors.New("no JAR is chosen")
	errMainClass = errors.New("this cannot be the name of a class")
	errClassPath = errors.New("a file whose name has a colon cannot stand in a class path")
)

// unknownClass names the file of a source in which no class can be found; the compiler says what is wrong with it.
const unknownClass = "Main"

// process writes what a user would type. Arguments are not quoted: the shell splits them, as it does for DolphinScheduler.
func process(v form.Values, env task.Env) (task.Command, error) {
	c := task.Command{Interpreter: []string{"bash", "sh"}, Shell: true}
	path, err := classPath(v, env)
	if err != nil {
		return c, err
	}
	// Logs are UTF-8 whatever the locale of the worker is. The user's own options come later, so they win.
	java := `"${JAVA_HOME:+$JAVA_HOME/bin/}java" -Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8`
	java = words(java, oneLine(v.Text(jvmArgs)), path)
	args := oneLine(v.Text(mainArgs))
	switch kind := cmp.Or(v.Text(runType), fromSource); kind {
	case fromSource:
		source := strings.ReplaceAll(v.Text(rawScript), "\r\n", "\n")
		found, ok := findClass(source)
		if !ok {
			found.name = unknownClass
		}
		c.Files = []task.File{{Name: found.name + ".java", Text: source}}
		javac := words(`"${JAVA_HOME:+$JAVA_HOME/bin/}javac" -encoding UTF-8 -d .`, path, quote(found.name+".java"))
		c.Script = javac + " && " + words(java, quote(found.full()), args) + "\n"
	case normalJar:
		name := strings.TrimSpace(v.Text(mainClass))
		if !validName(name) {
			return c, fmt.Errorf("%w: %q", errMainClass, name)
		}
		c.Script = words(java, quote(name), args) + "\n"
	default:
		// -jar takes its class path from the manifest; the module path counts.
		c.Script = words(java, "-jar", quote(relative(env.File(v.Resource(mainJar)))), args) + "\n"
	}
	return c, nil
}

// classPath returns the options that say where classes are: the working directory and every file that is brought into it.
func classPath(v form.Values, env task.Env) (string, error) {
	parts := []string{"."}
	if kind := cmp.Or(v.Text(runType), fromSource); kind != fromSource {
		jar := v.Resource(mainJar)
		if jar == "" {
			return "", errNoJar
		}
		parts = append(parts, relative(env.File(jar)))
	}
	for _, name := range v.List(task.ResourceList) {
		parts = append(parts, relative(env.File(name)))
	}
	for _, part := range parts {
		if strings.Contains(part, ":") {
			return "", fmt.Errorf("%w: %q", errClassPath, part)
		}
	}
	path := quote(strings.Join(parts, ":"))
	if v.Bool(modulePath) {
		// Classes of the working directory are in no module, so what they use has to be named.
		return "--module-path " + path + " --add-modules ALL-MODULE-PATH", nil
	}
	return "-classpath " + path, nil
}

// relative is a place in the working directory; names of the resource center begin with a slash.
func relative(name string) string {
	name = strings.TrimPrefix(filepath.Clean("/"+name), "/")
	if strings.HasPrefix(name, "-") || strings.HasPrefix(name, "@") {
		name = "./" + name // no option
	}
	return name
}

// words joins what is not empty.
func words(all ...string) string {
	out := all[:0:0]
	for _, w := range all {
		if w != "" {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

// oneLine keeps a line end from ending the command.
func oneLine(text string) string { return strings.Join(strings.FieldsFunc(text, lineEnd), " ") }

func lineEnd(r rune) bool { return r == '\n' || r == '\r' }

// quote makes text one word for the shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
