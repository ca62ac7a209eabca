package contract

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Process is an adapter that can be started and killed. Its methods are called one at a time.
type Process interface {
	// Start starts it and returns once it serves.
	Start(ctx context.Context) error
	// Stop asks it to end, and returns once it has.
	Stop(ctx context.Context) error
	// Kill ends it without warning, as a power cut does, and returns once it is gone.
	Kill(ctx context.Context) error
	// Died returns an error if it has ended by itself.
	Died() error
}

// command is the process that a target's file describes.
type command struct {
	Start0     *Start
	stop, kill []string
	notifyURL  string
	fill       func(string) string
	env        []string
	folder     string
	limit      time.Duration
	client     *http.Client
	prepared   bool

	mu   sync.Mutex
	cmd  *exec.Cmd
	log  *lastLines
	done chan struct{} // closed when cmd has ended
	err  error         // valid then
}

// Start runs the command and waits until the adapter answers.
func (c *command) Start(ctx context.Context) error {
	if !c.prepared {
		for _, words := range c.Start0.Before {
			if err := c.run(ctx, words); err != nil {
				return errorf("adapter.start.before: %w", err)
			}
		}
		c.prepared = true
	}
	words := c.words(c.Start0.Command)
	cmd := exec.Command(words[0], words[1:]...) //nolint:gosec,noctx // the target's own command; it outlives ctx, and is ended by Stop or Kill
	cmd.Dir, cmd.Env = c.folder, c.env
	cmd.WaitDelay = time.Second
	alone(cmd)
	log := &lastLines{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return errorf("adapter.start.command: %w", err)
	}
	done := make(chan struct{})
	c.mu.Lock()
	c.cmd, c.log, c.done, c.err = cmd, log, done, nil
	c.mu.Unlock()
	go func() {
		err := cmd.Wait()
		if err == nil {
			err = errorf("it ended by itself")
		}
		c.mu.Lock()
		c.err = err
		c.mu.Unlock()
		close(done)
	}()
	return c.serves(ctx)
}

// serves waits until the adapter answers.
func (c *command) serves(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var why error // it does not serve
	for {
		err := c.answers(waiting)
		if err == nil {
			return nil
		}
		if waiting.Err() == nil || why == nil { // the end of the wait says nothing
			why = err
		}
		select {
		case <-tick.C:
		case <-c.done:
			return errorf("adapter.start.command: it ended before it served: %w\n%s", c.err, c.log)
		case <-waiting.Done():
			err := errorf("adapter.start.command: it does not serve after %s: %w\n%s", c.limit, why, c.log)
			if ctx.Err() != nil {
				err = errorf("adapter.start.command: it did not serve yet: %w", context.Cause(ctx))
			}
			return errors.Join(err, c.Kill(context.WithoutCancel(ctx)))
		}
	}
}

// answers returns why the adapter does not serve.
func (c *command) answers(ctx context.Context) error {
	if c.Start0.Ready == "" {
		u, err := url.Parse(c.fill(c.notifyURL))
		if err != nil {
			return errorf("adapter.notify_url: %w", err)
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
		if err != nil {
			return errorf("adapter.notify_url: %w", err)
		}
		return conn.Close()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.fill(c.Start0.Ready), nil)
	if err != nil {
		return errorf("adapter.start.ready: %w", err)
	}
	res, err := c.client.Do(req)
	if err != nil {
		return errorf("adapter.start.ready: %w", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer))
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return errorf("adapter.start.ready: %s answers %s", req.URL, res.Status)
	}
	return nil
}

// Stop runs the command for it, or sends SIGTERM.
func (c *command) Stop(ctx context.Context) error { return c.end(ctx, c.stop, syscall.SIGTERM) }

// Kill runs the command for it, or sends SIGKILL to all that was started.
func (c *command) Kill(ctx context.Context) error { return c.end(ctx, c.kill, syscall.SIGKILL) }

func (c *command) end(ctx context.Context, words []string, with syscall.Signal) error {
	c.mu.Lock()
	cmd, done := c.cmd, c.done
	c.cmd = nil
	c.mu.Unlock()
	if cmd == nil {
		return nil
	}
	var err error
	switch {
	case len(words) > 0:
		err = c.run(ctx, words)
	case with == syscall.SIGKILL:
		err = endAll(cmd.Process)
	default:
		_ = cmd.Process.Signal(with) // it may have ended already
	}
	wait, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	select {
	case <-done:
		return errors.Join(err, endAll(cmd.Process)) // what it started and did not end
	case <-wait.Done():
		_ = endAll(cmd.Process)
		<-done
		return errors.Join(err, errorf("adapter: it did not end within 10s and was killed"))
	}
}

// Died tells whether the adapter has ended without being asked to.
func (c *command) Died() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil || c.err == nil {
		return nil
	}
	return errorf("the adapter ended by itself: %w\n%s", c.err, c.log)
}

func (c *command) words(words []string) []string {
	words = slices.Clone(words)
	for i, word := range words {
		words[i] = c.fill(word)
	}
	return words
}

// run runs a command to its end.
func (c *command) run(ctx context.Context, words []string) error {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	words = c.words(words)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // the target's own command
	cmd.Dir, cmd.Env = c.folder, c.env
	cmd.WaitDelay = time.Second
	log := &lastLines{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return errorf("%s: %w\n%s", strings.Join(words, " "), err, log)
	}
	return nil
}

// lastLines keeps the end of a log.
type lastLines struct {
	mu   sync.Mutex
	text []byte
}

const keptLog = 16 << 10

// Write keeps the end of what was written, and never fails.
func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if over := len(l.text) - keptLog; over > 0 {
		l.text = slices.Clone(l.text[over:])
	}
	return len(p), nil
}

// String is the end of the log.
func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
