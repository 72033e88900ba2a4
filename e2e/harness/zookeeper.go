package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrNoZooKeeper means that this machine has no ZooKeeper server to start.
var ErrNoZooKeeper = errors.New("no ZooKeeper: install Debian's zookeeper and default-jre-headless (java in PATH, /usr/share/java/zookeeper.jar)")

// zooClasses is where Debian puts ZooKeeper; its manifest names what it needs. The second prints the log to stderr.
const zooClasses = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar"

// ZooKeeperOptions say how an ensemble is started.
type ZooKeeperOptions struct {
	Servers int
	// Tick is ZooKeeper's unit of time, 500 ms when zero: sessions may last 2 to 20 ticks.
	Tick time.Duration
	// Hosts has the address of each server, 127.0.0.1 for all when empty.
	Hosts []string
	// Prefix returns what stands before the command of a server, for example "ip netns exec zk0". It may be nil.
	Prefix func(i int) []string
	// Settings are further lines of zoo.cfg.
	Settings []string
}

// ZooKeeper is a throw-away ensemble; one server alone when it has one.
type ZooKeeper struct {
	dir     string
	java    string
	tick    time.Duration
	prefix  func(i int) []string
	servers []*zooServer
}

type zooServer struct {
	host string
	port int // of clients
	cmd  *exec.Cmd
	done <-chan struct{}
	log  *os.File
}

// StartZooKeeper starts n servers on loopback and waits until they serve. It returns ErrNoZooKeeper when the programs
// are missing.
func StartZooKeeper(ctx context.Context, n int) (*ZooKeeper, error) {
	return StartZooKeeperWith(ctx, ZooKeeperOptions{Servers: n})
}

// StartZooKeeperWith is StartZooKeeper with more to say.
func StartZooKeeperWith(ctx context.Context, o ZooKeeperOptions) (*ZooKeeper, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, ErrNoZooKeeper
	}
	if _, err := os.Stat("/usr/share/java/zookeeper.jar"); err != nil {
		return nil, ErrNoZooKeeper
	}
	z := &ZooKeeper{java: java, tick: o.Tick, prefix: o.Prefix}
	if z.tick == 0 {
		z.tick = 500 * time.Millisecond
	}
	if z.dir, err = os.MkdirTemp("", "dorado-zk-"); err != nil {
		return nil, err
	}
	if err := z.prepare(ctx, o); err != nil {
		return nil, errors.Join(err, z.Close()) //nolint:contextcheck // cleaning up must outlive the context
	}
	for i := range z.servers {
		if err := z.launch(i); err != nil {
			return nil, errors.Join(err, z.Close()) //nolint:contextcheck // cleaning up must outlive the context
		}
	}
	if err := z.WaitReady(ctx); err != nil {
		return nil, errors.Join(err, z.Close()) //nolint:contextcheck // cleaning up must outlive the context
	}
	return z, nil
}

