package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options say how to start one process of the product.
type Options struct {
	Binary string
	Mode   string // standalone, master or worker
	Data   string // data folder; empty: a temporary one, removed by Close
	Listen string // host:port; empty: a free loopback port
	Args   []string
	Env    []string // added to the environment, KEY=value
	// AdminPassword is given to the first start. Empty: the product prints a one-time link instead.
	AdminPassword string
	Dir           string // working directory; empty: the data folder's parent
	// Prefix stands before the command, as "ip netns exec NAME"; what it names must become the program, not start it.
	Prefix []string
}

// Process is one running (or stopped) process of the product.
type Process struct {
	URL  string // http://127.0.0.1:port
	Data string

	opts    Options
	ownData bool
	cmd     *exec.Cmd
	done    <-chan struct{}
	log     *os.File
	from    int64 // where the log of the present start begins
	started time.Time
}

// Start runs the product. It returns at once; WaitReady waits for it.
func Start(ctx context.Context, o Options) (*Process, error) {
	p := &Process{opts: o, Data: o.Data}
	if p.Data == "" {
		dir, err := os.MkdirTemp("", "dorado-data-")
		if err != nil {
			return nil, err
		}
		// A task may run as another user: it must be able to reach what it is given inside.
		if err := os.Chmod(dir, 0o755); err != nil {
			return nil, err
		}
		p.Data, p.ownData = filepath.Join(dir, "data"), true
	}
	if p.opts.Listen == "" {
		port, err := FreePort(ctx)
		if err != nil {
			return nil, err
		}
		p.opts.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	p.URL = "http://" + p.opts.Listen
	log, err := os.CreateTemp("", "dorado-log-")
	if err != nil {
		return nil, err
	}
	p.log = log
	if err := p.Restart(ctx); err != nil {
		return nil, errors.Join(err, p.Close()) //nolint:contextcheck // cleaning up must outlive the context
	}
	return p, nil
}

// Restart starts a stopped process again on the same data and address.
func (p *Process) Restart(ctx context.Context) error {
	if p.Running() {
		return errors.New("already running")
	}
	from, err := p.log.Seek(0, 2)
	if err != nil {
		return err
	}
	p.from = from
	args := append([]string{p.opts.Mode, "--data", p.Data, "--listen", p.opts.Listen}, p.opts.Args...)
	// Not CommandContext: the test decides how the process ends, and a signal of ours must not race the context's.
	line := append(append(append([]string{}, p.opts.Prefix...), p.opts.Binary), args...)
	p.cmd = exec.Command(line[0], line[1:]...) //nolint:noctx // see above
	p.cmd.Dir = p.opts.Dir
	if p.cmd.Dir == "" {
		p.cmd.Dir = filepath.Dir(p.Data)
	}
	p.cmd.Env = append(clean(os.Environ()), p.opts.Env...)
	if p.opts.AdminPassword != "" {
		p.cmd.Env = append(p.cmd.Env, "DORADO_ADMIN_PASSWORD="+p.opts.AdminPassword)
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// A group of its own, so that Ctrl-C in the terminal reaches the test first and the test stops the product.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.started = time.Now()
	done, err := startChild(p.cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.opts.Mode, err)
	}
	p.done = done
	return ctx.Err()
}

// WaitReady waits until the health endpoint says UP and returns how long the process took from its start. It fails at
// once when the process ends.
func (p *Process) WaitReady(ctx context.Context) (time.Duration, error) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/actuator/health", http.NoBody)
		if err != nil {
			return 0, err
		}
		if res, err := client.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return time.Since(p.started), nil
			}
		}
		select {
		case <-p.done:
			return 0, fmt.Errorf("%s ended before it was ready (%s):\n%s", p.opts.Mode, p.cmd.ProcessState, p.Log())
		case <-ctx.Done():
			return 0, fmt.Errorf("%s is not ready: %w\n%s", p.opts.Mode, ctx.Err(), p.Log())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// WaitFit waits until the process says that it is ready for work: /healthz/ready. It fails at once when the process ends.
func (p *Process) WaitFit(ctx context.Context) error {
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	said := "it does not answer"
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/healthz/ready", http.NoBody)
		if err != nil {
			return err
		}
		if res, err := client.Do(req); err == nil {
			body, _ := io.ReadAll(res.Body) // for the message
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
			said = string(body)
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it was ready (%s):\n%s", p.opts.Mode, p.cmd.ProcessState, p.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w: %s\n%s", p.opts.Mode, ctx.Err(), said, p.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Running says whether the process is there.
func (p *Process) Running() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// PID returns the number of the process, 0 when it is not running.
func (p *Process) PID() int {
	if !p.Running() {
		return 0
	}
	return p.cmd.Process.Pid
}

// Done is closed when the process of the latest start has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode returns the code of a process that has ended, -1 when a signal ended it.
func (p *Process) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Terminate sends SIGTERM and waits until the process has ended or the context is over.
func (p *Process) Terminate(ctx context.Context) error {
	return p.signal(ctx, syscall.SIGTERM)
}

// Kill sends SIGKILL to the process alone, as a machine's out-of-memory killer does: its children live on.
func (p *Process) Kill(ctx context.Context) error {
	return p.signal(ctx, syscall.SIGKILL)
}

func (p *Process) signal(ctx context.Context, s syscall.Signal) error {
	if !p.Running() {
		return nil
	}
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s does not end after %s: %w\n%s", p.opts.Mode, s, ctx.Err(), p.Log())
	}
}

// Close kills the process, when it still runs, and removes its log and the data folder that Start made.
func (p *Process) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) //nolint:forbidigo // cleaning up must outlive the test's context
	defer cancel()
	err := p.Kill(ctx)
	if data, absErr := filepath.Abs(p.Data); absErr == nil {
		killLeftovers(data)
	}
	err = errors.Join(err, p.log.Close(), os.Remove(p.log.Name()))
	if p.ownData {
		err = errors.Join(err, os.RemoveAll(filepath.Dir(p.Data)))
	}
	return err
}

