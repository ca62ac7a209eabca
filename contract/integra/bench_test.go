package integra_test

import (
	"testing"

	"github.com/partnerkit/partnerkit/contract/integra"
)

// The calls that a payment makes: sealing a confirm and its address, opening it on the
// other side, writing the answer and reading it.

var confirmArgs = integra.ConfirmPaymentArgs{Amount: "100.50", TransactionID: "202cb962ac59075b964b07152d234b70"}

func BenchmarkSeal(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := integra.Seal(integra.Simple, user, confirmArgs); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRequestURL(b *testing.B) {
	k, err := integra.Seal(integra.Simple, user, confirmArgs)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := integra.RequestURL("http://127.0.0.1:8090", "partners/acme", integra.ConfirmPayment, k, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenAndDecode(b *testing.B) {
	k, err := integra.Seal(integra.Simple, user, confirmArgs)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		e, err := integra.ParseK(k)
		if err != nil {
			b.Fatal(err)
		}
		plain, err := e.Open(integra.Simple, user.Key)
		if err != nil {
			b.Fatal(err)
		}
		var args integra.ConfirmPaymentArgs
		if err := integra.Decode(plain, &args); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = integra.Success(integra.TransactionResult{TransactionID: confirmArgs.TransactionID}).Encode()
	}
}

func BenchmarkParseResponse(b *testing.B) {
	body := integra.Success(integra.TransactionResult{TransactionID: confirmArgs.TransactionID}).Encode()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := integra.ParseResponse(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExpand(b *testing.B) {
	t, err := integra.ParseNotifyTemplate("http://127.0.0.1:8080/integra/notify?id={id}&amount={amount}&hash={hash}&token=abc")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = t.Expand(confirmArgs.TransactionID, "100.5", user.Hash)
	}
}
