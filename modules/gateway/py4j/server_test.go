package py4j_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/gateway/py4j"
)

// entry has a method for each thing a method can do.
type entry struct{}

func (entry) Call(_ context.Context, method string, args []py4j.Value) (py4j.Value, error) {
	switch {
	case method == "ping" && len(args) == 0:
		return py4j.OfText("PONG"), nil
	case method == "void" && len(args) == 0:
		return py4j.OfVoid(), nil
	case method == "echo" && len(args) == 1:
		return args[0], nil
	case method == "where" && len(args) == 1:
		return py4j.Value{}, py4j.NewException(py4j.IllegalArgument, "Can not find any datasource by name "+args[0].Text)
	case method == "broken" && len(args) == 0:
		return py4j.Value{}, errors.New("password=hush")
	case method == "panic" && len(args) == 0:
		panic("password=hush")
	case method == "codes" && len(args) == 1:
		list := py4j.NewList(py4j.OfLong(1), py4j.OfLong(2))
		return py4j.OfObject(py4j.NewMap(py4j.Pair{Key: "data", Value: py4j.OfObject(list)}, py4j.Pair{Key: "code", Value: py4j.OfLong(122586461890560)})), nil
	case method == "source" && len(args) == 0:
		kind := py4j.NewBean("DbType", "MYSQL", map[string]py4j.Value{"getDescp": py4j.OfText("mysql")})
		return py4j.OfObject(py4j.NewBean("DataSource", "DataSource", map[string]py4j.Value{"getType": py4j.OfObject(kind), "getNote": py4j.OfOptional("")})), nil
	}
	return py4j.Value{}, py4j.ErrNoMethod
}

// server serves clients of a test.
type server struct {
	*py4j.Server
	address string
	stop    context.CancelFunc
	done    chan error

	mu    sync.Mutex
	clock time.Time
}

func (s *server) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *server) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

func serve(t *testing.T, token string, change ...func(*py4j.Limits)) *server {
	t.Helper()
	limits := py4j.DefaultLimits()
	for _, c := range change {
		c(&limits)
	}
	s := &server{done: make(chan error, 1), clock: time.Unix(0, 0)}
	s.Server = py4j.New(py4j.Options{Entry: entry{}, Token: token, Limits: limits, Logger: slog.New(slog.DiscardHandler), Now: s.now})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() { s.done <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-s.done)
		s.done <- nil
	})
	return s
}

// client speaks as a Python program does.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (s *server) dial(t *testing.T) *client {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return &client{t, conn, bufio.NewReader(conn)}
}

// say sends lines, written with ⏎ for a line feed, and returns the answer.
func (c *client) say(command string) string {
	c.t.Helper()
	_, err := io.WriteString(c.conn, strings.ReplaceAll(command, "⏎", "\n"))
	require.NoError(c.t, err)
	return c.hear()
}

func (c *client) hear() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	require.NoError(c.t, err)
	return strings.TrimSuffix(line, "\n")
}

func (c *client) closed() {
	c.t.Helper()
	_, err := c.in.ReadByte()
	require.Error(c.t, err)
}

func TestValuesTravelBothWays(t *testing.T) {
	t.Parallel()
	c := serve(t, "").dial(t)
	for sent, want := range map[string]string{
		"n": "!yn", "bTrue": "!ybtrue", "bfalse": "!ybfalse", "i-2147483648": "!yi-2147483648", "L1": "!yL1", "L9223372036854775807": "!yL9223372036854775807",
		"d1.5": "!yd1.5", "d2": "!yd2.0", "dnan": "!ydNaN", "d-inf": "!yd-Infinity", "D1.10": "!yD1.10", "s": "!ys", "sé\t中": "!ysé\t中",
		`sa\\b\nc\rd`: `!ysa\\b\nc\rd`, `s\x`: "!ysx", "jAAEC": "!yjAAEC",
	} {
		require.Equal(t, want, c.say("c⏎t⏎echo⏎"+sent+"⏎e⏎"), sent)
	}
	for _, bad := range []string{"", "i2147483648", "Lx", "bmaybe", "j*", "fp0;java.lang.Runnable", "?", "s\xff", "s\x00", "Dx"} {
		require.Regexp(t, `^!xspy4j\.Py4JException: `, c.say("c⏎t⏎echo⏎"+bad+"⏎e⏎"), "%q", bad)
	}
	require.Equal(t, "!yv", c.say("c⏎t⏎void⏎e⏎"))
	require.Equal(t, "!ysPONG", c.say("c⏎t⏎ping⏎e⏎"), "the connection is as good as before")
}

