package executor

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"dorado/modules/rpc/doradov1"
)

// health reads how busy the machine is.
type health struct {
	disks []string // directories
	mu    sync.Mutex
	last  *doradov1.Heartbeat
	at    time.Time
	busy  uint64 // processor time at the last reading
	all   uint64
	cpu   float64
}

func newHealth(disks ...string) *health { return &health{disks: disks} }

// loadEvery is how often reading is worth its while.
const loadEvery = 100 * time.Millisecond

// read returns shares between 0 and 1, of the fullest disk, which may be so old. What can't be read is 0. The answer
// must not be changed.
func (h *health) read(old time.Duration) *doradov1.Heartbeat {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil || time.Since(h.at) > max(old, loadEvery) {
		h.last, h.at = h.readNow(), time.Now()
	}
	return h.last
}

func (h *health) readNow() *doradov1.Heartbeat {
	hb := &doradov1.Heartbeat{CpuUsage: h.readCPU()}
	if mem, err := os.ReadFile("/proc/meminfo"); err == nil {
		total, available := memField(mem, "MemTotal:"), memField(mem, "MemAvailable:")
		if total > 0 {
			hb.MemoryUsage = 1 - available/total
		}
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		if fields := strings.Fields(string(load)); len(fields) > 0 {
			hb.LoadAverage, _ = strconv.ParseFloat(fields[0], 64)
		}
	}
	for _, dir := range h.disks {
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) == nil && fs.Blocks > 0 {
			hb.DiskUsage = max(hb.DiskUsage, 1-float64(fs.Bavail)/float64(fs.Blocks))
		}
	}
	return hb
}

// readCPU returns the share of processor time used since the last reading; h.mu is held.
func (h *health) readCPU() float64 {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	var all, idle uint64
	for i, field := range strings.Fields(line) {
		if i == 0 || i > 8 { // guest time is part of user time
			continue
		}
		n, _ := strconv.ParseUint(field, 10, 64)
		all += n
		if i == 4 || i == 5 { // idle, iowait
			idle += n
		}
	}
	busy := all - idle
	if all > h.all+ticksPerSecond/10 { // too short a time says nothing
		if h.all > 0 {
			h.cpu = float64(busy-h.busy) / float64(all-h.all)
		}
		h.busy, h.all = busy, all
	}
	return h.cpu
}

func memField(mem []byte, name string) float64 {
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
