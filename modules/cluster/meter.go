package cluster

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Load is how busy a machine and this process on it are. Usages are shares of 1 of what this process may use: of its
// control group where that is bounded, else of the machine. What cannot be read is 0.
type Load struct {
	CPU           float64 // of everybody on the machine, or in the control group
	ProcessCPU    float64 // of this process
	Memory        float64 // that cannot be had any more
	ProcessMemory float64 // resident, of this process
	Disk          float64 // of the file system of a folder, as others than root see it
	LoadAverage   float64 // of the last minute
}

// Meter reads the load from /proc and the control group (version 2). Processor usage is that between two readings.
type Meter struct {
	proc, group, disk string // folders
	now               func() time.Time
	used              func() time.Duration // processor time of this process

	mu   sync.Mutex
	last cpuReading
	cpu  float64
	self float64
}

type cpuReading struct {
	at        time.Time
	busy, all uint64        // ticks of the machine
	group     time.Duration // processor time of the control group
	self      time.Duration
}

// NewMeter returns a meter; disk is a folder on the file system to watch, usually the data folder.
func NewMeter(disk string) *Meter {
	return &Meter{proc: "/proc", group: groupFolder("/proc/self/cgroup", "/sys/fs/cgroup"), disk: disk, now: time.Now, used: processTime}
}

// groupFolder finds the control group of this process; in a container it is the root of what is mounted there.
func groupFolder(self, mount string) string {
	raw, err := os.ReadFile(self)
	if err != nil {
		return mount
	}
	for line := range strings.Lines(string(raw)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			if folder := filepath.Join(mount, path); exists(filepath.Join(folder, "memory.current")) {
				return folder
			}
		}
	}
	return mount
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func processTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// shortest is the time below which two readings of the processors say nothing.
const shortest = 200 * time.Millisecond

// Read reads the load now.
func (m *Meter) Read() Load {
	l := Load{LoadAverage: m.loadAverage()}
	l.CPU, l.ProcessCPU = m.processors()
	l.Memory, l.ProcessMemory = m.memory()
	var fs unix.Statfs_t
	if unix.Statfs(m.disk, &fs) == nil && fs.Blocks > 0 {
		// As df does: what only root may use counts as neither used nor free.
		used := float64(fs.Blocks - fs.Bfree)
		if total := used + float64(fs.Bavail); total > 0 {
			l.Disk = used / total
		}
	}
	return l
}

// Fill writes the load into a heartbeat.
func (m *Meter) Fill(h *Heartbeat) {
	l := m.Read()
	h.CPUUsage, h.JVMCPUUsage = l.CPU, l.ProcessCPU
	h.MemoryUsage, h.JVMMemoryUsage = l.Memory, l.ProcessMemory
	h.DiskUsage, h.LoadAverage = l.Disk, l.LoadAverage
}

func (m *Meter) loadAverage() float64 {
	fields := strings.Fields(m.read(m.proc, "loadavg"))
	if len(fields) == 0 {
		return 0
	}
	return number(fields[0])
}

// processors returns the usage since the reading before, of all and of this process.
func (m *Meter) processors() (all, self float64) {
	r := cpuReading{at: m.now(), self: m.used()}
	line, _, _ := strings.Cut(m.read(m.proc, "stat"), "\n")
	for i, field := range strings.Fields(line) {
		if i == 0 || i > 8 { // guest time is part of user time
			continue
		}
		n, _ := strconv.ParseUint(field, 10, 64) // 0 is what cannot be read
		r.all += n
		if i != 4 && i != 5 { // idle, iowait
			r.busy += n
		}
	}
	for line := range strings.Lines(m.read(m.group, "cpu.stat")) {
		if rest, ok := strings.CutPrefix(line, "usage_usec "); ok {
			r.group = time.Duration(number(rest)) * time.Microsecond
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	elapsed := r.at.Sub(m.last.at)
	if !m.last.at.IsZero() && elapsed < shortest {
		return m.cpu, m.self
	}
	if !m.last.at.IsZero() {
		cores, bounded := m.cores()
		if bounded {
			m.cpu = share(float64(r.group-m.last.group), float64(elapsed)*cores)
		} else {
			m.cpu = share(float64(r.busy)-float64(m.last.busy), float64(r.all)-float64(m.last.all))
		}
		m.self = share(float64(r.self-m.last.self), float64(elapsed)*cores)
	}
	m.last = r
	return m.cpu, m.self
}

// cores is how many processors may be used, and whether the control group bounds that.
func (m *Meter) cores() (n float64, bounded bool) {
	fields := strings.Fields(m.read(m.group, "cpu.max")) // "200000 100000" or "max 100000"
	if len(fields) == 2 && fields[0] != "max" {
		if quota, period := number(fields[0]), number(fields[1]); quota > 0 && period > 0 {
			if n := quota / period; n < float64(runtime.NumCPU()) {
				return n, true
			}
		}
	}
	return float64(runtime.NumCPU()), false
}

// memory returns the share that is used, and that of this process.
func (m *Meter) memory() (all, self float64) {
	total, available := m.field("meminfo", "MemTotal:"), m.field("meminfo", "MemAvailable:")
	limit := total
	all = share(total-available, total)
	if most := number(m.read(m.group, "memory.max")); most > 0 && (total == 0 || most < total) { // "max" reads as 0
		used := number(m.read(m.group, "memory.current"))
		for line := range strings.Lines(m.read(m.group, "memory.stat")) {
			if rest, ok := strings.CutPrefix(line, "inactive_file "); ok {
				used -= number(rest) // the kernel gives it back when asked
			}
		}
		limit, all = most, max(all, share(used, most))
	}
	return all, share(m.field("self/status", "VmRSS:"), limit)
}

// field reads a line such as "MemTotal:  16316412 kB", in bytes.
func (m *Meter) field(file, name string) float64 {
	for line := range strings.Lines(m.read(m.proc, file)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if fields := strings.Fields(rest); len(fields) > 0 {
				return 1024 * number(fields[0])
			}
		}
	}
	return 0
}

func (m *Meter) read(folder, file string) string {
	raw, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		return ""
	}
	return string(raw)
}

func number(s string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return 0
	}
	return n
}

// share is part of whole, between 0 and 1.
func share(part, whole float64) float64 {
	if whole <= 0 || part <= 0 {
		return 0
	}
	return min(part/whole, 1)
}