func TestAScriptOfSeveralLinesArrivesAsItWasWritten(t *testing.T) {
	t.Parallel()
	c := serve(t, "").dial(t)
	const wire = `s"rawScript": "echo 'line1'\\necho \\"a\\\\b\\""`
	require.Equal(t, "!y"+wire, c.say("c⏎t⏎echo⏎"+wire+"⏎e⏎"))
	require.Equal(t, `"rawScript": "echo 'line1'\necho \"a\\b\""`, py4j.Unescape(wire[1:]))
}

func TestTheTokenComesFirst(t *testing.T) {
	t.Parallel()
	s := serve(t, "abc")
	c := s.dial(t)
	require.Equal(t, "!yv", c.say("A⏎abc⏎"))
	require.Equal(t, "!ysPONG", c.say("c⏎t⏎ping⏎e⏎"))
	for sent, want := range map[string]string{
		"A⏎wrong⏎": "!xsAuthentication error: bad auth token received.", "A⏎⏎": "!xsAuthentication error: bad auth token received.",
		"A⏎" + strings.Repeat("x", 5000) + "⏎": "!xsAuthentication error: bad auth token received.",
		"c⏎t⏎ping⏎e⏎":                          "!xsAuthentication error: unexpected command.",
	} {
		stranger := s.dial(t)
		require.Equal(t, want, stranger.say(sent))
		stranger.closed()
	}
	require.Equal(t, "!ysPONG", c.say("c⏎t⏎ping⏎e⏎"), "others are served on")
}

func TestWithoutATokenEverybodyIsLetIn(t *testing.T) {
	t.Parallel()
	c := serve(t, "").dial(t)
	require.Equal(t, "!ysPONG", c.say("c⏎t⏎ping⏎e⏎"))
	require.Equal(t, "!yv", c.say("A⏎the token of an unconfigured client⏎"))
}

func TestWhoeverIsSilentAtTheDoorIsSentAway(t *testing.T) {
	t.Parallel()
	s := serve(t, "abc", func(l *py4j.Limits) { l.Greeting = 50 * time.Millisecond })
	s.dial(t).closed()
}

func TestMapsListsAndBeansAreCalledByTheirIDs(t *testing.T) {
	t.Parallel()
	c := serve(t, "").dial(t)
	for _, step := range [][2]string{
		{"c⏎t⏎codes⏎i2⏎e⏎", "!yao0"},
		{"c⏎o0⏎get⏎scode⏎e⏎", "!yL122586461890560"},
		{"c⏎o0⏎get⏎snothing⏎e⏎", "!yn"},
		{"c⏎o0⏎containsKey⏎scode⏎e⏎", "!ybtrue"},
		{"c⏎o0⏎size⏎e⏎", "!yi2"},
		{"c⏎o0⏎get⏎sdata⏎e⏎", "!ylo1"},
		{"c⏎o1⏎size⏎e⏎", "!yi2"},
		{"c⏎o1⏎get⏎i1⏎e⏎", "!yL2"},
		{"c⏎o1⏎get⏎i2⏎e⏎", "!xro2"},
		{"c⏎o1⏎contains⏎i2⏎e⏎", "!ybtrue"},
		{"c⏎o1⏎toString⏎e⏎", "!ys[1, 2]"},
		{"c⏎o0⏎keySet⏎e⏎", "!yho3"},
		{"c⏎o3⏎toString⏎e⏎", "!ys[data, code]"},
		{"c⏎o1⏎iterator⏎e⏎", "!ygo4"},
		{"r⏎m⏎py4j.reflection.TypeUtil⏎isInstanceOf⏎e⏎", "!ym"},
		{"c⏎o4⏎next⏎e⏎", "!yL1"},
		{"c⏎o4⏎next⏎e⏎", "!yL2"},
		{"c⏎o4⏎next⏎e⏎", "!xro5"},
		{"c⏎z:py4j.reflection.TypeUtil⏎isInstanceOf⏎sjava.util.NoSuchElementException⏎ro5⏎e⏎", "!ybtrue"},
		{"c⏎z:py4j.reflection.TypeUtil⏎isInstanceOf⏎sjava.util.Map⏎ro5⏎e⏎", "!ybfalse"},
		{"c⏎t⏎source⏎e⏎", "!yro6"},
		{"c⏎o6⏎getType⏎e⏎", "!yro7"},
		{"c⏎o7⏎getDescp⏎e⏎", "!ysmysql"},
		{"c⏎o7⏎toString⏎e⏎", "!ysMYSQL"},
		{"c⏎o6⏎getNote⏎e⏎", "!yn"},
		{"c⏎o6⏎equals⏎ro6⏎e⏎", "!ybtrue"},
		{"c⏎o6⏎getClass⏎e⏎", "!yro8"},
		{"c⏎o8⏎getName⏎e⏎", "!ysDataSource"},
		{"m⏎d⏎o6⏎e⏎", "!yv"},
		{"m⏎d⏎o6⏎e⏎", "!yv"},
		{"c⏎o6⏎getNote⏎e⏎", "!xspy4j.Py4JException: Target Object ID does not exist for this gateway :o6"},
		{"c⏎t⏎echo⏎ro6⏎e⏎", "!xspy4j.Py4JException: Target Object ID does not exist for this gateway :o6"},
		{"i⏎java.util.ArrayList⏎e⏎", "!ylo9"},
		{"c⏎o9⏎add⏎i1⏎e⏎", "!ybtrue"},
		{"c⏎t⏎ping⏎ro9⏎e⏎", "!xspy4j.Py4JException: Method ping([class java.util.ArrayList]) does not exist"},
		{"i⏎java.util.HashMap⏎e⏎", "!yao10"},
		{"c⏎o10⏎put⏎sa⏎i1⏎e⏎", "!yn"},
		{"c⏎o10⏎put⏎sa⏎i2⏎e⏎", "!yi1"},
		{"c⏎o10⏎toString⏎e⏎", "!ys{a=2}"},
		{"c⏎o10⏎remove⏎sa⏎e⏎", "!yi2"},
		{"c⏎o10⏎isEmpty⏎e⏎", "!ybtrue"},
		{"c⏎o9⏎add⏎ro9⏎e⏎", "!ybtrue"},
		{"c⏎o9⏎toString⏎e⏎", "!ys[1, java.util.ArrayList]"},
		{"i⏎java.util.HashSet⏎e⏎", "!yho11"},
		{"c⏎o11⏎add⏎sx⏎e⏎", "!ybtrue"},
		{"c⏎o11⏎add⏎sx⏎e⏎", "!ybfalse"},
	} {
		require.Equal(t, step[1], c.say(step[0]), step[0])
	}
}

