package cluster

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAHeartbeatIsWrittenWhenItSaysSomethingNew(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	hb := Heartbeat{Name: "m", Incarnation: "a", ServerStatus: Normal, CPUUsage: 0.5, Running: 1, ReportTime: 1}
	var p Pace
	require.True(t, p.Due(now, &hb), "the first one")
	p.Wrote(now, &hb)
	hb.ReportTime, hb.CPUUsage = 2, 0.55
	require.False(t, p.Due(now.Add(time.Second), &hb), "nothing of interest")
	require.False(t, p.Due(now.Add(9*time.Second), &hb))
	require.True(t, p.Due(now.Add(10*time.Second), &hb), "proof that it lives")
	hb.Running = 2
	require.False(t, p.Due(now.Add(2*time.Second), &hb), "figures can wait a little")
	require.True(t, p.Due(now.Add(3*time.Second), &hb))
	hb.Running, hb.MemoryUsage = 1, 0.2
	require.True(t, p.Due(now.Add(3*time.Second), &hb))
	hb.ServerStatus = Busy
	require.True(t, p.Due(now, &hb), "what others act on is written at once")
}

func TestNumbersThatAreNoneAreNotWritten(t *testing.T) {
	t.Parallel()
	hb := Heartbeat{Incarnation: "a", CPUUsage: math.NaN(), LoadAverage: math.Inf(1), DiskUsage: 0.5}
	got, err := Decode(Encode(&hb))
	require.NoError(t, err)
	require.Zero(t, got.CPUUsage)
	require.Zero(t, got.LoadAverage)
	require.InDelta(t, 0.5, got.DiskUsage, 1e-9)
	require.True(t, math.IsNaN(hb.CPUUsage), "the caller's heartbeat is left alone")
}

func TestTheFieldsThatDolphinSchedulersToolsRead(t *testing.T) {
	t.Parallel()
	require.JSONEq(t, `{"startupTime":1,"reportTime":2,"processId":3,"host":"h","port":4,"serverStatus":"BUSY","jvmCpuUsage":0.1,
		"cpuUsage":0.2,"jvmMemoryUsage":0.3,"memoryUsage":0.4,"diskUsage":0.5,"workerHostWeight":100,"threadPoolUsage":0.6,
		"name":"w","incarnation":"i","hostname":"host","version":"v","protocol":1,"reason":"memory","loadAverage":0.7,
		"groups":["default"],"slots":10,"running":6}`,
		Encode(&Heartbeat{
			StartupTime: 1, ReportTime: 2, ProcessID: 3, Host: "h", Port: 4, ServerStatus: Busy, JVMCPUUsage: 0.1, CPUUsage: 0.2,
			JVMMemoryUsage: 0.3, MemoryUsage: 0.4, DiskUsage: 0.5, WorkerHostWeight: 100, ThreadPoolUsage: 0.6, Name: "w",
			Incarnation: "i", Hostname: "host", Version: "v", Protocol: 1, Reason: "memory", LoadAverage: 0.7,
			Groups: []string{"default"}, Slots: 10, Running: 6,
		}))
}

func TestAnyValueMakesANode(t *testing.T) {
	t.Parallel()
	long := make([]byte, 5000)
	for i := range long {
		long[i] = 0xff
	}
	for _, value := range []string{"", "null", "[]", "{}", `{"incarnation":7}`, string(long)} {
		n := NodeOf(Worker, "/x/nodes/worker/h:1", value, time.Time{}, time.Time{})
		require.NotEmpty(t, n.Garbage, value)
		require.Less(t, len(n.Garbage), 1000)
		require.Equal(t, "h:1", n.Address)
	}
	n := NodeOf(Worker, "/x/nodes/worker/h:1", `{"incarnation":"a"}`, time.Time{}, time.Time{})
	require.Empty(t, n.Garbage)
}
