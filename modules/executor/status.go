package executor

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dorado/modules/rpc/doradov1"
)

// status is how a process ended.
type status syscall.WaitStatus

// code is the exit code as a shell would show it: 128 + n for a process that signal n ended.
func (s status) code() int {
	ws := syscall.WaitStatus(s)
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// result is what the end means when nobody asked for it.
func (s status) result() result {
	code := s.code()
	r := result{outcome: doradov1.Outcome_FAILED, code: code, message: fmt.Sprintf("exit code %d", code)}
	ws := syscall.WaitStatus(s)
	switch {
	case code == 0:
		r.outcome, r.message = doradov1.Outcome_SUCCEEDED, ""
	case code == 128+int(syscall.SIGKILL):
		r.message = "exit code 137: killed by signal 9 (out of memory?)"
	case ws.Signaled():
		r.message = fmt.Sprintf("exit code %d: ended by signal %d (%s)", code, ws.Signal(), unix.SignalName(ws.Signal()))
	}
	return r
}

// oneLine makes a text fit for a report: people read it in a table.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	if len(s) > 1000 {
		s = strings.ToValidUTF8(s[:1000], "") + "…"
	}
	return s
}

// seconds writes a duration as people read it in a log: 1.2 s.
func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.3f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
