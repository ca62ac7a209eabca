package anymoney

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The examples are those of RFC 7396, appendix A.
func TestMerge(t *testing.T) {
	t.Parallel()
	tests := []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	}
	for _, tt := range tests {
		t.Run(tt.target+tt.patch, func(t *testing.T) {
			t.Parallel()
			target, patch := parsed(t, tt.target), parsed(t, tt.patch)
			got, err := json.Marshal(merge(target, patch))
			if err != nil || string(got) != tt.want {
				t.Errorf("%s patched with %s is %s, %v; want %s", tt.target, tt.patch, got, err, tt.want)
			}
			if diff := cmp.Diff(parsed(t, tt.target), target); diff != "" {
				t.Errorf("the target was changed (-was +is):\n%s", diff)
			}
		})
	}
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	document, err := parseDocument([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func TestCompileNamesEveryFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, document string
		want           []Fault
	}{
		{"nothing", `null`, []Fault{{"", "is null"}}},
		{"no object", `[]`, []Fault{{"", "is no object"}}},
		{"unknown member", `{"currency":{}}`, []Fault{{"currency", "is unknown: possible are settings, currencies, payways, exchanges, merchants, codes"}}},
		{"settings", `{"settings":{"request_window_ms":-1,"callback_timeout_ms":0,"callback_offsets_ms":[0,5,4,"x",null],"sci_base":"ftp://x","callback_on_change":1}}`, []Fault{
			{"settings.callback_offsets_ms[2]", "4 is not between 5 and 31536000000"},
			{"settings.callback_offsets_ms[3]", "is no whole number"},
			{"settings.callback_offsets_ms[4]", "is missing"},
			{"settings.callback_on_change", "is neither true nor false"},
			{"settings.callback_timeout_ms", "0 is not between 1 and 600000"},
			{"settings.request_window_ms", "-1 is not between 0 and 31536000000"},
			{"settings.sci_base", `"ftp://x" is no http or https address`},
		}},
		{"currency", `{"currencies":{"UAH":{"precision":10},"USD":{},"RUB":{"precision":2.5}}}`, []Fault{
			{"currencies.RUB.precision", "is no whole number"},
			{"currencies.UAH.precision", "10 is not between 0 and 9"},
			{"currencies.USD.precision", "is missing"},
		}},
		{"payway", `{"payways":{"visamc":{"type":"card","required":["payer",7],"in":{"UAH":{"tech_min":1,"tech_max":"-1","fee":{"mult":"0.0123456789","method":"floor","add":"1,5"}}}}}}`, []Fault{
			{"payways.visamc.in.UAH.fee.add", `is no number written as text, such as "0.05"`},
			{"payways.visamc.in.UAH.fee.method", `"floor" is none of ceil`},
			{"payways.visamc.in.UAH.fee.mult", "0.0123456789 has more than 9 decimals"},
			{"payways.visamc.in.UAH.tech_max", "-1 is negative"},
			{"payways.visamc.in.UAH.tech_min", `is no number written as text, such as "0.05"`},
			{"payways.visamc.required[1]", "is no text, or an empty one"},
			{"payways.visamc.type", `"card" is none of sci, crypto, cheque, cash`},
		}},
		{"exchange", `{"exchanges":{"A-B":{"rate":["2","3"]},"C-D":{"rate":["1"],"fee":"1.5"},"E-F":{},"G-H":{"rate":["0","1"]}}}`, []Fault{
			{"exchanges.A-B.rate", `is no pair of numbers of which one is "1"`},
			{"exchanges.C-D.fee", "1.5 is more than 1"},
			{"exchanges.C-D.rate", `is no pair of numbers of which one is "1"`},
			{"exchanges.E-F.rate", "is missing"},
			{"exchanges.G-H.rate[0]", "is not above zero"},
		}},
		{"merchant", `{"merchants":{"37":{"sci_key":"","balances":{"UAH":"x"},"payways":{"visamc":"off"},"exchange_fees":{"A-B":{"fee":"2"}}}}}`, []Fault{
			{"merchants.37.api_key", "is missing"},
			{"merchants.37.balances.UAH", `is no number written as text, such as "0.05"`},
			{"merchants.37.exchange_fees.A-B.fee", "2 is more than 1"},
			{"merchants.37.payways.visamc", "is neither true nor false"},
			{"merchants.37.sci_key", "is no text, or an empty one"},
		}},
		{"code", `{"codes":{"X":{"amount":"1` + strings.Repeat("0", 64) + `"}}}`, []Fault{
			{"codes.X.amount", "1" + strings.Repeat("0", 39) + "… has more than 64 characters"},
			{"codes.X.currency", "is missing"},
			{"codes.X.payway", "is missing"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := compile(parsed(t, tt.document))
			var got *ConfigError
			if !errors.As(err, &got) {
				t.Fatalf("compile(%s) = %v; want faults", tt.document, err)
			}
			if diff := cmp.Diff(tt.want, got.Faults); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseDocumentRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "{} {}", "{}x", "\x00", strings.Repeat("[", 100_000)} {
		if _, err := parseDocument([]byte(text)); !errors.As(err, new(*ConfigError)) {
			t.Errorf("parseDocument(%.20q) = %v; want a fault", text, err)
		}
	}
}

func FuzzConfigure(f *testing.F) {
	for _, document := range []string{`{}`, `{"settings":{"callback_offsets_ms":[0,1]}}`, `{"exchanges":{"A-B":{"rate":["1","2.5"]}}}`} {
		f.Add(document, `{"settings":null}`)
	}
	f.Fuzz(func(t *testing.T, document, patch string) {
		target, err := parseDocument([]byte(document))
		if err != nil {
			return
		}
		change, err := parseDocument([]byte(patch))
		if err != nil {
			return
		}
		merged := merge(target, change)
		r, err := compile(merged)
		if (r == nil) == (err == nil) {
			t.Errorf("compile gave %v and %v", r, err)
		}
		if again := merge(merged, change); !cmp.Equal(again, merged) {
			t.Errorf("a patch that is applied twice changes more:\n%s", cmp.Diff(merged, again))
		}
	})
}
