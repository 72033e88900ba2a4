package executor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/task"
)

// Work on a cluster that a process drives goes on when only the process is killed. Its identifiers stand in the process's
// log. They are looked for while the process runs, so that the master knows them even when this worker dies, and once more
// at its end; when the attempt is ended from outside, the plugin's script ends the work, too.

const (
	// remoteLook is how often the log of a process that drives remote work is looked through, and remoteSoon as long as there
	// is no name in it: when this machine is lost, work whose name nobody was told is begun a second time.
	remoteLook = 2 * time.Second
	remoteSoon = 200 * time.Millisecond
	// remotePatience is how long ending remote work may take.
	remotePatience = time.Minute
	// maxRemote bounds how many identifiers one attempt can have.
	maxRemote = 200
	// maxRemoteLine is how much of a line is looked at, in bytes.
	maxRemoteLine = 64 << 10
)

// remote is work elsewhere that a process drives. Its fields are its carrier's alone, but for stop, and those that do not change
// once the attempt is running: cancel, save, saved, stays, lines and env.
type remote struct {
	pattern *regexp.Regexp
	cancel  string         // a shell script
	save    string         // another one, "" = its state cannot be saved
	saved   *regexp.Regexp // where that lies; nil without save
	stays   bool           // only who kills the attempt ends it
	lines   string         // of the environment of the task
	env     []string       // of the process
	found   []string
	read    int64 // how much of the process's part of the log was looked through
	stop    chan struct{}
	stopped chan struct{}
}

// carriedRemote is a remote as the next program gets it.
type carriedRemote struct {
	Pattern string   `json:"pattern"`
	Cancel  string   `json:"cancel"`
	Save    string   `json:"save,omitempty"`
	Saved   string   `json:"saved,omitempty"`
	Stays   bool     `json:"stays,omitempty"`
	Lines   string   `json:"lines"`
	Env     []string `json:"env"`
}

// newRemote returns nil when there is no remote work.
func newRemote(r *task.Remote) (*remote, error) {
	if r == nil {
		return nil, nil //nolint:nilnil // most commands
	}
	pattern, err := regexp.Compile(r.Pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern of remote work: %w", err)
	}
	out := &remote{pattern: pattern, cancel: r.Cancel, save: r.Save, stays: r.Stays}
	if r.Save != "" {
		if out.saved, err = regexp.Compile(r.Saved); err != nil {
			return nil, fmt.Errorf("pattern of saved states: %w", err)
		}
	}
	return out, nil
}

func (r *remote) carry() *carriedRemote {
	if r == nil {
		return nil
	}
	c := &carriedRemote{Pattern: r.pattern.String(), Cancel: r.cancel, Save: r.save, Stays: r.stays, Lines: r.lines, Env: r.env}
	if r.saved != nil {
		c.Saved = r.saved.String()
	}
	return c
}

func (c *carriedRemote) remote() (*remote, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // most attempts
	}
	r, err := newRemote(&task.Remote{Pattern: c.Pattern, Cancel: c.Cancel, Save: c.Save, Saved: c.Saved, Stays: c.Stays})
	if err == nil {
		r.lines, r.env = c.Lines, c.Env
	}
	return r, err
}

// settle remembers what the script that ends the work needs.
func (r *remote) settle(lines string, env []string) {
	if r != nil {
		r.lines, r.env = lines, env
	}
}

// watchRemote looks for identifiers until settleRemote.
func (e *Executor) watchRemote(ctx context.Context, a *attempt) {
	r := a.remote
	if r == nil {
		return
	}
	r.stop, r.stopped = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(r.stopped)
		tick := time.NewTicker(remoteSoon)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-r.stop:
				return
			case <-ctx.Done():
				return
			}
			if r.look(a.logPath, a.logStart) {
				tick.Reset(remoteLook)
				if err := e.linked(a, strings.Join(r.found, ",")); err != nil {
					e.log.WarnContext(ctx, "remote work is not in the journal", "task_instance_id", a.id, "error", err)
				}
			}
		}
	}()
}

// settleRemote looks for the last time, and ends the work when the attempt was ended from outside.
func (e *Executor) settleRemote(ctx context.Context, a *attempt, res *result, ending endReason) {
	r := a.remote
	if r == nil {
		return
	}
	if r.stop != nil {
		close(r.stop)
		<-r.stopped
	}
	r.look(a.logPath, a.logStart)
	if len(r.found) == 0 && r.stays && a.link != "" { // of an earlier attempt
		r.found = strings.Split(a.link, ",")
	}
	res.link = strings.Join(r.found, ",")
	if ending == endNone || len(r.found) == 0 || strings.TrimSpace(r.cancel) == "" {
		return
	}
	if r.stays && (ending == endShutdown || ending == endLeaseLost) {
		return // the next attempt finds it
	}
	out, err := e.remoteScript(ctx, a, r.cancel, r.found, remotePatience)
	text := "ending remote work: " + res.link + "\n" + out
	if err != nil {
		text += "\nthe remote work could not be ended: " + oneLine(err.Error())
		res.message += "; the remote work " + res.link + " could not be ended and may go on"
	}
	if a.hide != nil {
		text = a.hide.Text(text)
	}
	appendLog(a.logPath, strings.TrimRight(text, "\n")+"\n")
}

// appendLog adds text to a log; on a full disk, or when the log is gone, nothing is lost but the text.
func appendLog(path, text string) {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }()
	_ = writeAll(fd, text)
}

