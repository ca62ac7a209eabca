package contract

import "testing"

// Who confirms another amount finds the platform's words in what was found, not only that the
// payment was declined in the end.
func TestRefusalsNameTheCause(t *testing.T) {
	t.Parallel()
	calls := make([]entry, 2)
	calls[0].Method, calls[0].Verdict.Detail = "confirmPayment", "payment is over 100.50 RUB,\nnot 101.00 RUB"
	calls[1].Method, calls[1].Verdict.OK, calls[1].Verdict.Detail = "confirmPayment", true, "fine"
	const want = "; before that confirmPayment was refused: payment is over 100.50 RUB, not 101.00 RUB"
	if got := refusals(calls); got.En != want {
		t.Errorf("refusals: %q; want %q", got, want)
	}
}
