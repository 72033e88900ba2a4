package remoteshell

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"dorado/plugins/datasource/builtin"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// server is a real sshd on a port of its own.
type server struct {
	port   int
	user   string
	key    string        // private, PEM
	public ssh.PublicKey // of the host
}

// key makes a key pair.
func key(t *testing.T) (private string, public ssh.PublicKey) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(priv, "test")
	require.NoError(t, err)
	public, err = ssh.NewPublicKey(pub)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(block)), public
}

// sshd starts a server into which the user of the test may sign in with a key. It skips where there is none; CI has one.
func sshd(t *testing.T) server {
	t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		program = "/usr/sbin/sshd"
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sshd is missing")
		}
		t.Skip("sshd is missing")
	}
	if os.Getuid() == 0 {
		require.NoError(t, os.MkdirAll("/run/sshd", 0o755)) // where it locks itself up; made by its service otherwise
	}
	me, err := user.Current()
	require.NoError(t, err)
	dir := t.TempDir()
	s := server{user: me.Username}
	var mine ssh.PublicKey
	s.key, mine = key(t)
	host, public := key(t)
	s.public = public
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.port = l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	config := write("config", fmt.Sprintf(`ListenAddress 127.0.0.1:%d
HostKey %s
AuthorizedKeysFile %s
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
MaxStartups 100
`, s.port, write("host", host), write("keys", string(ssh.MarshalAuthorizedKey(mine)))))
	cmd := exec.CommandContext(t.Context(), program, "-D", "-e", "-f", config)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log("sshd said", said.String())
		}
	})
	require.Eventually(t, func() bool {
		c, err := net.DialTimeout("tcp", s.address(), time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
	return s
}

func (s server) address() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// source is the server as a data source, with more fields; a port of 0 is its own.
func (s server) source(t *testing.T, port int, more ...string) task.Source {
	t.Helper()
	if port == 0 {
		port = s.port
	}
	flat := form.Flat{"host": "127.0.0.1", "port": strconv.Itoa(port), "userName": s.user, "publicKey": s.key}
	for i := 0; i < len(more); i += 2 {
		flat[more[i]] = more[i+1]
	}
	return source(t, flat)
}

func source(t *testing.T, flat form.Flat) task.Source {
	t.Helper()
	for _, p := range builtin.Types() {
		if p.Type == sourceType {
			settings, problems := p.Read(flat)
			require.Empty(t, problems)
			return task.Source{ID: 4, Name: "there", Plugin: p, Settings: settings}
		}
	}
	t.Fatal("there is no type SSH")
	return task.Source{}
}

// safeLog is a log that is read while it is written.
type safeLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *safeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// lines are those that the script printed.
func (l *safeLog) lines() []string {
	var out []string
	for line := range strings.Lines(l.String()) {
		if !strings.HasPrefix(line, "[") {
			out = append(out, strings.TrimSuffix(line, "\n"))
		}
	}
	return out
}

// attempt is one run of a script.
type attempt struct {
	log  *safeLog
	env  task.Env
	link chan string
	text string
}

func newAttempt(t *testing.T, s task.Source, text string) *attempt {
	t.Helper()
	a := &attempt{log: &safeLog{}, link: make(chan string, 1), text: text}
	a.env = task.Env{
		TaskInstanceID: 2, WorkflowInstanceID: 1, Dir: t.TempDir(), Log: a.log, Sources: map[int64]task.Source{4: s},
		Keep: func(link string) error { a.link <- link; return nil },
	}
	return a
}

func (a *attempt) values() form.Values {
	v, _ := form.Decode(Plugin().Schema, []byte(`{"type":"SSH","datasource":4}`))
	v[rawScript] = a.text
	return v
}

// settings is the folder of a link on the machine, which is this one.
func folder(t *testing.T, text string) string {
	t.Helper()
	l, err := parseLink(text)
	require.NoError(t, err)
	me, err := user.Current()
	require.NoError(t, err)
	return filepath.Join("/tmp/dolphinscheduler-remote-shell-"+me.Username, l.name)
}

// left are processes that carry the mark of a link.
func left(t *testing.T, text string) []string {
	t.Helper()
	l, err := parseLink(text)
	require.NoError(t, err)
	var out []string
	all, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	for _, p := range all {
		if environ, err := os.ReadFile(p + "/environ"); err == nil && bytes.Contains(environ, []byte(l.name)) {
			command, _ := os.ReadFile(p + "/cmdline")
			out = append(out, p+" "+string(bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
		}
	}
	return out
}

// relay stands between a task and the server, and can break connections.
type relay struct {
	port int
	to   string

	mu    sync.Mutex
	open  []net.Conn
	deaf  bool // takes no connections
	mute  bool // takes connections and passes nothing on
	count int
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{port: l.Addr().(*net.TCPAddr).Port, to: to}
	t.Cleanup(func() { _ = l.Close(); r.cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.pass(c)
		}
	}()
	return r
}

func (r *relay) pass(c net.Conn) {
	r.mu.Lock()
	deaf := r.deaf
	r.count++
	r.mu.Unlock()
	if deaf {
		_ = c.Close()
		return
	}
	d, err := net.Dial("tcp", r.to)
	if err != nil {
		_ = c.Close()
		return
	}
	r.mu.Lock()
	r.open = append(r.open, c, d)
	r.mu.Unlock()
	copying := func(to, from net.Conn) {
		defer to.Close()
		piece := make([]byte, 1000)
		for {
			n, err := from.Read(piece)
			if err != nil {
				return
			}
			r.mu.Lock()
			mute := r.mute
			r.mu.Unlock()
			if mute {
				continue
			}
			if _, err := to.Write(piece[:n]); err != nil {
				return
			}
		}
	}
	go copying(c, d)
	copying(d, c)
}

// cut breaks every connection.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.open {
		_ = c.Close()
	}
	r.open = nil
}

func (r *relay) set(deaf, mute bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deaf, r.mute = deaf, mute
}
