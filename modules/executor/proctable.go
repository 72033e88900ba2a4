package executor

import (
	"bytes"
	"os"
	"strconv"
)

// process is what /proc says about one process.
type process struct {
	pid, parent, group, session int
	start                       uint64 // clock ticks since boot
	zombie                      bool
}

// ticksPerSecond is USER_HZ, which Linux fixes at 100 for all architectures that Go runs on.
const ticksPerSecond = 100

// processes reads the table of all processes. Those that end meanwhile are simply absent.
func processes() (map[int]process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	table := make(map[int]process, len(names))
	buf := make([]byte, 4096)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid, buf); ok {
			table[pid] = p
		}
	}
	return table, nil
}

func readProcess(pid int, buf []byte) (process, bool) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	n, err := f.Read(buf)
	_ = f.Close()
	if err != nil {
		return process{}, false
	}
	return parseStat(pid, buf[:n])
}

// parseStat reads a line of /proc/<pid>/stat. The name of the program stands in parentheses and may hold anything.
func parseStat(pid int, line []byte) (process, bool) {
	end := bytes.LastIndexByte(line, ')')
	if end < 0 {
		return process{}, false
	}
	fields := bytes.Fields(line[end+1:])
	if len(fields) < 20 {
		return process{}, false
	}
	number := func(i int) int { n, _ := strconv.Atoi(string(fields[i])); return n }
	start, err := strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return process{}, false
	}
	return process{
		pid: pid, parent: number(1), group: number(2), session: number(3), start: start,
		zombie: fields[0][0] == 'Z' || fields[0][0] == 'X',
	}, true
}

// markOfProcess returns the DORADO_MARK=… with which a process was started, "" when there is none or it can't be read.
func markOfProcess(pid int) string {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	for kv := range bytes.SplitSeq(env, []byte{0}) {
		if bytes.HasPrefix(kv, []byte(markName)) {
			return string(kv)
		}
	}
	return ""
}

// ignoresInterrupt reports whether SIGINT would have no effect: shells start background jobs that way.
func ignoresInterrupt(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return false
	}
	_, rest, ok := bytes.Cut(status, []byte("\nSigIgn:\t"))
	if !ok || len(rest) < 16 {
		return false
	}
	mask, err := strconv.ParseUint(string(rest[:16]), 16, 64)
	return err == nil && mask&(1<<1) != 0 // bit n-1 stands for signal n; SIGINT is 2
}
