package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/partnerkit/partnerkit/adapter/store"
)

// outputFlags say in which form a command prints.
type outputFlags struct {
	JSON bool `name:"json" help:"Print JSON for programs."`
}

// print writes v as JSON if that was asked for, and the text otherwise.
func (f outputFlags) print(out io.Writer, v any, text string) error {
	if !f.JSON {
		_, err := fmt.Fprintln(out, strings.TrimRight(text, "\n"))
		return err
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table is text in aligned columns.
type table struct {
	head []string
	rows [][]string
}

// oneLine is a text in which whatever cannot be seen is a blank: what others wrote, such as a
// user's login, can neither begin a row of its own nor control the terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return ' '
	}, text)
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	if len(t.rows) == 0 {
		return "none"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			row[i] = oneLine(cell)
		}
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush()
	return b.String()
}

// listed is a list of words for a sentence.
func listed[T ~string](words []T) string {
	var list []string
	for _, w := range words {
		list = append(list, string(w))
	}
	return strings.Join(list, ", ")
}

// stamp is a time as commands print it: RFC 3339, UTC; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// open opens the database for a command that needs nothing else.
func (f databaseFlags) open(ctx context.Context, log *slog.Logger) (*store.Store, error) {
	if err := refuse(f.faults()); err != nil {
		return nil, err
	}
	return openStore(ctx, f, log)
}
