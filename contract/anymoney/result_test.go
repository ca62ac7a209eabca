package anymoney_test

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/contract/anymoney"
)

func TestCalculationBytes(t *testing.T) {
	t.Parallel()
	c := anymoney.Calculation{Sums: invoice().Sums, Rate: invoice().Rate}
	want := message(t, "calculation")
	if got := c.Object().String(); got != want {
		t.Errorf("calculation is %s\nwant %s", got, want)
	}
	if got, err := anymoney.ReadCalculation(parse(t, want)); got != c || err != nil {
		t.Errorf("calculation reads as %+v, %v; want %+v", got, err, c)
	}
	c.Rate = anymoney.Rate{}
	if got, want := c.Object().String(), strings.Replace(want, `,"rate":["28.7639","1"]`, "", 1); got != want {
		t.Errorf("calculation without conversion is %s\nwant %s", got, want)
	}
	for _, text := range []string{`{}`, `{"in_amount":"1"}`, strings.Replace(want, `"3.99"`, `"x"`, 1), strings.Replace(want, `["28.7639","1"]`, `[]`, 1)} {
		if got, err := anymoney.ReadCalculation(parse(t, text)); !errors.Is(err, anymoney.ErrMessage) {
			t.Errorf("%s reads as %+v, %v; want ErrMessage", text, got, err)
		}
	}
}

func TestBalancesBytes(t *testing.T) {
	t.Parallel()
	b := anymoney.Balances{"USD": "1600", "BTC": "0", "UAH": "-11.5"}
	const want = `{"BTC":"0","UAH":"-11.5","USD":"1600"}`
	if got := b.Object().String(); got != want {
		t.Errorf("balances are %s; want %s", got, want)
	}
	if got, err := anymoney.ReadBalances(parse(t, want)); !maps.Equal(got, b) || err != nil {
		t.Errorf("balances read as %v, %v", got, err)
	}
	for text, name := range map[string]string{`{"A":"1","UAH":null}`: "UAH", `{"UAH":"x"}`: "UAH", `{"UAH":{}}`: "UAH"} {
		_, err := anymoney.ReadBalances(parse(t, text))
		if e, ok := errors.AsType[*anymoney.MessageError](err); !ok || e.Name != name {
			t.Errorf("balances %s read with %v", text, err)
		}
	}
}

func TestPaywaysBytes(t *testing.T) {
	t.Parallel()
	p := anymoney.Payways{
		"perfect": {Type: "sci", Order: 4, In: map[string]anymoney.PaywayCurrency{
			"USD": {
				IsActive: true, Order: 1, Precision: 2, TechMin: "1", TechMax: "100",
				Fee: &anymoney.Fee{Add: "1", Mult: "0.02", Min: "3", Max: "100", Method: "ceil"},
			},
		}, Out: map[string]anymoney.PaywayCurrency{}},
		"btc": {Type: "crypto", Order: 7, In: map[string]anymoney.PaywayCurrency{
			"BTC": {IsCrypto: true, Order: 1, Precision: 8, TechMin: "0.0008", TechMax: "1"},
		}, Out: map[string]anymoney.PaywayCurrency{}},
	}
	const want = `{"btc":{"in":{"BTC":{"fee":{},"is_active":false,"is_crypto":true,"order":1,"precision":8,"tech_max":"1","tech_min":"0.0008"}},"out":{},"order":7,"type":"crypto"},` +
		`"perfect":{"in":{"USD":{"fee":{"add":"1","max":"100","method":"ceil","min":"3","mult":"0.02"},"is_active":true,"is_crypto":false,"order":1,"precision":2,"tech_max":"100","tech_min":"1"}},"out":{},"order":4,"type":"sci"}}`
	if got := p.Object().String(); got != want {
		t.Errorf("payways are %s\nwant %s", got, want)
	}
	got, err := anymoney.ReadPayways(parse(t, want))
	if diff := cmp.Diff(p, got); diff != "" || err != nil {
		t.Errorf("payways are read with %v (-want +got):\n%s", err, diff)
	}
	for old, faulty := range map[string]struct{ json, where string }{
		`"tech_min":"0.0008"`: {`"tech_min":"x"`, "btc.in.BTC.tech_min"},
		`"precision":8`:       {`"precision":null`, "btc.in.BTC.precision"},
		`"mult":"0.02"`:       {`"mult":true`, "perfect.in.USD.fee.mult"},
		`"is_crypto":true`:    {`"is_crypto":1`, "btc.in.BTC.is_crypto"},
		`"type":"sci"`:        {`"type":""`, "perfect.type"},
		`"fee":{}`:            {`"fee":[]`, "btc.in.BTC.fee"},
		`"out":{},"order":7`:  {`"out":1,"order":7`, "btc.out"},
		`{"btc":{`:            {`{"a":1,"btc":{`, "a"},
	} {
		_, err := anymoney.ReadPayways(parse(t, strings.Replace(want, old, faulty.json, 1)))
		if e, ok := errors.AsType[*anymoney.MessageError](err); !ok || e.Name != faulty.where {
			t.Errorf("payways with %s: %v; want %s", faulty.json, err, faulty.where)
		}
	}
}

// A hostile answer of many members costs no more than its length.
func TestManyBalances(t *testing.T) {
	t.Parallel()
	b := make(anymoney.Balances)
	for i := range 50_000 {
		b["C"+strconv.Itoa(i)] = "1"
	}
	got, err := anymoney.ReadBalances(parse(t, b.Object().String()))
	if !maps.Equal(got, b) || err != nil {
		t.Errorf("read %d balances, %v; want %d", len(got), err, len(b))
	}
}
