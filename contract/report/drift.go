package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/partnerkit/partnerkit/contract"
)

// WriteDrift writes what a replay found: the differences by method and field, what was not
// replayed and why, what was assumed, and at the end the verdict.
func (o Terminal) WriteDrift(w io.Writer, r *contract.DriftReport) error {
	b := bufio.NewWriter(w)
	type field struct{ method, path string }
	var order []field
	found := map[field][]contract.Difference{}
	for _, d := range r.Differences {
		at := field{d.Protocol + " " + d.Method, d.Path}
		if found[at] == nil {
			order = append(order, at)
		}
		found[at] = append(found[at], d)
	}
	slices.SortStableFunc(order, func(a, b field) int { return cmp.Compare(a.method, b.method) })
	method := ""
	for _, at := range order {
		if at.method != method {
			method = at.method
			_, _ = fmt.Fprintln(b, o.paint(contract.Failed, method))
		}
		all := found[at]
		_, _ = fmt.Fprintf(b, "  %s\n    %s %s\n    %s %s\n    %s\n", at.path,
			o.word("recorded:", "записано:  "), all[0].Recorded, o.word("stand-in:", "заместитель:"), all[0].StandIn, o.exchanges(all))
	}
	for i, reason := range skipped(r.Skipped) {
		if i == 0 {
			_, _ = fmt.Fprintln(b, o.word("Not replayed:", "Не повторено:"))
		}
		_, _ = fmt.Fprintln(b, "  -", reason)
	}
	for _, note := range r.Notes {
		_, _ = fmt.Fprintln(b, o.word("Assumed:", "Допущено:"), note)
	}
	verdict := contract.Passed
	text := o.word("No drift", "Расхождений нет")
	if n := len(r.Differences); n > 0 {
		verdict = contract.Failed
		text = fmt.Sprintf(o.word("Drift: %d differences in %d fields", "Расхождения: %d, полей: %d"), n, len(order))
	}
	_, _ = fmt.Fprintf(b, "%s; "+o.word("%d of %d exchanges compared", "сравнено обменов: %d из %d")+"\n", o.paint(verdict, text), r.Compared, r.Exchanges)
	return b.Flush()
}

// exchanges says where a difference was seen: in the first ones by number.
func (o Terminal) exchanges(all []contract.Difference) string {
	const most = 8
	var seqs []string
	for _, d := range all[:min(len(all), most)] {
		seqs = append(seqs, fmt.Sprint(d.Seq))
	}
	text := o.word("in exchange ", "в обмене ") + strings.Join(seqs, ", ")
	if more := len(all) - most; more > 0 {
		text += fmt.Sprintf(o.word(" and %d more", " и ещё в %d"), more)
	}
	return text
}

// skipped are the reasons, each with the methods and how often.
func skipped(all []contract.SkippedExchange) (lines []string) {
	count := map[string]int{}
	for _, s := range all {
		line := s.Protocol + " " + s.Method + ": " + s.Why
		if count[line]++; count[line] == 1 {
			lines = append(lines, line)
		}
	}
	for i, line := range lines {
		if n := count[line]; n > 1 {
			lines[i] = fmt.Sprintf("%s (%d ×)", line, n)
		}
	}
	return lines
}
