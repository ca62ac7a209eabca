package recording

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the longest line that Read takes, in bytes.
const MaxLine = 32 << 20

// A LineError says which line of a file is wrong, and which field of it.
type LineError struct {
	Line  int // from 1
	Field string
	Why   string
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s: %s", e.Line, e.Field, e.Why) }

// Read reads a file to its end. whole is the length of its complete lines in bytes: what
// stands behind them was cut off when its writer was killed. The error is a *LineError, or
// the reader's.
func Read(r io.Reader) (exchanges []*Exchange, whole int64, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		line, err := readLine(in)
		switch {
		case errors.Is(err, io.EOF):
			return exchanges, whole, nil
		case errors.Is(err, errLong):
			return nil, whole, &LineError{number, "line", fmt.Sprintf("is longer than %d MiB", MaxLine>>20)}
		case err != nil:
			return nil, whole, err
		}
		e, err := ParseLine(bytes.TrimSuffix(line, []byte("\n")))
		var field *FieldError
		if errors.As(err, &field) {
			return nil, whole, &LineError{number, field.Field, field.Why}
		}
		if n := len(exchanges); n > 0 && e.Seq <= exchanges[n-1].Seq {
			return nil, whole, &LineError{number, "seq", fmt.Sprintf("%d follows %d: lines are in order", e.Seq, exchanges[n-1].Seq)}
		}
		exchanges = append(exchanges, e)
		whole += int64(len(line))
	}
}

var errLong = errors.New("line is too long")

// readLine returns the next line with its line feed, io.EOF if there is none.
func readLine(in *bufio.Reader) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > MaxLine:
			return nil, errLong
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err // io.EOF also behind a line that was cut off
		}
	}
}
