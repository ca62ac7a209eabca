package stage

import (
	"errors"

	"golang.org/x/sys/unix"
)

// untilStopped returns when every thread of a child that was sent SIGSTOP has stopped: one that
// runs on another processor may go on for a while after kill(2) has returned.
func untilStopped(pid int) error {
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
