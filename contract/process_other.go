//go:build !unix

package contract

import (
	"errors"
	"os"
	"os/exec"
)

// alone does nothing: groups of processes are Unix's.
func alone(*exec.Cmd) {}

// endAll kills the process.
func endAll(p *os.Process) error {
	err := p.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
