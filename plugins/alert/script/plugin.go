package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"dorado/plugins/alert"
	"dorado/plugins/form"
)

const (
	// timeout is how long a script may take, and grace how long it is waited for afterwards.
	timeout = time.Minute
	grace   = 2 * time.Second
	// maxArgument bounds the content as an argument, in bytes; the standard input has all of it.
	maxArgument = 100 << 10
)

// Plugin runs scripts that lie in dir or below.
func Plugin(dir string) alert.Plugin {
	return alert.Plugin{
		ID: 11, Name: "Script", Label: "alert.script", Help: "alert.script.help",
		Schema: form.Schema{
			{Name: "path", Type: form.Text, Label: "alert.script.path", Help: "alert.script.path.help", Required: true, Literal: true},
			{Name: "userParams", Type: form.Text, Label: "alert.script.params", Help: "alert.script.params.help", Literal: true},
			{Name: "type", Type: form.Select, Label: "alert.script.type", Default: "SHELL", Required: true, Options: []form.Option{{Value: "SHELL"}}},
		},
		Check: func(v form.Values) []form.Problem {
			if p := v.Text("path"); !filepath.IsAbs(p) || !strings.HasSuffix(p, ".sh") {
				return []form.Problem{{Field: "path", Key: "alert.error.script_path"}}
			}
			return nil
		},
		Send: func(ctx context.Context, v form.Values, m alert.Message) (string, error) {
			path, err := allowed(dir, v.Text("path"))
			if err != nil {
				return "", err
			}
			return run(ctx, path, v.Text("userParams"), m)
		},
	}
}

// allowed returns the file that path leads to, when it lies in dir and nobody else can change it.
func allowed(dir, path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", errors.New("there is no such script on this machine")
	}
	home, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("there is no folder %s on this machine; scripts for alerts lie there", dir)
	}
	if rel, err := filepath.Rel(home, real); err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("the script does not lie in %s", dir)
	}
	info, err := os.Stat(real)
	switch {
	case err != nil:
		return "", errors.New("the script cannot be read")
	case !info.Mode().IsRegular():
		return "", errors.New("the script is no file")
	case info.Mode().Perm()&0o022 != 0:
		return "", errors.New("others than its owner can change the script; run chmod go-w on it")
	}
	return real, nil
}

func run(ctx context.Context, path, params string, m alert.Message) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	argument := m.Content
	if len(argument) > maxArgument {
		argument = strings.ToValidUTF8(argument[:maxArgument], "")
	}
	noNUL := strings.NewReplacer("\x00", "")
	cmd := exec.CommandContext(ctx, path, "-t", noNUL.Replace(m.Title), "-c", noNUL.Replace(argument), "-p", noNUL.Replace(params)) //nolint:gosec // only what lies in the operator's folder
	cmd.Stdin = strings.NewReader(m.Content)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8"} // nothing of the program's own: there may be keys
	cmd.Dir = filepath.Dir(path)
	cmd.WaitDelay = grace
	ownGroup(cmd)
	var out bounded
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	switch exit, failed := errors.AsType[*exec.ExitError](err); {
	case ctx.Err() != nil:
		return "", fmt.Errorf("the script was ended: %w", ctx.Err())
	case failed:
		return "", fmt.Errorf("%w: exit code %d: %s", alert.ErrRefused, exit.ExitCode(), out.text())
	case err != nil:
		return "", fmt.Errorf("start the script: %w", err)
	}
	return out.text(), nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ b bytes.Buffer }

// Write keeps what there is room for.
func (b *bounded) Write(p []byte) (int, error) {
	if room := 4096 - b.b.Len(); room > 0 {
		b.b.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

func (b *bounded) text() string {
	return strings.TrimSpace(strings.ToValidUTF8(b.b.String(), "\uFFFD"))
}
