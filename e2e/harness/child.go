package harness

import (
	"os/exec"
	"runtime"
)

// startChild starts a process that is killed when ours ends, be it by SIGKILL. The channel is closed when it has ended; how
// is in cmd.ProcessState then.
func startChild(cmd *exec.Cmd) (<-chan struct{}, error) {
	endWithUs(cmd)
	started, ended := make(chan error), make(chan struct{})
	go func() {
		// The system kills the child when the thread that started it ends, so that thread does nothing but wait for the child.
		// It is given back afterwards: if it ended, so would what else was started from it, such as a browser.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // read from cmd.ProcessState
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return ended, nil
}
