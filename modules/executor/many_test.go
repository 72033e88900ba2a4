package executor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
)

// threads is how many operating-system threads this process has.
func threads(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, _ := bytes.Cut(status, []byte("Threads:\t"))
	n, err := strconv.Atoi(string(bytes.SplitN(rest, []byte("\n"), 2)[0]))
	require.NoError(t, err)
	return n
}

func TestTwoThousandSleepingChildrenCostNoThreads(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	m := newScripted(t, "m")
	cfg := testConfig(t)
	cfg.Slots = 2000
	startWorker(t, cfg, m)
	jobs := make([]*doradov1.Task, 2000)
	for i := range jobs {
		jobs[i] = shellTask("exec sleep 1000")
	}
	before := threads(t)
	m.dispatch(jobs...)
	for _, job := range jobs {
		m.report(job.GetId(), doradov1.ReportKind_STARTED)
	}
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("threads %d -> %d, heap and stacks in use %.1f MB, of the test, too", before, threads(t), float64(mem.HeapInuse+mem.StackInuse)/1e6)
	require.LessOrEqual(t, threads(t), 50)
	ids := make([]int64, len(jobs))
	for i, job := range jobs {
		ids[i] = job.GetId()
	}
	begun := time.Now()
	m.kill(ids...)
	for _, id := range ids {
		require.Equal(t, doradov1.Outcome_KILLED, m.finished(id).GetOutcome())
	}
	t.Logf("killed in %s", time.Since(begun))
}

func TestChildrenAreAwaitedWithoutPidfdToo(t *testing.T) {
	t.Parallel()
	s := newSpawner()
	defer func() { require.NoError(t, s.close()) }()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer func() { _ = out.Close() }()
	var waiting sync.WaitGroup
	codes := make([]int, 50)
	for i := range codes {
		c, err := s.start(command{
			path: "/bin/sh", argv: []string{"sh", "-c", fmt.Sprintf("sleep 0.0%d; exit %d", i%7, i)}, env: []string{"PATH=/bin:/usr/bin"},
			dirs: []string{"/"}, stdin: -1, output: int(out.Fd()), script: -1,
		})
		require.NoError(t, err)
		require.NoError(t, syscall.Close(c.pidfd))
		c.pidfd = -1
		waiting.Go(func() {
			st, err := s.wait(c)
			if err == nil {
				codes[i] = st.code()
			}
		})
	}
	waiting.Wait()
	for i, code := range codes {
		require.Equal(t, i, code)
	}
}

func TestAZombieThatNobodyWaitsForIsReapedInTheSecondRound(t *testing.T) {
	t.Parallel()
	pid, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Env: []string{}})
	require.NoError(t, err)
	zombie := func() bool {
		p, ok := readProcess(pid, make([]byte, 4096))
		return ok && p.zombie
	}
	require.Eventually(t, zombie, 10*time.Second, time.Millisecond)
	p, _ := readProcess(pid, make([]byte, 4096))
	require.Contains(t, reapRound(nil), pid)
	require.True(t, zombie(), "it may have somebody who waits for it")
	require.NotContains(t, reapRound(map[int]uint64{pid: p.start}), pid)
	require.False(t, zombie())
}

