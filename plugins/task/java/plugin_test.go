package java_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	"dorado/plugins/task/java"
	"dorado/plugins/task/tasktest"
)

// needJDK skips where there is no compiler. CI has one.
func needJDK(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("javac"); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("javac is missing")
	}
	t.Skip("javac is missing")
}

// jars makes a library, and a program that uses it and prints its arguments, in a folder.
func jars(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("lib/Words.java", "package lib;\npublic class Words { public static String of() { return \"from the library\"; } }")
	write("app/App.java", `package app;
public class App {
    public static void main(String[] a) {
        System.out.println("args " + String.join("|", a) + " x=" + System.getProperty("x"));
        if (a.length > 0 && a[0].equals("lib")) System.out.println(lib.Words.of());
    }
}`)
	compile := exec.CommandContext(t.Context(), "javac", "-d", "out", "lib/Words.java", "app/App.java")
	compile.Dir = dir
	said, err := compile.CombinedOutput()
	require.NoError(t, err, string(said))
	pack := func(jar, class, manifest string) {
		raw, err := os.ReadFile(filepath.Join(dir, "out", class))
		require.NoError(t, err)
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create("META-INF/MANIFEST.MF")
		require.NoError(t, err)
		_, err = w.Write([]byte("Manifest-Version: 1.0\n" + manifest + "\n"))
		require.NoError(t, err)
		w, err = z.Create(class)
		require.NoError(t, err)
		_, err = w.Write(raw)
		require.NoError(t, err)
		require.NoError(t, z.Close())
		require.NoError(t, os.WriteFile(filepath.Join(dir, jar), b.Bytes(), 0o600))
	}
	pack("words.jar", "lib/Words.class", "")
	pack("app.jar", "app/App.class", "Main-Class: app.App\n")
	return dir
}

func source(text string, more ...string) string {
	raw, _ := json.Marshal(text)
	return `{"rawScript":` + string(raw) + strings.Join(more, "") + `}`
}

func TestJava(t *testing.T) {
	t.Parallel()
	needJDK(t)
	from := jars(t)
	place := func(t *testing.T, env *task.Env) {
		env.Files = map[string]string{"/team/app.jar": "app.jar", "/team/it's words.jar": "sub dir/words.jar"}
		require.NoError(t, os.MkdirAll(filepath.Join(env.Dir, "sub dir"), 0o755))
		for name, to := range map[string]string{"app.jar": "app.jar", "words.jar": "sub dir/words.jar"} {
			raw, err := os.ReadFile(filepath.Join(from, name))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(env.Dir, to), raw, 0o600))
		}
	}
	const library = `,"resourceList":[{"resourceName":"/team/it's words.jar"}]`
	const uses = "public class Use {\r\n public static void main(String[] a) {\r\n  System.out.println(lib.Words.of());\r\n }\r\n}"
	tasktest.Run(t, tasktest.Suite{
		Plugin: java.Plugin(), Env: place,
		Cases: []tasktest.Case{
			{
				Name: "compiles and runs a class", Output: "你好 a|b c|$HOME x=two words",
				Params: source("package some.where;\n\n/** public class Not */\npublic class Main {\n  public static void main(String[] a) {\n"+
					"    System.out.println(\"你好 \" + String.join(\"|\", a) + \" x=\" + System.getProperty(\"x\"));\n  }\n}",
					`,"mainArgs":"a\n\"b c\" '$HOME'","jvmArgs":"-Xmx64m\n-Dx='two words'"`),
			},
			{Name: "shows what the compiler says", Params: source("public class Main { int x = ; }"), Output: "Main.java:1", Fails: true},
			{
				Name: "fails with the code of the program", Output: "before",
				Params: source("public class Main { public static void main(String[] a) { System.out.println(\"before\"); System.exit(3); } }"), Fails: true,
			},
			{
				Name: "fails with an exception", Output: "at Main.main(Main.java:1)",
				Params: source("public class Main { public static void main(String[] a) { throw new IllegalStateException(); } }"), Fails: true,
			},
			{Name: "has resources in the class path", Params: source(uses, library), Output: "from the library"},
			{Name: "has resources in the module path", Params: source(uses, library, `,"isModulePath":true`), Output: "from the library"},
			{
				Name: "runs a JAR", Output: "args a|b x=1",
				Params: `{"runType":"JAR","mainJar":{"resourceName":"/team/app.jar"},"mainArgs":"a b","jvmArgs":"-Dx=1"}`,
			},
			{
				Name: "gives a JAR modules", Output: "from the library",
				Params: `{"runType":"FAT_JAR","mainJar":"/team/app.jar","mainArgs":"lib","isModulePath":true` + library + `}`,
			},
			{
				Name: "runs a class of a JAR", Output: "from the library",
				Params: `{"runType":"NORMAL_JAR","mainClass":"app.App","mainJar":{"res":"/team/app.jar"},"mainArgs":"lib"` + library + `}`,
			},
			{Name: "fails without the JAR", Params: `{"runType":"JAR","mainJar":{"resourceName":"none.jar"}}`, Output: "none.jar", Fails: true},
		},
		Bad: []string{
			`{"rawScript":""}`, `{"rawScript":"System.out.println();"}`, `{"runType":"JAR"}`, `{"runType":"JAR","mainJar":{}}`, `{"runType":"JAR","mainJar":7}`,
			`{"runType":"NORMAL_JAR","mainJar":"a.jar"}`, `{"runType":"NORMAL_JAR","mainJar":"a.jar","mainClass":"a b"}`, `{"runType":"SCALA","rawScript":"public class A {}"}`,
			`{"runType":"NORMAL_JAR","mainJar":"a.jar","mainClass":"-version"}`,
		},
		Slow: source("public class Main { public static void main(String[] a) throws Exception { Thread.sleep(300000); } }"),
	})
}

