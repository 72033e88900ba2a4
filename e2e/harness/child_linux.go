package harness

import (
	"os/exec"
	"syscall"
)

// endWithUs has the process killed when the thread that starts it ends. What it starts itself is not concerned.
func endWithUs(cmd *exec.Cmd) {
	attr := *cmd.SysProcAttr // it may be shared with other commands
	attr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr = &attr
}
