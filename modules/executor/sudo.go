package executor

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dorado/plugins/task"
)

// sudoBoot runs as the tenant. Its input is a file without a name: first the environment ($2 bytes of export lines), then
// lines for the shell ($3 bytes), the script ($4 bytes), and an archive of files if $6 says so. It makes the working
// directory $1, puts all of it there, the script as $5, and becomes the command with a clean environment. Nothing private is
// in an argument. sudo closes descriptors, therefore the input is the only way in.
const sudoBoot = `umask 077
{ mkdir -- "$1" || { rm -rf -- "$1" && mkdir -- "$1"; }; } && chmod 750 "$1" && cd -- "$1" || exit 126
dd bs="$2" count=1 of=.dorado-env 2>/dev/null && dd bs="$3" count=1 of=.dorado-shell 2>/dev/null &&
	dd bs="$4" count=1 of="$5" 2>/dev/null && chmod 700 "$5" && { test -z "$6" || tar -xf -; } || exit 126
umask 022
shift 6
exec env -i /bin/sh -c '. ./.dorado-env && rm -f .dorado-env && exec "$@" </dev/null' sh "$@"
`

// launchSudo builds the command line for another user when credentials can't be switched directly. shell, if there is
// one, is run instead of the script, and runs it in turn.
func (e *Executor) launchSudo(a *attempt, program []string, file, script, shell string, env []string, own []task.File) (command, func(), error) {
	sudo := lookPath("sudo", e.cfg.Path+":"+e.environ["PATH"])
	if sudo == "" {
		return command{}, nil, fmt.Errorf("tenant %q needs sudo, and this worker has none", a.account.name)
	}
	if file == "" {
		file = strconv.FormatInt(a.workflow, 10) + "_" + strconv.FormatInt(a.id, 10) + ".sh"
	}
	var exports strings.Builder
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		exports.WriteString("export " + name + "=" + shellQuote(value) + "\n")
	}
	run := file
	if shell == "" {
		shell = "\n" // dd wants a byte
	} else {
		run = ".dorado-shell"
	}
	if script == "" {
		script = "\n"
	}
	fd, files, err := e.sudoInput(a, exports.String()+shell+script, own)
	if err != nil {
		return command{}, nil, fmt.Errorf("cannot hand over the script: %w", err)
	}
	argv := append([]string{
		sudo, "-n", "-u", a.account.name, "--", "/bin/sh", "-c", sudoBoot, "dorado",
		a.dir, strconv.Itoa(exports.Len()), strconv.Itoa(len(shell)), strconv.Itoa(len(script)), file, files,
	}, program...)
	return command{
		path: sudo, argv: append(argv, run), env: []string{"PATH=" + e.cfg.Path, e.mark(a.id)}, dirs: []string{e.dirs.base},
		stdin: fd, output: -1, script: -1,
	}, func() { _ = unix.Close(fd) }, nil
}

// sudoInput is a descriptor from which text is read, and behind it an archive of the files of the attempt; files is not
// empty when there are some.
func (e *Executor) sudoInput(a *attempt, text string, own []task.File) (fd int, files string, err error) {
	switch {
	case len(a.fetched) > 0:
		files = "files"
		fd, err = e.files.archive(a, text, own)
	case len(own) > 0:
		files = "files"
		var all strings.Builder
		if err := e.files.pack(&all, a, text, own); err != nil {
			return -1, "", err
		}
		fd, err = sealedFile(all.String())
	default:
		fd, err = sealedFile(text)
	}
	if err != nil {
		return -1, "", err
	}
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		_ = unix.Close(fd)
		return -1, "", err
	}
	return fd, files, nil
}

// sudoKill sends a signal to processes of a tenant that the worker may not signal itself.
func sudoKill(ctx context.Context, user string, sig syscall.Signal, pids []int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	args := []string{"-n", "-u", user, "--", "/bin/sh", "-c", `kill -s "$0" "$@"`, strings.TrimPrefix(unix.SignalName(sig), "SIG")}
	for _, pid := range pids {
		args = append(args, strconv.Itoa(pid))
	}
	if out, err := exec.CommandContext(ctx, "sudo", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("sudo kill: %w: %s", err, oneLine(string(out)))
	}
	return nil
}
