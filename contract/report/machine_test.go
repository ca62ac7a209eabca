package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/report"
)

// suites is JUnit XML as a CI system reads it.
type suites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Suites   []struct {
		Name       string `xml:"name,attr"`
		Tests      int    `xml:"tests,attr"`
		Failures   int    `xml:"failures,attr"`
		Errors     int    `xml:"errors,attr"`
		Skipped    int    `xml:"skipped,attr"`
		Properties []struct {
			Name  string `xml:"name,attr"`
			Value string `xml:"value,attr"`
		} `xml:"properties>property"`
		Cases []struct {
			Name    string `xml:"name,attr"`
			Class   string `xml:"classname,attr"`
			Failure *struct {
				Message string `xml:"message,attr"`
				Text    string `xml:",chardata"`
			} `xml:"failure"`
			Error   *struct{} `xml:"error"`
			Skipped *struct {
				Message string `xml:"message,attr"`
			} `xml:"skipped"`
			Out string `xml:"system-out"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func junit(t *testing.T, r *contract.Report) (text string, s suites) {
	t.Helper()
	var b bytes.Buffer
	if err := report.JUnit(&b, r); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	if err := decoder.Decode(&s); err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Errorf("something follows the document: %v", err)
	}
	return b.String(), s
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	r := real(t)
	text, s := junit(t, r)
	if c := r.Counts; s.Tests != c.All || s.Failures != c.Failed || s.Errors != c.Errors || s.Skipped != c.Skipped {
		t.Errorf("%d tests, %d failures, %d errors, %d skipped; want %+v", s.Tests, s.Failures, s.Errors, s.Skipped, c)
	}
	var cases, failures, skipped int
	for _, suite := range s.Suites {
		if len(suite.Cases) != suite.Tests || suite.Properties[0].Name != "seed" || suite.Properties[0].Value != "42" {
			t.Errorf("suite %s: %d cases of %d, properties %v", suite.Name, len(suite.Cases), suite.Tests, suite.Properties)
		}
		for _, c := range suite.Cases {
			cases++
			if !strings.HasPrefix(c.Name, suite.Name+"-") || c.Class != suite.Name {
				t.Errorf("case %q of class %q in suite %s", c.Name, c.Class, suite.Name)
			}
			if c.Failure != nil {
				failures++
				has(t, c.Failure.Text, "clause: Integra §", "confirmPayment")
				has(t, c.Failure.Message, "want ", "; got ")
			}
			if c.Skipped != nil {
				skipped++
				has(t, c.Skipped.Message, "the target has no adapter.start")
			}
		}
	}
	if cases != s.Tests || failures != s.Failures || skipped != s.Skipped {
		t.Errorf("%d cases, %d failures, %d skipped; the totals are %d, %d, %d", cases, failures, skipped, s.Tests, s.Failures, s.Skipped)
	}
	has(t, text, "accepted until "+until.Format(time.DateOnly)+": ticket 42: mended with the next release")
}

// Whatever a message holds, the document can be read: XML has no control characters, escaped
// or not.
func TestJUnitOfTheHostile(t *testing.T) {
	t.Parallel()
	text, s := junit(t, forged())
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == '\uFFFE' || r == '\uFFFF' }) {
		t.Errorf("what XML cannot hold is in\n%q", text)
	}
	failure := s.Suites[0].Cases[1].Failure
	has(t, failure.Text, `<script>alert('x')</script>`, "]]>", "GET /notify?amount=100", "curl -i")
	if s.Failures != 1 || s.Errors != 1 || s.Skipped != 2 {
		t.Errorf("%d failures, %d errors, %d skipped; want 1, 1, and the skipped with the one that was not run", s.Failures, s.Errors, s.Skipped)
	}
	has(t, s.Suites[0].Cases[2].Out, "advice: want a; got b")
}

func FuzzJUnit(f *testing.F) {
	f.Add(hostile)
	f.Add("\x00\x0b\ufffe\uffff\u0085\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, text string) {
		r := forged()
		r.Target, r.Results[1].Failure.Got, r.Results[4].Why.En, r.Results[1].Exchanges[1].Err = text, text, text, text
		junit(t, r)
	})
}

// An annotation is one line, whatever it is about, and nothing in it is a command of its own.
func TestGitHub(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := report.GitHub(&b, forged(), "dir,with:signs%/target.yaml"); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for line := range strings.Lines(b.String()) {
		kind, rest, _ := strings.Cut(strings.TrimPrefix(line, "::"), " ")
		kinds = append(kinds, kind)
		if !strings.HasPrefix(line, "::") || !strings.HasPrefix(rest, "file=dir%2Cwith%3Asigns%25/target.yaml,title=INT-NOTIFY-0") {
			t.Errorf("line %q", line)
		}
	}
	if got := strings.Join(kinds, " "); got != "error warning notice error" {
		t.Errorf("annotations %s; want those of the failed, the advice, the accepted and the error", got)
	}
	has(t, b.String(), "%0D%0A::error::", "(Integra §5, flow 2)", "::warning file=", "want a; got b")
	if strings.Contains(b.String(), "\r") {
		t.Error("a line end came through")
	}
}
