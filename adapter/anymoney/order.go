package anymoney

import (
	"fmt"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	wire "github.com/partnerkit/partnerkit/contract/anymoney"
	"github.com/partnerkit/partnerkit/contract/money"
)

// readOrder turns the platform's order, said at the given time, into ours. An order of another
// merchant, of a status that nobody has heard of or with amounts that we could not keep is an
// error.
func readOrder(o wire.Order, merchant string, at time.Time) (adapter.PayinOrder, error) {
	status := adapter.PayinStatus(o.Status)
	switch {
	case o.Owner != merchant:
		return adapter.PayinOrder{}, fmt.Errorf("the order is of merchant %.40q", o.Owner)
	case !status.OfPlatform():
		return adapter.PayinOrder{}, fmt.Errorf("the order is %.40q, which is no status that we know", o.Status)
	case o.LID <= 0:
		return adapter.PayinOrder{}, fmt.Errorf("the order has the number %d", o.LID)
	}
	s, err := readSums(o.Sums, o.InCurr, o.OutCurr)
	if err != nil {
		return adapter.PayinOrder{}, err
	}
	order := adapter.PayinOrder{
		LID: o.LID, Type: string(o.Type), Status: status, Payway: o.Payway,
		In: s.in, InFee: s.inFee, Out: s.out, OutFee: s.outFee, Account: s.account,
		RateIn: string(o.Rate[0]), RateOut: string(o.Rate[1]), At: at,
	}
	if o.Invoice != nil {
		order.Paylink = o.Invoice.Paylink
	}
	return order, nil
}

// sums are wire.Sums as money.
type sums struct{ in, inFee, out, outFee, account money.Amount }

func readSums(s wire.Sums, inCurr, outCurr string) (sums, error) {
	in, err := adapter.PayinCurrency(inCurr)
	if err != nil {
		return sums{}, err
	}
	out, err := adapter.PayinCurrency(outCurr)
	if err != nil {
		return sums{}, err
	}
	var r sums
	for _, x := range []struct {
		to       *money.Amount
		from     wire.Amount
		currency money.Currency
	}{
		{&r.in, s.In, in},
		{&r.inFee, s.InFee, in},
		{&r.out, s.Out, out},
		{&r.outFee, s.OutFee, out},
		{&r.account, s.Account, out},
	} {
		if *x.to, err = x.from.In(x.currency); err != nil {
			return sums{}, err
		}
		if x.to.Sign() < 0 {
			return sums{}, fmt.Errorf("an amount of the order is %s", x.to.Short())
		}
	}
	return r, nil
}