// BenchmarkHop is one attempt at a time, from Dispatch to its FINISHED report, against starting and awaiting the same
// shell bare.
func BenchmarkHop(b *testing.B) {
	cfg := testConfig(b)
	m := newScripted(b, "m")
	startWorker(b, cfg, m)
	m.connected()
	m.run(shellTask("true"))
	dir := filepath.Dir(logPathOf(cfg.LogDir, shellTask("")))
	null, err := os.Open(os.DevNull)
	require.NoError(b, err)
	defer func() { _ = null.Close() }()
	var ours, bare []float64
	for b.Loop() {
		job := shellTask("true")
		begun := time.Now()
		m.dispatch(job)
		m.finished(job.GetId())
		ours = append(ours, float64(time.Since(begun).Microseconds()))
		begun = time.Now()
		fd, err := syscall.Open(fmt.Sprintf("%s/raw%d.log", dir, len(bare)), syscall.O_CREAT|syscall.O_WRONLY|syscall.O_APPEND|syscall.O_CLOEXEC, 0o640)
		require.NoError(b, err)
		pid, err := syscall.ForkExec("/usr/bin/bash", []string{"bash", "-c", "true"}, &syscall.ProcAttr{
			Env: []string{"PATH=/usr/bin:/bin"}, Files: []uintptr{null.Fd(), uintptr(fd), uintptr(fd)}, Sys: &syscall.SysProcAttr{Setsid: true},
		})
		require.NoError(b, err)
		_ = syscall.Close(fd)
		var ws syscall.WaitStatus
		_, _ = syscall.Wait4(pid, &ws, 0, nil)
		bare = append(bare, float64(time.Since(begun).Microseconds()))
		m.mu.Lock()
		m.reports = m.reports[:0]
		m.mu.Unlock()
	}
	slices.Sort(ours)
	slices.Sort(bare)
	b.ReportMetric(ours[len(ours)/2], "us/hop")
	b.ReportMetric(bare[len(bare)/2], "us/raw")
}

// BenchmarkSpawn compares the executor with a bare loop that starts the same shell with a log of its own and waits for
// it. Both alternate, several at once; the ratio is what counts.
func BenchmarkSpawn(b *testing.B) {
	const batch, lanes = 200, 4
	cfg := testConfig(b)
	cfg.Slots, cfg.Starting = 2*batch, lanes
	m := newScripted(b, "m")
	startWorker(b, cfg, m)
	m.connected()
	// Where a file system puts a new inode depends on the directory, and so does the cost: both use the same one.
	dir := filepath.Dir(logPathOf(cfg.LogDir, shellTask("")))
	engine := func() time.Duration {
		jobs := make([]*doradov1.Task, batch)
		for i := range jobs {
			jobs[i] = shellTask("true")
		}
		begun := time.Now()
		m.mu.Lock()
		m.reports = m.reports[:0]
		m.mu.Unlock()
		m.dispatch(jobs...)
		m.until("all are done", func() bool { return len(m.reports) >= batch })
		return time.Since(begun)
	}
	null, err := os.Open(os.DevNull)
	require.NoError(b, err)
	defer func() { _ = null.Close() }()
	run := 0
	raw := func() time.Duration {
		run++
		begun := time.Now()
		var group sync.WaitGroup
		next := make(chan int, batch)
		for i := range batch {
			next <- i
		}
		close(next)
		for range lanes {
			group.Go(func() {
				for i := range next {
					fd, err := syscall.Open(fmt.Sprintf("%s/%d_%d.log", dir, run, i), syscall.O_CREAT|syscall.O_WRONLY|syscall.O_APPEND|syscall.O_CLOEXEC, 0o640)
					if err != nil {
						b.Error(err)
						return
					}
					pid, err := syscall.ForkExec("/usr/bin/bash", []string{"bash", "-c", "true"}, &syscall.ProcAttr{
						Env: []string{"PATH=/usr/bin:/bin"}, Files: []uintptr{null.Fd(), uintptr(fd), uintptr(fd)},
						Sys: &syscall.SysProcAttr{Setsid: true},
					})
					_ = syscall.Close(fd)
					if err != nil {
						b.Error(err)
						return
					}
					var ws syscall.WaitStatus
					_, _ = syscall.Wait4(pid, &ws, 0, nil)
				}
			})
		}
		group.Wait()
		return time.Since(begun)
	}
	engine() // makes the directory
	raw()
	var ratios []float64
	var spent [2]time.Duration
	for b.Loop() {
		r, e := raw(), engine()
		spent[0], spent[1] = spent[0]+r, spent[1]+e
		ratios = append(ratios, float64(r)/float64(e))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64(len(ratios)*batch)/spent[1].Seconds(), "tasks/s")
	b.ReportMetric(float64(len(ratios)*batch)/spent[0].Seconds(), "raw/s")
}
