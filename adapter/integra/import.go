package integra

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/integra"
)

// Limits of an import.
const (
	MaxImport      = 100_000  // users
	maxImportBytes = 32 << 20 // of the file
	maxImportField = 255      // bytes
	shownFaults    = 20
)

// importColumns are the columns that an import has to have, in any order.
var importColumns = []string{"hash", "login", "crypt_key"}

// An ImportError says everything that is wrong with a file of users, up to some twenty faults.
// Nothing was imported. It wraps adapter.ErrInvalid.
type ImportError struct{ Faults []ImportFault }

// An ImportFault is one of them. It never shows a crypt key.
type ImportFault struct {
	Line  int    // counted from 1; 0 for the whole file
	Field string // the column; "" for the whole line
	Text  string
}

func (e *ImportError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns adapter.ErrInvalid.
func (e *ImportError) Unwrap() error { return adapter.ErrInvalid }

func (f ImportFault) String() string {
	switch {
	case f.Line == 0:
		return f.Text
	case f.Field == "":
		return fmt.Sprintf("line %d: %s", f.Line, f.Text)
	}
	return fmt.Sprintf("line %d, %s: %s", f.Line, f.Field, f.Text)
}

// An ImportedUser is one line of an import.
type ImportedUser struct {
	Line             int
	Hash, Login, Key string
}

// Import stores users that the platform knows already, with the crypt keys that it gave them:
// all of the file or, with an error, nothing. A user who is here with the same login and key is
// passed over, so that an import can be repeated. The error is an *ImportError unless the store
// failed. No call is made.
func (u *Users) Import(ctx context.Context, file io.Reader) (added, known int, err error) {
	rows, err := ParseImport(file)
	if err != nil {
		return 0, 0, err
	}
	var (
		faults []ImportFault
		fresh  []adapter.User
		now    = u.now().UTC().Truncate(time.Microsecond)
		lines  = make(map[string]int, len(rows))
	)
	for _, r := range rows {
		lines[r.Hash] = r.Line
		stored, err := u.store.User(ctx, r.Hash)
		switch {
		case errors.Is(err, adapter.ErrNotFound):
			fresh = append(fresh, adapter.User{Hash: r.Hash, Login: r.Login, SealedKey: u.vault.Seal(r.Hash, r.Key), CreatedAt: now})
		case err != nil:
			return 0, 0, fmt.Errorf("import users: %w", err)
		default:
			if text := u.differs(stored, r); text != "" {
				faults = append(faults, ImportFault{r.Line, "hash", text})
			}
			known++
		}
	}
	if len(faults) > 0 {
		return 0, 0, &ImportError{faults[:min(len(faults), shownFaults)]}
	}
	err = u.store.AddUsers(context.WithoutCancel(ctx), fresh)
	var taken *adapter.TakenError
	switch {
	case errors.As(err, &taken): // the hash was looked for, so it is the login, or somebody was faster
		return 0, 0, &ImportError{[]ImportFault{{lines[taken.Hash], "login", fmt.Sprintf("%q or the hash is another user's here", taken.Login)}}}
	case err != nil:
		return 0, 0, fmt.Errorf("import users: %w", err)
	}
	return len(fresh), known, nil
}

// differs says in what a line contradicts the user who is here.
func (u *Users) differs(stored adapter.User, r ImportedUser) string {
	key, err := u.vault.Open(stored.Hash, stored.SealedKey)
	switch {
	case stored.Login != r.Login:
		return fmt.Sprintf("this user is here with the login %q", stored.Login)
	case err != nil:
		return "this user is here, with a crypt key that does not open"
	case key != r.Key:
		return "this user is here with another crypt key"
	}
	return ""
}

// ParseImport reads a file of users: CSV with a first line that names the columns hash, login
// and crypt_key, parted by commas or semicolons, in UTF-8. The error is an *ImportError unless
// reading failed.
func ParseImport(file io.Reader) ([]ImportedUser, error) {
	raw, err := io.ReadAll(io.LimitReader(file, maxImportBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the users to import: %w", err)
	case len(raw) > maxImportBytes:
		return nil, &ImportError{[]ImportFault{{Text: fmt.Sprintf("the file has more than %d MiB", maxImportBytes>>20)}}}
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	if !utf8.Valid(raw) {
		return nil, &ImportError{[]ImportFault{{Line: badLine(raw), Text: "is not UTF-8"}}}
	}
	p := importParser{csv: csv.NewReader(bytes.NewReader(raw)), hashes: map[string]int{}, logins: map[string]int{}}
	p.csv.ReuseRecord = true
	if head, _, _ := strings.Cut(string(raw[:min(len(raw), 200)]), "\n"); strings.Contains(head, ";") {
		p.csv.Comma = ';'
	}
	p.parse()
	if len(p.faults) > 0 {
		return nil, &ImportError{p.faults}
	}
	return p.rows, nil
}

// badLine is the first line that is not UTF-8.
func badLine(raw []byte) int {
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, len(raw)+1)
	n := 1
	for ; lines.Scan() && utf8.Valid(lines.Bytes()); n++ {
	}
	return n
}

type importParser struct {
	csv            *csv.Reader
	columns        [3]int // where the columns stand, in the order of importColumns
	rows           []ImportedUser
	hashes, logins map[string]int // and the line on which they stand
	faults         []ImportFault
}

func (p *importParser) fault(line int, field, format string, args ...any) {
	if len(p.faults) < shownFaults {
		p.faults = append(p.faults, ImportFault{line, field, fmt.Sprintf(format, args...)})
	}
}

func (p *importParser) parse() {
	head, err := p.csv.Read()
	if err != nil {
		p.fault(1, "", "must name the columns %s", strings.Join(importColumns, ", "))
		return
	}
	for i, name := range head {
		head[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(importColumns, head[i]) {
			p.fault(1, "", "column %.40q is none of %s", name, strings.Join(importColumns, ", "))
		}
	}
	for i, name := range importColumns {
		if p.columns[i] = slices.Index(head, name); p.columns[i] < 0 {
			p.fault(1, name, "is missing")
		} else if slices.Contains(head[p.columns[i]+1:], name) {
			p.fault(1, name, "is there twice")
		}
	}
	for len(p.faults) < shownFaults {
		if len(p.faults) > 0 && p.faults[0].Line == 1 { // without columns there is nothing to read
			return
		}
		record, err := p.csv.Read()
		var syntax *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			if len(p.rows) == 0 && len(p.faults) == 0 {
				p.fault(0, "", "there are no users in it")
			}
			return
		case errors.As(err, &syntax) && !errors.Is(err, csv.ErrFieldCount): // what follows cannot be told apart
			p.fault(syntax.Line, "", "%v", syntax.Err)
			return
		case errors.As(err, &syntax):
			p.fault(syntax.StartLine, "", "has %d columns, not %d", len(record), p.csv.FieldsPerRecord)
			continue
		}
		p.row(record)
		if len(p.rows) > MaxImport {
			p.fault(0, "", "there are more than %d users in it", MaxImport)
			return
		}
	}
}

// row checks one line.
func (p *importParser) row(record []string) {
	before := len(p.faults)
	var values [3]string
	for i, at := range p.columns {
		values[i] = strings.Clone(strings.TrimSpace(record[at]))
		line, _ := p.csv.FieldPos(at)
		switch v := values[i]; {
		case v == "":
			p.fault(line, importColumns[i], "is empty")
		case len(v) > maxImportField:
			p.fault(line, importColumns[i], "is longer than %d bytes", maxImportField)
		case strings.ContainsFunc(v, unicode.IsControl):
			p.fault(line, importColumns[i], "has characters that cannot be shown")
		case i == 0 && !integra.ValidHash(v):
			p.fault(line, importColumns[i], "%.40q is not 32 letters or digits", v)
		}
	}
	if len(p.faults) > before {
		return
	}
	line, _ := p.csv.FieldPos(0)
	r := ImportedUser{Line: line, Hash: values[0], Login: values[1], Key: values[2]}
	if first, twice := p.hashes[r.Hash]; twice {
		p.fault(line, "hash", "stands on line %d as well", first)
	} else if first, twice := p.logins[r.Login]; twice {
		p.fault(line, "login", "stands on line %d as well", first)
	}
	p.hashes[r.Hash], p.logins[r.Login] = line, line
	p.rows = append(p.rows, r)
}
