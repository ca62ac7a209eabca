package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/partnerkit/partnerkit/contract"
)

type listCmd struct {
	Only []string `placeholder:"PATTERN" help:"Only these checks. May be repeated."`
	Skip []string `placeholder:"PATTERN" help:"Not these checks. May be repeated."`
	Lang string   `default:"${lang}" enum:"en,ru" help:"en or ru. Default: that of the environment."`
}

// Run lists the checks, one a line.
func (c *listCmd) Run(s *streams) error {
	checks, err := contract.Select(contract.Checks(), c.Only, c.Skip)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for i := range checks {
		check := &checks[i]
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", check.ID, check.Severity, needs(check), check.Title.In(c.Lang))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%d checks\n", len(checks))
	return err
}

func needs(check *contract.Check) string {
	var words []string
	for _, need := range check.Needs {
		words = append(words, string(need))
	}
	return strings.Join(words, ",")
}

type explainCmd struct {
	ID   string `arg:"" help:"A check, such as INT-NOTIFY-03."`
	Lang string `default:"${lang}" enum:"en,ru" help:"en or ru. Default: that of the environment."`
}

// explained are the heads of what explain says, by language.
var explained = map[string][6]string{
	"en": {"What", "Clause", "Needs", "Why", "Mend", "Example"},
	"ru": {"Что", "Пункт", "Нужно", "Почему", "Исправить", "Пример"},
}

// Run explains one check.
func (c *explainCmd) Run(s *streams) error {
	for _, check := range contract.Checks() {
		if !strings.EqualFold(check.ID, c.ID) {
			continue
		}
		area := contract.AreaOf(check.ID)
		why, mend := contract.Mend(check.ID)
		words := explained[c.Lang]
		_, err := fmt.Fprintf(s.out, "%s  %s\n\n", check.ID, area.Title.In(c.Lang))
		for i, text := range []string{
			check.Title.In(c.Lang) + " (" + string(check.Severity) + ")", contract.ClauseIn(c.Lang, check.Clause), needs(&check),
			why.In(c.Lang), mend.In(c.Lang), area.Example,
		} {
			_, err = fmt.Fprintf(s.out, "%-9s %s\n", words[i], strings.ReplaceAll(text, "\n", "\n          "))
		}
		return err
	}
	return fmt.Errorf("%q is no check; `contract list` shows them", c.ID)
}
