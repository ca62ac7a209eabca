package report

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/partnerkit/partnerkit/contract"
)

// JSON writes the report as JSON.
func JSON(w io.Writer, r *contract.Report) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

type (
	suites struct {
		XMLName  xml.Name `xml:"testsuites"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Skipped  int      `xml:"skipped,attr"`
		Time     string   `xml:"time,attr"`
		Suites   []suite  `xml:"testsuite"`
	}
	suite struct {
		Name       string     `xml:"name,attr"`
		Tests      int        `xml:"tests,attr"`
		Failures   int        `xml:"failures,attr"`
		Errors     int        `xml:"errors,attr"`
		Skipped    int        `xml:"skipped,attr"`
		Properties []property `xml:"properties>property"`
		Cases      []testCase `xml:"testcase"`
	}
	property struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	testCase struct {
		Name    string `xml:"name,attr"`
		Class   string `xml:"classname,attr"`
		Time    string `xml:"time,attr"`
		Failure *note  `xml:"failure,omitempty"`
		Error   *note  `xml:"error,omitempty"`
		Skipped *note  `xml:"skipped,omitempty"`
		Out     string `xml:"system-out,omitempty"`
	}
	note struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes the report as JUnit XML: an area is a suite, a check a case. Advice and
// accepted deviations are cases that passed, with a note in their output.
func JUnit(w io.Writer, r *contract.Report) error {
	all := suites{
		Name: r.Target, Tests: r.Counts.All, Failures: r.Counts.Failed, Errors: r.Counts.Errors,
		Skipped: r.Counts.Skipped + r.Counts.NotRun, Time: seconds(r.TookMS),
	}
	for results := range groups(r) {
		s := suite{Name: results[0].Area, Tests: len(results), Properties: []property{{"seed", fmt.Sprint(r.Seed)}}}
		for i := range results {
			s.add(&results[i])
		}
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	return encoder.Encode(all)
}

func (s *suite) add(r *contract.Result) {
	c := testCase{Name: r.ID + " " + r.Title.En, Class: r.Area, Time: seconds(r.TookMS)}
	switch r.Outcome {
	case contract.Failed:
		s.Failures++
		c.Failure = &note{clean(r.Failure.String()), clean(evidence(r))}
	case contract.Errored:
		s.Errors++
		c.Error = &note{Message: clean(r.Why.En)}
	case contract.Skipped:
		s.Skipped++
		c.Skipped = &note{Message: clean(r.Why.En)}
	case contract.NotRun:
		s.Skipped++
		c.Skipped = &note{Message: "not run"}
	case contract.Advice:
		c.Out = clean("advice: " + r.Failure.String())
	case contract.Accepted:
		c.Out = clean(r.Why.En + ": " + r.Failure.String())
	}
	s.Cases = append(s.Cases, c)
}

// evidence is the exchange that broke a promise, or all of them in a line each.
func evidence(r *contract.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "clause: %s\n", r.Clause)
	for i, event := range r.Story() {
		if event != nil {
			fmt.Fprintf(&b, "%s %s: %s\n", event.At.Format("15:04:05.000"), contract.PartyPartner, event.Text().En)
			continue
		}
		x := &r.Exchanges[i]
		if i == r.Failure.Exchange {
			fmt.Fprintf(&b, "\n%s\n\n%s\n%s\n", x.Request, x.Response, x.Curl)
		} else if r.Failure.Exchange < 0 {
			fmt.Fprintf(&b, "%s %s → %s %s %s ⇒ %s\n", x.At.Format("15:04:05.000"), x.From, x.To, x.Method, x.Args, answered(x))
		}
	}
	return b.String()
}

func seconds(ms int64) string { return fmt.Sprintf("%d.%03d", ms/1000, ms%1000) }

// clean takes out what XML cannot hold.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// GitHub prints annotations of GitHub Actions, on the target's file.
func GitHub(w io.Writer, r *contract.Report, file string) error {
	escape := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for i := range r.Results {
		x := &r.Results[i]
		kind, text := "", x.Why.En
		switch x.Outcome {
		case contract.Failed:
			kind, text = "error", x.Failure.String()
		case contract.Errored:
			kind = "error"
		case contract.Advice:
			kind, text = "warning", x.Failure.String()
		case contract.Accepted:
			kind, text = "notice", x.Why.En+": "+x.Failure.String()
		default:
			continue
		}
		if _, err := fmt.Fprintf(w, "::%s file=%s,title=%s::%s\n", kind, property.Replace(file),
			property.Replace(x.ID+" "+x.Title.En), escape.Replace(text+" ("+x.Clause+")")); err != nil {
			return err
		}
	}
	return nil
}
