package recorder

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/gofrs/flock"

	"github.com/partnerkit/partnerkit/contract/recording"
)

// file is a recording that is added to. Each line is one write to the end of the file, so that
// a process that is killed leaves whole lines behind; what a machine without power loses are
// the latest ones.
type file struct {
	path string
	lock *flock.Flock

	mu    sync.Mutex
	out   *os.File
	seq   uint64
	lines int // added
	err   error
}

// openFile opens a recording, or begins one. What is there must be one; a line that was cut
// off at its end is taken away.
func openFile(path string) (_ *file, err error) {
	lock := flock.New(path + ".lock")
	switch mine, err := lock.TryLock(); {
	case err != nil:
		return nil, err
	case !mine:
		return nil, fmt.Errorf("%s is being written by another recorder", path)
	}
	out, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600) //nolint:gosec // the user names the file
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	f := &file{path: path, lock: lock, out: out}
	exchanges, whole, err := recording.Read(out)
	if err == nil {
		err = out.Truncate(whole)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), out.Close(), lock.Unlock())
	}
	if n := len(exchanges); n > 0 {
		f.seq = exchanges[n-1].Seq
	}
	return f, nil
}

// add writes an exchange as the next line.
func (f *file) add(x *recording.Exchange) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	x.Seq = f.seq + 1
	line, err := x.Line()
	if err == nil {
		var n int
		if n, err = f.out.Write(line); err != nil && n > 0 { // the disk is full: no half lines
			err = errors.Join(err, f.cutOff(n))
		}
	}
	if err != nil {
		f.err = fmt.Errorf("%s: %w", f.path, err)
		return f.err
	}
	f.seq++
	f.lines++
	return nil
}

// cutOff takes the last n bytes away again.
func (f *file) cutOff(n int) error {
	end, err := f.out.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	return f.out.Truncate(end - int64(n))
}

// close brings everything to the disk. Its error includes the latest of add.
func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.err, f.out.Sync(), f.out.Close(), f.lock.Unlock())
}