func TestTheJavaOfTheEnvironmentIsTaken(t *testing.T) {
	t.Parallel()
	home := filepath.Join(t.TempDir(), "jdk 1'2")
	require.NoError(t, os.MkdirAll(filepath.Join(home, "bin"), 0o755))
	for _, name := range []string{"java", "javac"} {
		script := "#!/bin/sh\necho " + name + "; for a; do echo \"  <$a>\"; done\n"
		require.NoError(t, os.WriteFile(filepath.Join(home, "bin", name), []byte(script), 0o755))
	}
	p := java.Plugin()
	values, problems := p.Decode([]byte(source("public class A$B {}", `,"mainArgs":"*.none \"x  y\"","jvmArgs":"-Xmx1g"`)))
	require.Empty(t, problems)
	c, err := p.Process(values, task.Env{})
	require.NoError(t, err)
	require.Equal(t, "A$B.java", c.Files[0].Name)
	for _, shell := range c.Interpreter {
		cmd := exec.CommandContext(t.Context(), shell, "-c", c.Script)
		cmd.Env, cmd.Dir = []string{"JAVA_HOME=" + home, "PATH=/usr/bin:/bin"}, t.TempDir()
		said, err := cmd.CombinedOutput()
		require.NoError(t, err)
		require.Equal(t, "javac <-encoding> <UTF-8> <-d> <.> <-classpath> <.> <A$B.java> "+
			"java <-Dfile.encoding=UTF-8> <-Dstdout.encoding=UTF-8> <-Dstderr.encoding=UTF-8> <-Xmx1g> <-classpath> <.> <A$B> <*.none> <x  y>",
			normal(string(said)))
	}
}

// normal is output in one line.
func normal(said string) string {
	return strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(said, "\n  ", " "), "\n", " "))
}

func TestNamesOfFilesAreNoOptions(t *testing.T) {
	t.Parallel()
	p := java.Plugin()
	for raw, want := range map[string]string{
		`{"runType":"JAR","mainJar":"-x.jar"}`:          `-jar './-x.jar'`,
		`{"runType":"JAR","mainJar":"/../../a'; ls #"}`: `-jar 'a'\''; ls #'`,
	} {
		values, problems := p.Decode([]byte(raw))
		require.Empty(t, problems)
		c, err := p.Process(values, task.Env{})
		require.NoError(t, err)
		require.Contains(t, c.Script, want)
	}
	values, problems := p.Decode([]byte(`{"runType":"JAR","mainJar":"a:b.jar"}`))
	require.Empty(t, problems)
	_, err := p.Process(values, task.Env{})
	require.ErrorContains(t, err, "class path")
}