func TestAnExceptionIsAnObjectWithAMessage(t *testing.T) {
	t.Parallel()
	c := serve(t, "").dial(t)
	require.Equal(t, "!xro0", c.say("c⏎t⏎where⏎snope⏎e⏎"))
	require.Equal(t, `!ysjava.lang.IllegalArgumentException: Can not find any datasource by name nope\n`+"\t"+`at dorado.gateway(Gateway)\n`, c.say("p⏎ro0⏎e⏎"))
	require.Equal(t, "!ysjava.lang.IllegalArgumentException: Can not find any datasource by name nope", c.say("c⏎o0⏎toString⏎e⏎"))
	require.Equal(t, "!ysCan not find any datasource by name nope", c.say("c⏎o0⏎getMessage⏎e⏎"))
	require.Equal(t, "!yn", c.say("c⏎o0⏎getCause⏎e⏎"))
}

func TestWhatGoesWrongInsideIsNotTold(t *testing.T) {
	t.Parallel()
	c := serve(t, "").dial(t)
	for i, method := range []string{"broken", "panic"} {
		id := "o" + strconv.Itoa(i)
		require.Equal(t, "!xr"+id, c.say("c⏎t⏎"+method+"⏎e⏎"))
		require.Equal(t, "!ysInternal error", c.say("c⏎"+id+"⏎getMessage⏎e⏎"))
	}
}

func TestAClientCanLoadNothingAndStopNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, "")
	c := s.dial(t)
	for sent, want := range map[string]string{
		"c⏎t⏎noSuch⏎i1⏎sx⏎n⏎e⏎":                       `^!xspy4j\.Py4JException: Method noSuch\(\[class java\.lang\.Integer, class java\.lang\.String, null\]\) does not exist$`,
		"i⏎java.lang.ProcessBuilder⏎e⏎":               "^!xs",
		"i⏎java.util.ArrayList⏎i5⏎e⏎":                 "^!xs",
		"c⏎z:java.lang.Runtime⏎getRuntime⏎e⏎":         "^!xs",
		"c⏎j⏎x⏎e⏎":                                    "^!xs",
		"c⏎GATEWAY_SERVER⏎shutdown⏎e⏎":                "^!xs",
		"r⏎u⏎java⏎rj⏎e⏎":                              "^!x$",
		"r⏎m⏎java.lang.Runtime⏎getRuntime⏎e⏎":         "^!x$",
		"f⏎g⏎t⏎field⏎e⏎":                              "^!yo$",
		"f⏎s⏎t⏎field⏎i1⏎e⏎":                           "^!xs",
		"l⏎s⏎o0⏎e⏎":                                   "^!xs",
		"a⏎c⏎e⏎":                                      "^!xs",
		"h⏎o⏎t⏎e⏎":                                    "^!xs",
		"d⏎m⏎t⏎n⏎e⏎":                                  "^!ys$",
		"j⏎c⏎x⏎e⏎":                                    "^!yv$",
		"p⏎ro99⏎e⏎":                                   "^!xs.*:o99$",
		"p⏎e⏎":                                        "^!xs",
		"c⏎e⏎":                                        "^!xs",
		"s⏎e⏎":                                        "^!xs",
		"c⏎o999⏎x⏎e⏎":                                 "^!xspy4j.Py4JException: Target Object ID does not exist for this gateway :o999$",
		"c⏎t⏎" + strings.Repeat("m", 9000) + "⏎i1⏎e⏎": `^!xs.{1,300}$`,
	} {
		require.Regexp(t, want, c.say(sent), sent)
	}
	for _, sent := range []string{"S⏎", "q⏎", "nonsense⏎", strings.Repeat("x", 200) + "⏎"} {
		other := s.dial(t)
		require.Regexp(t, "^!zspy4j.Py4JException: Unknown command received", other.say(sent))
		other.closed()
	}
	require.Equal(t, "!ysPONG", c.say("c⏎t⏎ping⏎e⏎"))
}

func TestCommandsAreBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, "", func(l *py4j.Limits) { l.Command, l.Large, l.LargeAtOnce = 1<<20, 1<<10, 1 })
	large := "c⏎t⏎echo⏎s" + strings.Repeat("x", 1<<19) + "⏎e⏎"
	for range 3 { // the only place for large commands is given back
		require.Len(t, s.dial(t).say(large), 1<<19+3)
	}
	for _, sent := range []string{"c⏎t⏎echo⏎s" + strings.Repeat("x", 1<<20) + "⏎e⏎", "c⏎t⏎echo⏎" + strings.Repeat("n⏎", 100) + "e⏎"} {
		c := s.dial(t)
		_, _ = io.WriteString(c.conn, strings.ReplaceAll(sent, "⏎", "\n")) // the answer may come before all is sent
		line, err := c.in.ReadString('\n')
		if err == nil { // else the connection was reset while sending
			require.Regexp(t, `^!zspy4j\.Py4JException: the command (is too large|has too many arguments)`, line)
		}
	}
	require.Equal(t, "!ysPONG", s.dial(t).say("c⏎t⏎ping⏎e⏎"))
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, "", func(l *py4j.Limits) { l.Connections = 1 })
	first := s.dial(t)
	require.Equal(t, "!ysPONG", first.say("c⏎t⏎ping⏎e⏎"))
	s.dial(t).closed()
	first.conn.Close()
	require.Eventually(t, func() bool { return s.Connections() == 0 }, 10*time.Second, time.Millisecond)
	require.Equal(t, "!ysPONG", s.dial(t).say("c⏎t⏎ping⏎e⏎"))
}

func TestObjectsOfAClientThatWasKilledGoAnHourLater(t *testing.T) {
	t.Parallel()
	s := serve(t, "", func(l *py4j.Limits) { l.Linger = time.Second })
	killed, other := s.dial(t), s.dial(t)
	for range 100 {
		killed.say("c⏎t⏎codes⏎i2⏎e⏎")
	}
	require.Equal(t, "!yao100", other.say("c⏎t⏎codes⏎i2⏎e⏎"))
	require.Equal(t, "!yi2", other.say("c⏎o7⏎size⏎e⏎"), "one client uses what another was given")
	killed.conn.Close()
	require.Eventually(t, func() bool { return s.Connections() == 1 }, 10*time.Second, time.Millisecond)
	require.Equal(t, 101, s.Objects())
	s.pass(time.Second)
	require.Eventually(t, func() bool { return s.Objects() == 1 }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, "!yi2", other.say("c⏎o100⏎size⏎e⏎"), "who is still there keeps his own")
}

