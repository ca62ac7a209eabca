package anymoney

import (
	"math/big"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// The oracle is the specification's section 7 once more, in exact fractions and in another
// order of steps, so that the two can only agree by being right.

func rat(d decimal.Decimal) *big.Rat { return d.Rat() }

// oracle rounds x to so many decimals: up or down.
func oracleRound(x *big.Rat, decimals int32, up bool) *big.Rat {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	scaled := new(big.Rat).Mul(x, new(big.Rat).SetInt(scale))
	whole, rest := new(big.Int).DivMod(scaled.Num(), scaled.Denom(), new(big.Int)) // Euclid: down, for a positive divisor
	if up && rest.Sign() != 0 {
		whole.Add(whole, big.NewInt(1))
	}
	return new(big.Rat).SetFrac(whole, scale)
}

func oracleFee(f *fee, sum *big.Rat, decimals int32) *big.Rat {
	kept := new(big.Rat).Add(new(big.Rat).Mul(rat(f.mult), sum), rat(f.add))
	if highest := rat(f.max); highest.Sign() > 0 && kept.Cmp(highest) > 0 {
		kept = highest
	}
	if lowest := rat(f.min); kept.Cmp(lowest) < 0 {
		kept = lowest
	}
	return oracleRound(kept, decimals, true)
}

func oracleRate(r rate, fee decimal.Decimal) *big.Rat {
	share := new(big.Rat).Add(big.NewRat(1, 1), rat(fee))
	if !r.divides {
		share.Sub(big.NewRat(2, 1), share)
	}
	return oracleRound(share.Mul(share, rat(r.value)), rateDecimals, r.divides)
}

func oracleConvert(x, by *big.Rat, divides bool) *big.Rat {
	if divides {
		return new(big.Rat).Quo(x, by)
	}
	return new(big.Rat).Mul(x, by)
}

// number draws a number as configurations and requests have it.
func number(t *rapid.T, name string, decimals int32, most int64) decimal.Decimal {
	scale := decimal.New(1, decimals).IntPart()
	n := rapid.OneOf(rapid.Int64Range(0, most*scale), rapid.Int64Range(0, min(most*scale, 1000))).Draw(t, name)
	return decimal.New(n, -decimals)
}

func drawFee(t *rapid.T) *fee {
	f := &fee{
		mult: number(t, "mult", rapid.Int32Range(0, 9).Draw(t, "decimals of mult"), 1),
		add:  number(t, "add", rapid.Int32Range(0, 9).Draw(t, "decimals of add"), 10),
	}
	if rapid.Bool().Draw(t, "has min") {
		f.min = number(t, "min", 3, 20)
	}
	if rapid.Bool().Draw(t, "has max") {
		f.max = number(t, "max", 3, 20)
	}
	return f
}

func drawTerms(t *rapid.T) (terms, rate, decimal.Decimal) {
	with := terms{
		fee:        drawFee(t),
		inDecimals: rapid.Int32Range(0, 9).Draw(t, "incoming decimals"), outDecimals: rapid.Int32Range(0, 9).Draw(t, "outgoing decimals"),
		share: decimal.New(rapid.Int64Range(0, 100).Draw(t, "merchant's share in %"), -2),
	}
	stored := rate{number(t, "rate", 9, 20_000).Add(decimal.New(1, -9)), rapid.Bool().Draw(t, "divides")}
	fee := number(t, "exchange fee", rapid.Int32Range(0, 9).Draw(t, "decimals of exchange fee"), 1)
	if rapid.Bool().Draw(t, "converts") {
		effective := stored.after(fee)
		with.rate = &effective
	} else {
		with.outDecimals = with.inDecimals
	}
	return with, stored, fee
}

func TestQuoteIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		with, stored, exchangeFee := drawTerms(t)
		asked := number(t, "amount", with.inDecimals, 1_000_000)

		kept := oracleFee(with.fee, rat(asked), with.inDecimals)
		onTop := oracleRound(new(big.Rat).Mul(new(big.Rat).Sub(big.NewRat(1, 1), rat(with.share)), kept), with.inDecimals, true)
		in := new(big.Rat).Add(rat(asked), onTop)
		out, outFee := in, kept
		if with.rate != nil {
			by := oracleRate(stored, exchangeFee)
			if got := rat(with.rate.value); got.Cmp(by) != 0 {
				t.Fatalf("rate %s less %s is %s; want %s", stored.value, exchangeFee, got, by)
			}
			if stored.divides && by.Sign() == 0 {
				t.Fatalf("a divisor of zero from %s", stored.value)
			}
			out = oracleRound(oracleConvert(in, by, stored.divides), with.outDecimals, false)
			outFee = oracleRound(oracleConvert(kept, by, stored.divides), with.outDecimals, true)
		}

		got := with.quote(asked)
		for _, sum := range []struct {
			name string
			got  decimal.Decimal
			want *big.Rat
		}{
			{"orig", got.orig, rat(asked)},
			{"in", got.in, in},
			{"in fee", got.inFee, kept},
			{"out", got.out, out},
			{"out fee", got.outFee, outFee},
			{"account", got.account(), new(big.Rat).Sub(out, outFee)},
		} {
			if rat(sum.got).Cmp(sum.want) != 0 {
				t.Errorf("%s = %s; want %s", sum.name, sum.got, sum.want)
			}
		}
	})
}

func TestQuoteGrowsWithTheAmount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		with, _, _ := drawTerms(t)
		less := number(t, "amount", with.inDecimals, 1_000_000)
		more := less.Add(number(t, "more", with.inDecimals, 1_000))
		a, b := with.quote(less), with.quote(more)
		for _, sum := range []struct {
			name       string
			less, more decimal.Decimal
		}{
			{"in", a.in, b.in},
			{"in fee", a.inFee, b.inFee},
			{"out", a.out, b.out},
			{"out fee", a.outFee, b.outFee},
		} {
			if sum.less.GreaterThan(sum.more) {
				t.Errorf("%s of %s is %s, of %s only %s", sum.name, less, sum.less, more, sum.more)
			}
		}
		if got := b.account().Add(b.outFee); !got.Equal(b.out) {
			t.Errorf("account %s and fee %s make %s; want %s", b.account(), b.outFee, got, b.out)
		}
	})
}
