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
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", check.ID, check.Severity, needs(check), say(c.Lang, check.Title))
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

func say(lang string, t contract.Text) string {
	if lang == "ru" {
		return t.Ru
	}
	return t.En
}

type explainCmd struct {
	ID   string `arg:"" help:"A check, such as INT-NOTIFY-03."`
	Lang string `default:"${lang}" enum:"en,ru" help:"Language of titles: en or ru. Default: that of the environment."`
}

// Run explains one check.
func (c *explainCmd) Run(s *streams) error {
	for _, check := range contract.Checks() {
		if !strings.EqualFold(check.ID, c.ID) {
			continue
		}
		area := contract.AreaOf(&check)
		why, mend := check.Why, check.Mend
		if why == "" {
			why = area.Why
		}
		if mend == "" {
			mend = area.Mend
		}
		_, err := fmt.Fprintf(s.out, "%s  %s\n\nWhat     %s (%s)\nClause   %s\nNeeds    %s\nWhy      %s\nMend     %s\nExample  %s\n",
			check.ID, say(c.Lang, area.Title), say(c.Lang, check.Title), check.Severity, check.Clause, needs(&check), why, mend,
			strings.ReplaceAll(area.Example, "\n", "\n         "))
		return err
	}
	return fmt.Errorf("%q is no check; `contract list` shows them", c.ID)
}
