// Package stage puts the real binaries on a stage: it starts the stand-in and the adapter as
// processes with free ports and files of their own, says when they are ready, reads what they
// log, and stops, freezes or kills them. The demo, the benchmarks and the end-to-end tests
// play on it; no process is simulated.
package stage

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// readyTimeout bounds a start; both binaries need milliseconds, a loaded machine seconds.
const readyTimeout = 30 * time.Second

// Process is a started binary.
type Process struct {
	name  string
	cmd   *exec.Cmd
	ready chan map[string]any // attributes of the log line "ready"

	done chan struct{} // closed when the process has ended
	err  error         // valid once done is closed

	mu  sync.Mutex
	log strings.Builder
}

// start runs a binary. What it logs, on the standard error, is kept and copied to tee.
func start(name, binary string, args, env []string, tee io.Writer) (*Process, error) {
	cmd := exec.Command(binary, args...) //nolint:gosec,noctx // our own binaries; they are stopped by signal, not by context
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches us, and we stop them in order
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{name: name, cmd: cmd, ready: make(chan map[string]any, 1), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.read(stderr, tee)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// announced waits for the log line "ready", in JSON, and returns its attributes.
func (p *Process) announced(ctx context.Context) (attrs map[string]any, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	select {
	case attrs = <-p.ready:
		return attrs, nil
	case <-p.done:
		return nil, p.early()
	case <-ctx.Done():
		return nil, p.late(ctx.Err())
	}
}

// answers waits until the address answers 200.
func (p *Process) answers(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		res, err := http.DefaultClient.Do(req) //nolint:gosec // an address of ours
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-p.done:
			return p.early()
		case <-ctx.Done():
			return p.late(ctx.Err())
		}
	}
}

func (p *Process) early() error {
	return fmt.Errorf("%s ended before it was ready: %w\n%s", p.name, p.err, p.Log())
}

func (p *Process) late(err error) error {
	return errors.Join(fmt.Errorf("%s is not ready: %w\n%s", p.name, err, p.Log()), p.Kill())
}

// read keeps what the process logs and finds the line "ready".
func (p *Process) read(stderr io.Reader, tee io.Writer) {
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		p.log.WriteString(line)
		p.mu.Unlock()
		if tee != nil {
			_, _ = io.WriteString(tee, line)
		}
		if strings.Contains(line, `"msg":"ready"`) {
			var attrs map[string]any
			if json.Unmarshal([]byte(line), &attrs) == nil {
				select {
				case p.ready <- attrs:
				default:
				}
			}
		}
		if err != nil {
			return
		}
	}
}

// Log is what the process has logged so far.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Term asks the process to end (SIGTERM) and does not wait for it.
func (p *Process) Term() error { return p.signal(syscall.SIGTERM) }

// Stop asks the process to end (SIGTERM) and waits until it has. A process that does not end
// by itself within the time is killed, which is an error.
func (p *Process) Stop(within time.Duration) error {
	if err := p.Term(); err != nil {
		return err
	}
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("%s ended badly: %w", p.name, p.err)
		}
		return nil
	case <-time.After(within):
		return errors.Join(fmt.Errorf("%s did not stop within %s", p.name, within), p.Kill())
	}
}

// Kill ends the process at once (SIGKILL), as a power cut does, and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Freeze stops the process in its tracks (SIGSTOP), and all its threads have stopped when it
// returns; what is sent to it waits in the kernel. A frozen process can be thawed or killed.
func (p *Process) Freeze() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	if err := untilStopped(p.PID()); err != nil {
		return fmt.Errorf("wait until %s has stopped: %w", p.name, err)
	}
	return nil
}

// Thaw lets a frozen process go on (SIGCONT).
func (p *Process) Thaw() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) error {
	err := p.cmd.Process.Signal(s)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s to %s: %w", s, p.name, err)
	}
	return nil
}

// Binaries are the paths of the built commands.
type Binaries struct {
	Adapter      string
	Mockplatform string
}

// In returns the binaries of a folder, as `make build` fills it.
func In(folder string) Binaries {
	return Binaries{Adapter: folder + "/adapter", Mockplatform: folder + "/mockplatform"}
}

// Build compiles the commands of this module into folder.
func Build(ctx context.Context, folder string) (Binaries, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", folder+"/", //nolint:gosec // our own module
		"github.com/partnerkit/partnerkit/cmd/adapter", "github.com/partnerkit/partnerkit/cmd/mockplatform")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return Binaries{}, fmt.Errorf("build the commands: %w\n%s", err, out)
	}
	return In(folder), nil
}
