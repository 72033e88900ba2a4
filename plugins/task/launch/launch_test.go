package launch_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/launch"
)

// words is what a shell makes of text.
func words(t *testing.T, shell, text string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), shell, "-c", "for a in "+text+"\ndo printf '%s\\0' \"$a\"; done").CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestAQuotedWordIsThatWordInEveryShell(t *testing.T) {
	t.Parallel()
	for _, word := range []string{
		"plain", "with blank", "it's", `"`, "$(id)", "`id`", "${HOME}", "~", "*", "a;b", "a\nb", "我的 日报", "", "-x", "#", "!a", `\`, `a\'b`, "{a,b}", "\t", "=x",
	} {
		for _, shell := range []string{"bash", "sh"} {
			require.Equal(t, []string{word}, words(t, shell, launch.Quote(word)), shell)
		}
	}
}

func TestALineEndDoesNotEndACommand(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"a b":                     {"a", "b"},
		"--x 1\n--y 2\n":          {"--x", "1", "--y", "2"},
		"--x 1 \\\r\n --y 2 \\\n": {"--x", "1", "--y", "2"},
		"'a\nb' \"c\\\nd\"":       {"a\nb", "cd"},
		"a \\":                    {"a"},
		`a\ b\ `:                  {"a b "},
		`'a\' b`:                  {`a\`, "b"},
		`"a\" b" c`:               {`a" b`, "c"},
		"a\\\\\nb":                {`a\`, "b"},
	} {
		line := launch.NewLine("").Shell(text).String()
		require.Equal(t, want, words(t, "sh", line), "%q became %q", text, line)
	}
	require.Equal(t, "run", launch.NewLine("run").Shell(" \n ").Option("-a", " ").Joined("-D", "").Conf("--conf", "a", "").String())
}

func FuzzOneLine(f *testing.F) {
	f.Add("a \\\n'b\n' \"c")
	f.Fuzz(func(_ *testing.T, text string) { launch.OneLine(text) })
}

func TestOnlyIdentifiersOfALinkAreUsed(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"application_1_2", "a-b.c:d"}, launch.IDs("application_1_2, a-b.c:d,,-x,$(id),a'b"))
	require.Empty(t, launch.IDs(""))
	c := launch.Job{Lines: []string{"true"}, Remote: launch.Yarn()}.Command(task.Env{Link: "$(id)"})
	require.Equal(t, "true\n", c.Script)
}

func TestAFileThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	env := task.Env{Dir: "/exec", Files: map[string]string{"/a.jar": "x/a.jar"}}
	path, err := launch.Local(env, "/a.jar")
	require.NoError(t, err)
	require.Equal(t, "/exec/x/a.jar", path)
	_, err = launch.Local(env, "id:3")
	require.ErrorContains(t, err, `"id:3" is missing`)
	_, err = launch.Local(env, "")
	require.ErrorContains(t, err, "no file")
	_, err = launch.OneFile(form.Values{}, env)
	require.ErrorContains(t, err, "exactly one")
}

func TestTheQueueOfTheTenantCountsUnlessAnotherIsNamed(t *testing.T) {
	t.Parallel()
	env := task.Env{Queue: "tenant"}
	require.Equal(t, "tenant", launch.Queue(form.Values{}, env, "-yqu"))
	require.Equal(t, "own", launch.Queue(form.Values{launch.YarnQueue: "own"}, env, "-yqu"))
	require.Empty(t, launch.Queue(form.Values{launch.Others: "-yqu x"}, env, "-yqu"))
}

func TestNumbersAreWrittenOut(t *testing.T) {
	t.Parallel()
	require.Equal(t, "10000000", launch.Number(1e7))
	require.Empty(t, launch.Number(0))
	require.Empty(t, launch.Number(-1))
}
