//go:build unix

package contract

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// alone puts a command and what it starts into a group of their own: Ctrl-C reaches us, and
// we end them in order.
func alone(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// endAll kills the process and what it started.
func endAll(p *os.Process) error {
	err := syscall.Kill(-p.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}