func TestTheOldestObjectsMakeRoom(t *testing.T) {
	t.Parallel()
	s := serve(t, "", func(l *py4j.Limits) { l.Objects, l.ObjectsPerConnection = 10, 4 })
	modest, greedy := s.dial(t), s.dial(t)
	modest.say("c⏎t⏎codes⏎i2⏎e⏎") // o0
	for range 50 {
		greedy.say("c⏎t⏎codes⏎i2⏎e⏎")
	}
	require.Equal(t, 5, s.Objects())
	require.Equal(t, "!yi2", modest.say("c⏎o0⏎size⏎e⏎"))
	require.Regexp(t, "^!xs", greedy.say("c⏎o46⏎size⏎e⏎"))
	require.Equal(t, "!yi2", greedy.say("c⏎o47⏎size⏎e⏎"))
	for range 3 { // each leaves as much as one may have
		c := s.dial(t)
		for range 4 {
			c.say("c⏎t⏎codes⏎i2⏎e⏎")
		}
		before := s.Connections()
		c.conn.Close()
		require.Eventually(t, func() bool { return s.Connections() == before-1 }, 10*time.Second, time.Millisecond)
	}
	require.LessOrEqual(t, s.Objects(), 10)
	require.Equal(t, "!yi2", modest.say("c⏎o0⏎size⏎e⏎"), "what the dead left goes first")
}

func TestACollectionIsBounded(t *testing.T) {
	t.Parallel()
	c := serve(t, "").dial(t)
	require.Equal(t, "!ylo0", c.say("i⏎java.util.ArrayList⏎e⏎"))
	text := "c⏎o0⏎add⏎s" + strings.Repeat("x", 1<<20) + "⏎e⏎"
	for range 8 {
		require.Equal(t, "!ybtrue", c.say(text))
	}
	require.Equal(t, "!xro1", c.say(text))
}

func TestTheEndOfTheServerLetsCallsFinish(t *testing.T) {
	t.Parallel()
	s := serve(t, "")
	c := s.dial(t)
	require.Equal(t, "!ysPONG", c.say("c⏎t⏎ping⏎e⏎"))
	s.stop()
	c.closed()
}

// tape is a connection on which everything was said before, and that remembers the answers.
type tape struct {
	net.TCPConn // for what is not called

	in     *strings.Reader
	out    strings.Builder
	closed chan struct{}
}

func (c *tape) Read(p []byte) (int, error)     { return c.in.Read(p) }
func (c *tape) Write(p []byte) (int, error)    { return c.out.Write(p) }
func (*tape) SetReadDeadline(time.Time) error  { return nil }
func (*tape) SetWriteDeadline(time.Time) error { return nil }
func (*tape) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *tape) Close() error                   { close(c.closed); return nil }

func FuzzAnyBytesGetAnswersOfOneLine(f *testing.F) {
	for _, seed := range []string{
		"c\nt\nping\ne\n", "A\nx\nc\no0\nget\nscode\ne\n", "i\njava.util.ArrayList\ne\nc\no0\nadd\nro0\ne\nc\no0\ntoString\ne\n", "m\nd\no0\ne\n", "p\nro0\ne\n",
		"r\nm\npy4j.reflection.TypeUtil\nisInstanceOf\ne\n", "c\nt\ncodes\ni2\ne\nc\no0\nkeySet\ne\nc\no1\niterator\ne\nc\no2\nnext\ne\n", "s\ne\n", "\n\n\n", "c\nt\necho\ns\\",
	} {
		f.Add([]byte(seed))
	}
	limits := py4j.DefaultLimits()
	limits.Command, limits.Objects, limits.ObjectsPerConnection = 1<<16, 64, 16
	f.Fuzz(func(t *testing.T, sent []byte) {
		s := py4j.New(py4j.Options{Entry: entry{}, Limits: limits, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
		conn := &tape{in: strings.NewReader(string(sent)), closed: make(chan struct{})}
		listener := &one{conn: conn, done: make(chan struct{})}
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(ctx, listener) }()
		<-conn.closed
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		heard := conn.out.String()
		for line := range strings.Lines(heard) {
			if !strings.HasPrefix(line, "!y") && !strings.HasPrefix(line, "!x") && !strings.HasPrefix(line, "!z") || !strings.HasSuffix(line, "\n") {
				t.Fatalf("answered %q", line)
			}
		}
		if s.Objects() > limits.Objects {
			t.Fatalf("%d objects", s.Objects())
		}
	})
}

// one is a listener with a single connection.
type one struct {
	conn  net.Conn
	given bool
	once  sync.Once
	done  chan struct{}
}

func (l *one) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *one) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (*one) Addr() net.Addr { return &net.TCPAddr{} }

func FuzzEscapedTextsComeBack(f *testing.F) {
	f.Add("a\\b\nc\rd")
	f.Add(`\\n\`)
	f.Fuzz(func(t *testing.T, text string) {
		line := py4j.Escape(text)
		if strings.ContainsAny(line, "\n\r") {
			t.Fatalf("%q does not fit into a line", line)
		}
		if got := py4j.Unescape(line); got != text {
			t.Fatalf("%q became %q", text, got)
		}
		_ = py4j.Unescape(text)
	})
}
