package remoteshell

import (
	_ "embed" // the scripts
	"strconv"
	"strings"
)

var (
	//go:embed remote/common.sh
	commonScript string
	//go:embed remote/prepare.sh
	prepareScript string
	//go:embed remote/run.sh
	runScript string
	//go:embed remote/start.sh
	startScript string
	//go:embed remote/follow.sh
	followScript string
	//go:embed remote/kill.sh
	killScript string
	//go:embed remote/clean.sh
	cleanScript string
)

// script is what the machine's shell gets to read for a task. A name of a link needs no quotes.
func script(name, text string) string { return "task=" + name + "\n" + commonScript + text }

// prepare writes the user's text, with the environment before it, as files.
func prepare(name, environment, text string) string {
	body := "#!/bin/bash\n" + lines(environment) + lines(text)
	return script(name, printing("body", body)+printing("runner", runScript)+prepareScript)
}

// follow asks for the log from a byte on.
func follow(name string, offset int64) string {
	return script(name, "offset="+strconv.FormatInt(offset, 10)+"\n"+followScript)
}

// lines is text with the line ends of Unix, the last one included.
func lines(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// printing is a shell function that prints text, whatever is in it.
func printing(name, text string) string {
	end := "dorado-" + nonce() // nobody can have guessed it
	return name + "() {\ncat <<'" + end + "'\n" + lines(text) + end + "\n}\n"
}
