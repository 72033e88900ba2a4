package cluster

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// machine is a meter over files of a test.
type machine struct {
	t     *testing.T
	dir   string
	clock time.Time
	used  time.Duration
	m     *Meter
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	x := &machine{t: t, dir: t.TempDir(), clock: time.Unix(1_000_000, 0)}
	x.m = &Meter{
		proc: filepath.Join(x.dir, "proc"), group: filepath.Join(x.dir, "group"), disk: x.dir,
		now: func() time.Time { return x.clock }, used: func() time.Duration { return x.used },
	}
	x.write("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1 1\n")
	x.write("proc/meminfo", "MemTotal:       1000 kB\nMemFree: 10 kB\nMemAvailable:    400 kB\n")
	x.write("proc/loadavg", "1.25 0.50 0.10 1/100 1234\n")
	x.write("proc/self/status", "Name:\tdorado\nVmRSS:\t     100 kB\n")
	return x
}

func (x *machine) write(name, content string) {
	x.t.Helper()
	path := filepath.Join(x.dir, name)
	require.NoError(x.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(x.t, os.WriteFile(path, []byte(content), 0o600))
}

func TestTheLoadOfAMachine(t *testing.T) {
	t.Parallel()
	x := newMachine(t)
	l := x.m.Read()
	require.Zero(t, l.CPU, "one reading says nothing")
	require.InDelta(t, 0.6, l.Memory, 1e-9)
	require.InDelta(t, 0.1, l.ProcessMemory, 1e-9)
	require.InDelta(t, 1.25, l.LoadAverage, 1e-9)
	require.Greater(t, l.Disk, 0.0)
	require.LessOrEqual(t, l.Disk, 1.0)

	x.clock = x.clock.Add(time.Second)
	x.used = time.Duration(runtime.NumCPU()) * time.Second / 4
	x.write("proc/stat", "cpu  150 0 150 900 0 0 0 0 0 0\n")
	l = x.m.Read()
	require.InDelta(t, 0.5, l.CPU, 1e-9)
	require.InDelta(t, 0.25, l.ProcessCPU, 1e-9)

	x.clock = x.clock.Add(time.Millisecond)
	x.write("proc/stat", "cpu  151 0 150 900 0 0 0 0 0 0\n")
	require.InDelta(t, 0.5, x.m.Read().CPU, 1e-9, "too short a time says nothing new")
}

func TestABoundedControlGroupIsTheMachine(t *testing.T) {
	t.Parallel()
	x := newMachine(t)
	x.write("group/memory.max", "204800\n") // 200 kB of the 1000
	x.write("group/memory.current", "184320\n")
	x.write("group/memory.stat", "anon 1\ninactive_file 20480\nactive_file 3\n")
	x.write("group/cpu.max", "50000 100000\n") // half a processor
	x.write("group/cpu.stat", "usage_usec 1000000\nuser_usec 1\n")
	l := x.m.Read()
	require.InDelta(t, 0.8, l.Memory, 1e-9)
	require.InDelta(t, 0.5, l.ProcessMemory, 1e-9)
	x.clock = x.clock.Add(time.Second)
	x.used += 125 * time.Millisecond
	x.write("group/cpu.stat", "usage_usec 1250000\n")
	l = x.m.Read()
	require.InDelta(t, 0.5, l.CPU, 1e-9)
	require.InDelta(t, 0.25, l.ProcessCPU, 1e-9)

	x.write("group/memory.max", "max\n")
	x.write("group/cpu.max", "max 100000\n")
	require.InDelta(t, 0.6, x.m.Read().Memory, 1e-9, "an unbounded group is no bound")
}

func TestWhatCannotBeReadIsNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "missing")
	m := &Meter{proc: dir, group: dir, disk: dir, now: time.Now, used: func() time.Duration { return 0 }}
	m.Read()
	require.Equal(t, Load{}, m.Read())
}

func TestTheControlGroupOfThisProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	self := filepath.Join(dir, "cgroup")
	require.NoError(t, os.WriteFile(self, []byte("1:name=systemd:/x\n0::/system.slice/dorado.service\n"), 0o600))
	require.Equal(t, dir, groupFolder(self, dir), "what is not mounted there is not used")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "system.slice/dorado.service"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "system.slice/dorado.service/memory.current"), nil, 0o600))
	require.Equal(t, filepath.Join(dir, "system.slice/dorado.service"), groupFolder(self, dir))
}

func TestThisMachineHasALoad(t *testing.T) {
	t.Parallel()
	m := NewMeter(t.TempDir())
	m.Read()
	end := time.Now().Add(shortest + 50*time.Millisecond)
	for time.Now().Before(end) { // work that can be seen
		continue
	}
	var h Heartbeat
	m.Fill(&h)
	require.Greater(t, h.CPUUsage, 0.0)
	require.Greater(t, h.JVMCPUUsage, 0.0)
	require.Greater(t, h.MemoryUsage, 0.0)
	require.Greater(t, h.JVMMemoryUsage, 0.0)
	require.Greater(t, h.DiskUsage, 0.0)
	for _, f := range figures(&h)[:5] {
		require.LessOrEqual(t, *f, 1.0)
	}
}
