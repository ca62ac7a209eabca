package doctor_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/mockplatform/doctor"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

var (
	keys = []doctor.Key{
		{Value: "right"},
		{Way: doctor.Way{Cause: journal.CauseOtherMode, Hint: "the test password"}, Value: "test"},
	}
	bases = []doctor.Base{
		{Text: func(key string) string { return "a:b:" + key }},
		{Way: doctor.Way{Cause: journal.CauseOrder, Hint: "b before a"}, Text: func(key string) string { return "b:a:" + key }},
	}
	sums = []doctor.Sum{
		{Of: func(_, text string) string { return "<" + text + ">" }},
		{Way: doctor.Way{Cause: journal.CauseAlgorithm, Hint: "other brackets"}, Of: func(_, text string) string { return "[" + text + "]" }},
	}
)

func TestDiagnose(t *testing.T) {
	t.Parallel()
	for signature, want := range map[string]journal.Diagnosis{
		"<a:b:test>":  {Cause: journal.CauseOtherMode, Hint: "the test password", Got: "a:b:***", Want: "a:b:***"},
		"<b:a:right>": {Cause: journal.CauseOrder, Hint: "b before a", Got: "b:a:***", Want: "a:b:***"},
		"[b:a:right]": {Cause: journal.CauseOrder, Hint: "b before a; and other brackets", Got: "b:a:***", Want: "a:b:***"},
		"<a:b:right>": {Cause: journal.CauseUnknown, Hint: "the signature is right", Got: "a:b:***", Want: "a:b:***"},
		"[b:a:test]":  {Cause: journal.CauseUnknown, Hint: "no known mistake leads to this signature: compare key and signed text", Want: "a:b:***"},
		"":            {Cause: journal.CauseUnknown, Hint: "no known mistake leads to this signature: compare key and signed text", Want: "a:b:***"},
	} {
		if diff := cmp.Diff(want, *doctor.Diagnose(signature, keys, bases, sums)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", signature, diff)
		}
	}
	if d := doctor.Diagnose("x", nil, nil, nil); d.Cause != journal.CauseUnknown {
		t.Errorf("nothing to try: %+v", d)
	}
	long := []doctor.Base{{Text: func(string) string { return strings.Repeat("x", 10_000) }}}
	if d := doctor.Diagnose("x", keys, long, sums); len(d.Want) > 8<<10 || !strings.Contains(d.Hint, "too long") {
		t.Errorf("%d bytes: %s", len(d.Want), d.Hint)
	}
}
