package harness

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// killLeftovers ends the tasks of a worker that was killed. They outlive it, and a test that failed in the middle would
// leave them to the machine for ever. They are known by the place of their log.
func killLeftovers(data string) {
	logs := []byte("\x00DORADO_LOG_PATH=" + data + "/")
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return
	}
	for _, file := range environs {
		environ, err := os.ReadFile(file) //nolint:gosec // of the kernel
		if err != nil || !bytes.Contains(environ, logs) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
