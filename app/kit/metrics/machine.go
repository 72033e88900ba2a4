package metrics

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Usage is how busy this process and its machine are. Shares of 1, but Load; what cannot be read is 0.
type Usage struct {
	CPU       float64 // of the machine, all cores
	Memory    float64 // of the machine, without what it could give back
	Available float64 // bytes of memory that could be had
	Disk      float64 // of the file system of the folder
	Load      float64 // average of a minute
	OwnCPU    float64 // of the machine, by this process
	OwnMemory float64 // of the machine, by this process
}

// usageFor is how long one reading is good: shorter times say nothing, and many ask.
const usageFor = time.Second

// Machine reads how busy the machine is. It is safe for concurrent use.
type Machine struct {
	folder string

	mu        sync.Mutex
	at        time.Time
	busy, all uint64        // processor time at the last reading, in ticks
	own       time.Duration // of this process
	last      Usage
}

// NewMachine returns a reader; folder says which file system counts.
func NewMachine(folder string) *Machine {
	m := &Machine{folder: folder}
	m.Read()
	return m
}

// Read returns how busy the machine was since the reading before, at most a second old.
func (m *Machine) Read() Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	since := now.Sub(m.at)
	if !m.at.IsZero() && since < usageFor {
		return m.last
	}
	u := Usage{CPU: m.last.CPU}
	if stat, err := os.ReadFile("/proc/stat"); err == nil {
		busy, all := ticks(stat)
		if m.all > 0 && all > m.all {
			u.CPU = float64(busy-min(busy, m.busy)) / float64(all-m.all)
		}
		m.busy, m.all = busy, all
	}
	if mem, err := os.ReadFile("/proc/meminfo"); err == nil {
		total, available := kilobytes(mem, "MemTotal:"), kilobytes(mem, "MemAvailable:")
		u.Available = available * 1024
		if total > 0 {
			u.Memory = 1 - available/total
			u.OwnMemory = resident() / (total * 1024)
		}
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		if fields := strings.Fields(string(load)); len(fields) > 0 {
			u.Load, _ = strconv.ParseFloat(fields[0], 64)
		}
	}
	var fs syscall.Statfs_t
	if syscall.Statfs(m.folder, &fs) == nil && fs.Blocks > 0 {
		u.Disk = 1 - float64(fs.Bavail)/float64(fs.Blocks)
	}
	own := processTime()
	if !m.at.IsZero() {
		u.OwnCPU = min(1, float64(own-m.own)/float64(since)/float64(runtime.NumCPU()))
	}
	m.own, m.at, m.last = own, now, u
	return u
}

// ticks are the busy and all ticks of the first line of /proc/stat.
func ticks(stat []byte) (busy, all uint64) {
	line, _, _ := strings.Cut(string(stat), "\n")
	var idle uint64
	for i, field := range strings.Fields(line) {
		if i == 0 || i > 8 { // guest time is part of user time
			continue
		}
		n, _ := strconv.ParseUint(field, 10, 64)
		all += n
		if i == 4 || i == 5 { // idle, and waiting for disks
			idle += n
		}
	}
	return all - idle, all
}

func kilobytes(mem []byte, name string) float64 {
	_, rest, ok := bytes.Cut(mem, []byte(name))
	if !ok {
		return 0
	}
	fields := strings.Fields(string(rest[:min(len(rest), 40)]))
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseFloat(fields[0], 64)
	return n
}

// resident is the memory of this process, in bytes.
func resident() float64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize())
}

// processTime is the processor time that this process has used.
func processTime() time.Duration {
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &use) != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// Register publishes the reading under DolphinScheduler's names for a role: "master" or "worker".
func (m *Machine) Register(r *Registry, role string) {
	r.GaugeFunc("ds."+role+".cpu.usage", "Share of the machine's processors in use.", func() float64 { return m.Read().CPU })
	r.GaugeFunc("ds."+role+".memory.usage", "Share of the machine's memory in use.", func() float64 { return m.Read().Memory })
	r.GaugeFunc("ds."+role+".memory.available", "Bytes of memory that could be had.", func() float64 { return m.Read().Available })
}
