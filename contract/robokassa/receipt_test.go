package robokassa_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/contract/robokassa"
)

func TestParseReceipt(t *testing.T) {
	t.Parallel()
	text := vectors(t).Receipt["json"]
	once := url.QueryEscape(text)
	for _, form := range []string{text, once, url.QueryEscape(once), url.PathEscape(text), " " + text + "\n"} {
		r, err := robokassa.ParseReceipt(form)
		if err != nil {
			t.Errorf("ParseReceipt(%.40s): %v", form, err)
			continue
		}
		if i := r.Items[0]; r.Sno != "usn_income" || i.Name != "Пополнение баланса" || i.Sum != "100.00" || r.Total().String() != "100" {
			t.Errorf("ParseReceipt(%.40s) = %+v, total %s", form, r, r.Total())
		}
	}
	r, err := robokassa.ParseReceipt(`{"items":[{"name":"a+b 50% off","quantity":1.5,"cost":0.10,"tax":"vat20","new":[1]}],"more":1}`)
	if err != nil || r.Total().String() != "0.15" || r.Items[0].Name != "a+b 50% off" {
		t.Errorf("receipt = %+v, %v", r, err)
	}
	item := func(members string) string { return `{"items":[{` + members + `}]}` }
	for text, want := range map[string]string{
		"":                       "it is not a JSON object",
		"[]":                     "it is not a JSON object",
		"not JSON":               "it is not a JSON object",
		`{"items":[`:             "it is not JSON",
		`{"items":[]}x`:          "something follows the JSON object",
		`{"items":1}`:            "items must not be number",
		`{}`:                     "items are missing",
		`{"sno":"x","items":[]}`: "sno \"x\" is not known",
		item(`"quantity":1,"sum":1,"tax":"none"`):                                           "item 1: name is missing",
		item(`"name":"` + strings.Repeat("я", 129) + `","quantity":1,"sum":1,"tax":"none"`): "item 1: name is longer than 128 characters",
		item(`"name":"a","sum":1,"tax":"none"`):                                             "item 1: quantity",
		item(`"name":"a","quantity":0,"sum":1,"tax":"none"`):                                "item 1: quantity",
		item(`"name":"a","quantity":1e9,"sum":1,"tax":"none"`):                              "item 1: quantity",
		item(`"name":"a","quantity":123456,"sum":1,"tax":"none"`):                           "item 1: quantity",
		item(`"name":"a","quantity":1,"tax":"none"`):                                        "item 1: sum or cost is missing",
		item(`"name":"a","quantity":1,"sum":-1,"tax":"none"`):                               "item 1: sum",
		item(`"name":"a","quantity":1,"cost":1.001,"tax":"none"`):                           "item 1: cost",
		item(`"name":"a","quantity":1,"sum":1`):                                             "item 1: tax is missing",
		item(`"name":"a","quantity":1,"sum":1,"tax":"vat21"`):                               "item 1: tax \"vat21\" is not known",
		item(`"name":"a","quantity":1,"sum":1,"tax":"none","payment_method":"x"`):           "item 1: payment_method \"x\" is not known",
		item(`"name":"a","quantity":1,"sum":1,"tax":"none","payment_object":"x"`):           "item 1: payment_object \"x\" is not known",
		`{"items":[` + strings.Repeat(`{},`, 100) + `{}]}`:                                  "101 items, at most 100 are allowed",
		strings.Repeat(" ", 300<<10):                                                        "it is longer than",
	} {
		_, err := robokassa.ParseReceipt(text)
		if !errors.Is(err, robokassa.ErrReceipt) || !strings.HasPrefix(strings.TrimPrefix(err.Error(), "malformed receipt: "), want) {
			t.Errorf("ParseReceipt(%.60q) fails with %v; want %s", text, err, want)
		}
	}
}

func FuzzParseReceipt(f *testing.F) {
	for _, text := range vectors(f).Receipt {
		f.Add(text)
	}
	f.Add(`{"items":[{"name":"a","quantity":1e99999999,"sum":1}]}`)
	f.Add("%257B%2522")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := robokassa.ParseReceipt(text)
		if err != nil {
			if !errors.Is(err, robokassa.ErrReceipt) {
				t.Fatalf("ParseReceipt(%q) = %v", text, err)
			}
			return
		}
		if n := len(r.Items); n < 1 || n > robokassa.MaxReceiptItems || r.Total().Sign() < 0 {
			t.Fatalf("%q is accepted as %+v", text, r)
		}
	})
}
