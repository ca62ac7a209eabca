package anymoney_test

import (
	"testing"

	"github.com/partnerkit/partnerkit/contract/anymoney"
)

// What a payment costs: the request is written and signed, read and verified on the other
// side, the order written and signed in the answer, and the answer read and verified.

var create = anymoney.CreateParams{
	Amount: "256.13", ExternalID: "Order-1", InCurr: "UAH", OutCurr: "USD", Payway: "visamc", CallbackURL: "https://shop.test/callback",
}

const now = "1700000000000"

func BenchmarkWriteRequest(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		r := anymoney.Request{Method: anymoney.MethodPayinCreate, Params: create.Object(), ID: anymoney.Text("1")}
		_, _ = r.Encode(), key.Sign(r.Params, now)
	}
}

func BenchmarkReadRequest(b *testing.B) {
	r := anymoney.Request{Method: anymoney.MethodPayinCreate, Params: create.Object(), ID: anymoney.Text("1")}
	body, signature := r.Encode(), key.Sign(r.Params, now)
	b.ReportAllocs()
	for b.Loop() {
		r, err := anymoney.ParseRequest(body)
		if err != nil {
			b.Fatal(err)
		}
		if err := key.Verify(r.Params, now, signature); err != nil {
			b.Fatal(err)
		}
		if refused := r.Method.Check(r.Params); refused != nil {
			b.Fatal(refused)
		}
	}
}

func BenchmarkWriteOrder(b *testing.B) {
	order := invoice()
	b.ReportAllocs()
	for b.Loop() {
		r := anymoney.Response{Result: order.Object(), ID: anymoney.Text("1")}
		_, _ = r.Encode(), key.Sign(r.Signed(), now)
	}
}

func BenchmarkReadOrder(b *testing.B) {
	order := invoice()
	r := anymoney.Response{Result: order.Object(), ID: anymoney.Text("1")}
	body, signature := r.Encode(), key.Sign(r.Signed(), now)
	b.ReportAllocs()
	for b.Loop() {
		r, err := anymoney.ParseResponse(body, anymoney.Text("1"))
		if err != nil {
			b.Fatal(err)
		}
		if err := key.Verify(r.Signed(), now, signature); err != nil {
			b.Fatal(err)
		}
		if _, err := anymoney.ReadOrder(r.Result); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	params := create.Object()
	b.ReportAllocs()
	for b.Loop() {
		_ = key.Sign(params, now)
	}
}

func BenchmarkParseObject(b *testing.B) {
	order := invoice()
	body := order.Object().AppendJSON(nil)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := anymoney.ParseObject(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAmount(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := anymoney.ParseAmount("256,130"); err != nil {
			b.Fatal(err)
		}
	}
}