// remoteScript runs a script of the plugin as the attempt's user and returns what it printed. It goes on when ctx ends.
func (e *Executor) remoteScript(ctx context.Context, a *attempt, text string, ids []string, patience time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	env := append(slices.Clone(a.remote.env), "DORADO_REMOTE_IDS="+strings.Join(ids, " "))
	path := envValue(env, "PATH")
	program, err := e.program(task.Command{Interpreter: []string{"bash", "sh"}}, env, path)
	if err != nil {
		return "", err
	}
	var script strings.Builder
	args := []string{"-s"}
	if a.viaSudo { // sudo cleans the environment, and nothing private may be in an argument
		for _, kv := range env {
			name, value, _ := strings.Cut(kv, "=")
			script.WriteString("export " + name + "=" + shellQuote(value) + "\n")
		}
		args, program = append([]string{"-n", "-u", a.account.name, "--", program[0]}, args...), []string{"sudo"}
	}
	script.WriteString("cd -- " + shellQuote(a.dir) + " 2>/dev/null\n")
	script.WriteString(strings.ReplaceAll(a.remote.lines, "\r\n", "\n") + "\n" + text + "\n")
	cmd := exec.CommandContext(ctx, program[0], args...)
	cmd.Stdin, cmd.Env, cmd.WaitDelay = strings.NewReader(script.String()), env, time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if !a.viaSudo {
		cmd.SysProcAttr.Credential = a.account.credential()
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	limited := &limitedWriter{to: &out, left: maxRemoteLine}
	cmd.Stdout, cmd.Stderr = limited, limited
	err = errors.Join(cmd.Run(), ctx.Err())
	return strings.ToValidUTF8(out.String(), "\uFFFD"), err
}

// limitedWriter takes everything and keeps the beginning.
type limitedWriter struct {
	to   io.Writer
	left int
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	if n := min(w.left, len(p)); n > 0 {
		w.left -= n
		if _, err := w.to.Write(p[:n]); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// look reads what the log has got since and reports whether there are new identifiers in it.
func (r *remote) look(path string, from int64) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	if st, err := f.Stat(); err != nil || st.Size() <= from+r.read {
		return false
	}
	before, buf, held := len(r.found), make([]byte, maxRemoteLine), 0
	for len(r.found) < maxRemote {
		n, err := f.ReadAt(buf[held:], from+r.read+int64(held))
		piece := buf[:held+n]
		last := bytes.LastIndexByte(piece, '\n') + 1
		switch {
		case last > 0:
		case len(piece) == len(buf): // a line without an end
			last = len(piece)
		default:
			return len(r.found) > before
		}
		for _, m := range r.pattern.FindAllSubmatch(piece[:last], maxRemote) {
			id := string(m[0])
			if len(m) > 1 {
				id = string(m[1])
			}
			if id = strings.TrimSpace(id); id != "" && len(r.found) < maxRemote && !slices.Contains(r.found, id) && !strings.ContainsAny(id, " ,\n") {
				r.found = append(r.found, id)
			}
		}
		r.read += int64(last)
		held = 0
		if err != nil {
			return len(r.found) > before
		}
	}
	return len(r.found) > before
}

// names are those of remote work in the log of an attempt that an earlier process of this worker ran, joined by commas: that
// process may have died between the line of the log and its next look. "" when en is no entryRemote, or there are none.
func (en *entry) names(path string) string {
	if en.kind != entryRemote {
		return ""
	}
	pattern, err := regexp.Compile(en.pattern)
	if err != nil {
		return "" // of another program's language; then nothing is known, as before the first look
	}
	r := remote{pattern: pattern}
	r.look(path, en.from)
	return strings.ToValidUTF8(strings.Join(r.found, ","), "")
}

// linked makes the name of remote work known: to the journal, so that a restart finds it, and to the master, so that it is
// found when this machine is gone.
func (e *Executor) linked(a *attempt, link string) error {
	link = strings.ToValidUTF8(link, "")
	e.mu.Lock()
	if a.state != running || a.link == link {
		e.mu.Unlock()
		return nil
	}
	a.link, a.begun, a.startSent, a.startAcked = link, true, true, false
	report, owned, owner := a.startReport(), a.owned(), e.box(a.owner)
	en := a.entry(entryStarted)
	e.mu.Unlock()
	err := e.journal.append(en, owned)
	a.hidden(report)
	owner.send(report)
	if err != nil {
		return fmt.Errorf("cannot write the worker's journal: %w", err)
	}
	return nil
}

// leaveRemote lets go of attempts that work within the worker and whose remote work goes on without it: they are reported
// lost, and whoever gets the next attempt finds the work by its name.
func (e *Executor) leaveRemote() {
	e.mu.Lock()
	var all []*attempt
	for _, a := range e.attempts {
		if a.state == running && a.cancel != nil && a.link != "" {
			all = append(all, a)
		}
	}
	e.mu.Unlock()
	for _, a := range all {
		e.end(a, endShutdown)
	}
}

// alertOf is what a task tells people, as it is sent to the master.
func alertOf(a *task.Alert) *doradov1.Alert {
	if a == nil {
		return nil
	}
	return &doradov1.Alert{Group: a.Group, Title: strings.ToValidUTF8(a.Title, ""), Content: strings.ToValidUTF8(a.Content, "")}
}
