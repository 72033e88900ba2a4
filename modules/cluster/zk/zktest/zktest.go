package zktest

import (
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
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
)

const (
	// Tick is the servers' unit of time: a session lasts at least two of them.
	Tick = 500 * time.Millisecond

	patience = 2 * time.Minute // a virtual machine starts slowly where many do

	jar = "/usr/share/java/zookeeper.jar" // its manifest names what it needs
	// Beside its own: the log on stderr, and what TLS needs.
	classes = jar + ":/usr/share/java/slf4j-simple.jar:/usr/share/java/netty-codec.jar:/usr/share/java/netty-resolver.jar"
)

// Options change what a server is started with.
type Options struct {
	Settings []string // lines of zoo.cfg
	Java     []string // options of the virtual machine
}

// Ensemble is one server, or several that elect a leader.
type Ensemble struct {
	t       testing.TB
	dir     string
	options Options
	servers []*server
}

type server struct {
	port    int
	process *testkit.Process
	down    bool
}

// Start starts n servers and waits until they serve. They end with the test. It skips the test when there is no
// ZooKeeper, or fails it in CI.
func Start(t testing.TB, n int) *Ensemble {
	t.Helper()
	return StartWith(t, n, Options{})
}

// StartWith is Start with options.
func StartWith(t testing.TB, n int, o Options) *Ensemble {
	t.Helper()
	_, err := os.Stat(jar)
	if err == nil {
		_, err = exec.LookPath("java")
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no ZooKeeper: install Debian's zookeeper and default-jre-headless: %v", err)
		}
		t.Skipf("no ZooKeeper: %v", err)
	}
	e := &Ensemble{t: t, dir: t.TempDir(), options: o}
	e.configure(n)
	for i := range e.servers {
		e.launch(i)
	}
	e.WaitReady()
	return e
}

func (e *Ensemble) configure(n int) {
	e.t.Helper()
	var peers []string
	for i := range n {
		s := &server{port: e.port()}
		e.servers = append(e.servers, s)
		if n > 1 {
			peers = append(peers, fmt.Sprintf("server.%d=127.0.0.1:%d:%d", i+1, e.port(), e.port()))
		}
	}
	for i, s := range e.servers {
		data := e.data(i)
		require.NoError(e.t, os.Mkdir(data, 0o750))
		require.NoError(e.t, os.WriteFile(filepath.Join(data, "myid"), []byte(strconv.Itoa(i+1)), 0o600))
		lines := append([]string{
			fmt.Sprintf("tickTime=%d", Tick.Milliseconds()), "initLimit=20", "syncLimit=6", "dataDir=" + data,
			"clientPortAddress=127.0.0.1", fmt.Sprintf("clientPort=%d", s.port), "maxClientCnxns=0",
			"admin.enableServer=false", "4lw.commands.whitelist=*",
		}, peers...)
		lines = append(lines, e.options.Settings...)
		require.NoError(e.t, os.WriteFile(e.config(i), []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	}
}

func (e *Ensemble) port() int {
	e.t.Helper()
	port, err := testkit.FreePort(e.t.Context())
	require.NoError(e.t, err)
	return port
}

func (e *Ensemble) data(i int) string { return filepath.Join(e.dir, fmt.Sprintf("data-%d", i)) }

func (e *Ensemble) config(i int) string { return filepath.Join(e.dir, fmt.Sprintf("zoo-%d.cfg", i)) }

func (e *Ensemble) launch(i int) {
	e.t.Helper()
	args := append([]string{
		"-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Djava.net.preferIPv4Stack=true", "-Dzookeeper.forceSync=no", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
	}, e.options.Java...)
	args = append(args, "-cp", classes, "org.apache.zookeeper.server.quorum.QuorumPeerMain", e.config(i))
	e.servers[i].process = testkit.Start(e.t, exec.Command("java", args...)) //nolint:noctx // ends with the test
	e.servers[i].down = false
}

// WaitReady waits until every server that runs serves.
func (e *Ensemble) WaitReady() {
	e.t.Helper()
	for i, s := range e.servers {
		if s.down {
			continue
		}
		testkit.Within(e.t, patience, func() error {
			if e.Mode(i) == "" {
				return fmt.Errorf("server %d does not serve:\n%s", i, s.process.Output())
			}
			return nil
		})
	}
}

// Servers returns the addresses for clients, host:port.
func (e *Ensemble) Servers() []string {
	var out []string
	for _, s := range e.servers {
		out = append(out, s.address())
	}
	return out
}

func (s *server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Mode returns leader, follower or standalone; nothing when the server serves nobody.
func (e *Ensemble) Mode(i int) string {
	c, err := net.DialTimeout("tcp", e.servers[i].address(), time.Second) //nolint:noctx // bounded
	if err != nil {
		return ""
	}
	defer func() { _ = c.Close() }()
	if c.SetDeadline(time.Now().Add(5*time.Second)) != nil {
		return ""
	}
	if _, err := io.WriteString(c, "srvr"); err != nil {
		return ""
	}
	out, err := io.ReadAll(c)
	_, rest, ok := strings.Cut(string(out), "Mode: ")
	if err != nil || !ok {
		return ""
	}
	return strings.Fields(rest)[0]
}

// Leader waits for a leader and returns its number.
func (e *Ensemble) Leader() int {
	e.t.Helper()
	leader := -1
	testkit.Within(e.t, patience, func() error {
		for i := range e.servers {
			if mode := e.Mode(i); mode == "leader" || mode == "standalone" {
				leader = i
				return nil
			}
		}
		return errors.New("nobody leads")
	})
	return leader
}

// Kill ends a server as a crash does.
func (e *Ensemble) Kill(i int) {
	e.servers[i].process.Kill()
	e.servers[i].down = true
}

// Stop freezes a server: its connections stay open and nobody answers.
func (e *Ensemble) Stop(i int) {
	e.t.Helper()
	e.servers[i].process.Signal(e.t, syscall.SIGSTOP)
}

// Continue lets a frozen server go on.
func (e *Ensemble) Continue(i int) {
	e.t.Helper()
	e.servers[i].process.Signal(e.t, syscall.SIGCONT)
}

// Restart starts a server again on its data, after killing it when it runs. It does not wait until it serves.
func (e *Ensemble) Restart(i int) {
	e.t.Helper()
	e.Kill(i)
	e.launch(i)
}

// Forget starts all servers anew with nothing in them.
func (e *Ensemble) Forget() {
	e.t.Helper()
	for i := range e.servers {
		e.Kill(i)
		require.NoError(e.t, os.RemoveAll(filepath.Join(e.data(i), "version-2")))
	}
	for i := range e.servers {
		e.launch(i)
	}
	e.WaitReady()
}