// Log returns what the process of the latest start has printed so far.
func (p *Process) Log() string {
	raw, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(raw[min(int64(len(raw)), p.from):])
}

// FullLog returns what the process has printed over all its starts.
func (p *Process) FullLog() string {
	raw, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// LogPath is the file that the process prints to.
func (p *Process) LogPath() string { return p.log.Name() }

// SignInLink waits for the one-time link that the first start prints for admin.
func (p *Process) SignInLink(ctx context.Context) (string, error) {
	link := regexp.MustCompile(regexp.QuoteMeta(p.URL) + `/[^\s"']+`)
	for {
		if found := link.FindString(p.Log()); found != "" {
			return strings.TrimRight(found, ".,;"), nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no sign-in link in the log: %w\n%s", ctx.Err(), p.Log())
		case <-p.done:
			return "", fmt.Errorf("%s ended without a sign-in link:\n%s", p.opts.Mode, p.Log())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// FreePort returns a loopback port that nobody listens on. It lies below the ports that the kernel gives to outgoing
// connections, so that none of those takes it before the process that it is meant for does.
func FreePort(ctx context.Context) (int, error) {
	for tries := 0; ; tries++ {
		port := 10_000 + rand.IntN(20_000)
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return port, l.Close()
		}
		if tries == 100 {
			return 0, err
		}
	}
}

// clean drops the variables that would configure the product.
func clean(env []string) []string {
	var out []string
	for _, kv := range env {
		if !strings.HasPrefix(kv, "DORADO_") {
			out = append(out, kv)
		}
	}
	return out
}

// Panics returns the first lines of a Go panic or data race in the log, or nothing.
func (p *Process) Panics() string {
	raw := []byte(p.Log())
	for _, mark := range []string{"panic: ", "fatal error: ", "WARNING: DATA RACE"} {
		if i := bytes.Index(raw, []byte(mark)); i >= 0 {
			return string(raw[i:min(len(raw), i+2000)])
		}
	}
	return ""
}