// prepare writes the configuration of every server.
func (z *ZooKeeper) prepare(ctx context.Context, o ZooKeeperOptions) error {
	var peers []string
	for i := range o.Servers {
		host := "127.0.0.1"
		if i < len(o.Hosts) {
			host = o.Hosts[i]
		}
		ports, err := freePorts(ctx, 3)
		if err != nil {
			return err
		}
		log, err := os.Create(filepath.Join(z.dir, fmt.Sprintf("server-%d.log", i)))
		if err != nil {
			return err
		}
		z.servers = append(z.servers, &zooServer{host: host, port: ports[0], log: log})
		if o.Servers > 1 {
			peers = append(peers, fmt.Sprintf("server.%d=%s:%d:%d", i+1, host, ports[1], ports[2]))
		}
	}
	for i, s := range z.servers {
		data := filepath.Join(z.dir, fmt.Sprintf("data-%d", i))
		if err := os.Mkdir(data, 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(data, "myid"), []byte(strconv.Itoa(i+1)), 0o600); err != nil {
			return err
		}
		lines := append([]string{
			"tickTime=" + strconv.FormatInt(z.tick.Milliseconds(), 10), "initLimit=20", "syncLimit=6",
			"dataDir=" + data, "clientPortAddress=" + s.host, "clientPort=" + strconv.Itoa(s.port),
			"maxClientCnxns=0", "admin.enableServer=false", "4lw.commands.whitelist=*", "snapshot.trust.empty=true",
		}, peers...)
		lines = append(lines, o.Settings...)
		if err := os.WriteFile(z.config(i), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (z *ZooKeeper) config(i int) string { return filepath.Join(z.dir, fmt.Sprintf("zoo-%d.cfg", i)) }

func (z *ZooKeeper) launch(i int) error {
	s := z.servers[i]
	var args []string
	if z.prefix != nil {
		args = z.prefix(i)
	}
	args = append(args, z.java, "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Djava.net.preferIPv4Stack=true", "-Dzookeeper.DigestAuthenticationProvider.digestAlg=SHA1",
		"-cp", zooClasses, "org.apache.zookeeper.server.quorum.QuorumPeerMain", z.config(i))
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx // stopped by Kill or Close
	cmd.Dir, cmd.Stdout, cmd.Stderr = z.dir, s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	done, err := startChild(cmd)
	if err != nil {
		return fmt.Errorf("start ZooKeeper: %w", err)
	}
	s.cmd, s.done = cmd, done
	return nil
}

// WaitReady waits until every running server serves.
func (z *ZooKeeper) WaitReady(ctx context.Context) error {
	for i := range z.servers {
		for z.Running(i) {
			if mode, err := z.Mode(ctx, i); err == nil && mode != "" {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("ZooKeeper server %d does not serve: %w\n%s", i, ctx.Err(), z.Log(i))
			case <-z.servers[i].done:
				return fmt.Errorf("ZooKeeper server %d ended at once:\n%s", i, z.Log(i))
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

// Servers returns the addresses for clients, host:port.
func (z *ZooKeeper) Servers() []string {
	var out []string
	for _, s := range z.servers {
		out = append(out, s.address())
	}
	return out
}

func (s *zooServer) address() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// Connect returns the addresses for clients as one string with commas.
func (z *ZooKeeper) Connect() string { return strings.Join(z.Servers(), ",") }

// Mode returns leader, follower or standalone; nothing when the server serves nobody.
func (z *ZooKeeper) Mode(ctx context.Context, i int) (string, error) {
	out, err := z.Ask(ctx, i, "srvr")
	if err != nil {
		return "", err
	}
	_, rest, ok := strings.Cut(out, "Mode: ")
	if !ok {
		return "", nil
	}
	return strings.Fields(rest)[0], nil
}

// Ask sends one of ZooKeeper's four-letter words and returns the answer.
func (z *ZooKeeper) Ask(ctx context.Context, i int, word string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", z.servers[i].address())
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	if _, err := io.WriteString(c, word); err != nil {
		return "", err
	}
	out, err := io.ReadAll(bufio.NewReader(c))
	return string(out), err
}

// Leader returns the number of the server that leads, or of the only one.
func (z *ZooKeeper) Leader(ctx context.Context) (int, error) {
	for i := range z.servers {
		if mode, err := z.Mode(ctx, i); err == nil && (mode == "leader" || mode == "standalone") {
			return i, nil
		}
	}
	return 0, errors.New("no ZooKeeper server leads")
}

// Running says whether the process of a server is there, be it paused.
func (z *ZooKeeper) Running(i int) bool {
	s := z.servers[i]
	if s.done == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// PID returns the number of a server's process, 0 when it does not run.
func (z *ZooKeeper) PID(i int) int {
	if !z.Running(i) {
		return 0
	}
	return z.servers[i].cmd.Process.Pid
}

// Kill ends a server with SIGKILL and waits for its end.
func (z *ZooKeeper) Kill(ctx context.Context, i int) error {
	if !z.Running(i) {
		return nil
	}
	if err := z.signal(i, syscall.SIGKILL); err != nil {
		return err
	}
	select {
	case <-z.servers[i].done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("ZooKeeper server %d does not end: %w", i, ctx.Err())
	}
}

// Pause stops a server with SIGSTOP: its connections stay open, and nobody answers.
func (z *ZooKeeper) Pause(i int) error {
	if err := z.signal(i, syscall.SIGSTOP); err != nil {
		return err
	}
	for range 200 { // its threads stop one after the other, and one of them might still answer
		if stopped(z.servers[i].cmd.Process.Pid) {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("ZooKeeper server %d does not stop", i)
}

// stopped reports whether no thread of a process runs; so does a process that is gone.
func stopped(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false
	}
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended
		}
		_, rest, ok := strings.Cut(string(text), ") ") // the name of the thread stands before it
		if !ok || !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return true
}

// Resume lets a paused server go on.
func (z *ZooKeeper) Resume(i int) error { return z.signal(i, syscall.SIGCONT) }

func (z *ZooKeeper) signal(i int, sig syscall.Signal) error {
	if !z.Running(i) {
		return fmt.Errorf("ZooKeeper server %d does not run", i)
	}
	if err := syscall.Kill(-z.servers[i].cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// Restart starts a server again, after killing it when it runs, on the data that it has. It does not wait: without a
// majority there is nothing to wait for; see WaitReady.
func (z *ZooKeeper) Restart(ctx context.Context, i int) error {
	if err := z.Kill(ctx, i); err != nil {
		return err
	}
	return z.launch(i)
}

// Forget kills all servers, removes all they know, and starts them empty.
func (z *ZooKeeper) Forget(ctx context.Context) error {
	for i := range z.servers {
		if err := z.Kill(ctx, i); err != nil {
			return err
		}
		if err := os.RemoveAll(filepath.Join(z.dir, fmt.Sprintf("data-%d", i), "version-2")); err != nil {
			return err
		}
	}
	for i := range z.servers {
		if err := z.launch(i); err != nil {
			return err
		}
	}
	return z.WaitReady(ctx)
}

// CLI runs commands in ZooKeeper's own shell, zkCli.sh, as its users do, and returns what it prints.
func (z *ZooKeeper) CLI(ctx context.Context, args ...string) (string, error) {
	script, err := exec.LookPath("zkCli.sh")
	if err != nil {
		script = "/usr/share/zookeeper/bin/zkCli.sh"
	}
	cmd := exec.CommandContext(ctx, script, append([]string{"-server", z.servers[0].address()}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("zkCli.sh: %w\n%s", err, out)
	}
	return string(out), nil
}

// Log returns what a server has printed.
func (z *ZooKeeper) Log(i int) string {
	raw, err := os.ReadFile(z.servers[i].log.Name())
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// Close kills all servers and removes their data.
func (z *ZooKeeper) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) //nolint:forbidigo // cleaning up must outlive the test's context
	defer cancel()
	var err error
	for i, s := range z.servers {
		err = errors.Join(err, z.Kill(ctx, i), s.log.Close())
	}
	return errors.Join(err, os.RemoveAll(z.dir))
}

func freePorts(ctx context.Context, n int) ([]int, error) {
	var out []int
	for range n {
		port, err := FreePort(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, port)
	}
	return out, nil
}
