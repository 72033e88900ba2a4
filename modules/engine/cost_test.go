package engine_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
)

// countStatements is a proxy in front of a PostgreSQL server. It returns its address, and counts the statements that
// clients send through it: simple queries and executions of prepared ones, BEGIN and COMMIT among them.
func countStatements(t *testing.T, address string) (string, *atomic.Int64) {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	server := u.Host
	if host := u.Query().Get("host"); server == "" {
		require.Empty(t, os.Getenv("CI"), "CI's PostgreSQL listens on TCP")
		t.Skip("counting needs a PostgreSQL that is reached by TCP: " + host)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	u.Host = l.Addr().String()
	q := u.Query()
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	var n atomic.Int64
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			up, err := new(net.Dialer).DialContext(t.Context(), "tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() { _, _ = io.Copy(client, up); _ = client.Close() }()
			go func() { forward(client, up, &n); _ = up.Close() }()
		}
	}()
	return u.String(), &n
}

// forward copies what a client sends, message by message.
func forward(client io.Reader, server io.Writer, n *atomic.Int64) {
	in := bufio.NewReader(client)
	head := make([]byte, 4, 5) // the first message has a length only, all others a type before it
	for {
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		if len(head) == 5 && (head[0] == 'Q' || head[0] == 'E') {
			n.Add(1)
		}
		body := int64(binary.BigEndian.Uint32(head[len(head)-4:])) - 4
		if _, err := server.Write(head); err != nil {
			return
		}
		if _, err := io.CopyN(server, in, body); err != nil {
			return
		}
		head = head[:5]
	}
}

func TestW13_ATaskCostsFewStatementsAndOneThatWaitsNone(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresURL(t)
	direct := dbtest.Open(t, address)
	f := newFixture(t, direct)
	f.stop()
	proxy, n := countStatements(t, address)
	f.db = dbtest.Open(t, proxy)
	f.start()
	f.db = direct
	t.Cleanup(func() { f.stop() }) // before its database is closed
	f.worker("w1", 20)
	cost := func(def *flow.Definition) int64 {
		t.Helper()
		before := n.Load()
		f.waitState(f.run(def, run{}), flow.WorkflowSuccess)
		return n.Load() - before
	}
	const tasks = 100
	var wide, chain []flow.Task
	var edges []string
	for i := range tasks {
		wide, chain = append(wide, shell(fmt.Sprint("w", i))), append(chain, shell(fmt.Sprint("c", i)))
		if i > 0 {
			edges = append(edges, fmt.Sprintf("c%d>c%d", i-1, i))
		}
	}
	line := f.define(flow.Parallel, chain, edges...)
	alone := cost(line)
	t.Logf("%d statements for a chain of %d tasks", alone, tasks)
	require.LessOrEqual(t, alone, int64(6*tasks))
	together := cost(f.define(flow.Parallel, wide))
	t.Logf("%d statements for %d tasks side by side", together, tasks)
	require.LessOrEqual(t, together, int64(6*tasks))

	// 200 tasks wait for another workflow, and 50 for runs that wait for it, too.
	upstream := f.define(flow.Parallel, []flow.Task{shell("u")})
	leaf := f.define(flow.Parallel, []flow.Task{dependent("dep", depends(upstream, 0, "today"))})
	var waits []flow.Task
	for i := range 200 {
		waits = append(waits, dependent(fmt.Sprint("d", i), depends(upstream, 0, "today")))
	}
	for i := range 50 {
		waits = append(waits, subWorkflow(fmt.Sprint("s", i), leaf))
	}
	id := f.run(f.define(flow.Parallel, waits), run{})
	require.Eventually(t, func() bool {
		running, err := db.Get[int](t.Context(), direct, `SELECT count(*) FROM task_instance WHERE task_type IN ('DEPENDENT', 'SUB_WORKFLOW') AND state = 'RUNNING_EXECUTION'`)
		return err == nil && running == 300
	}, time.Minute, 10*time.Millisecond)
	last := int64(-1)
	require.Eventually(t, func() bool { // they have looked at what they wait for
		before := last
		last = n.Load()
		return last == before
	}, time.Minute, 400*time.Millisecond)
	time.Sleep(2 * time.Second)
	require.Less(t, n.Load()-last, int64(50), "they do not ask again and again")
	waiting := cost(line)
	t.Logf("%d statements for the chain while others wait", waiting)
	require.Less(t, waiting, alone+100, "nor when something happens that is not what they wait for")
	f.run(upstream, run{})
	require.Eventually(t, func() bool { return f.state(id) == "SUCCESS" }, time.Minute, 10*time.Millisecond)
}
