package integra

import (
	"context"
	"fmt"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// Day returns what the platform booked for a user on a date (getFinSummaryByDate). Sums that
// are not exact in kopecks are an error: what is rounded proves nothing.
func (c *Client) Day(ctx context.Context, user string, date time.Time) (adapter.Day, error) {
	sum, err := c.FinSummary(ctx, user, date)
	if err != nil {
		return adapter.Day{}, err
	}
	d := adapter.Day{Date: date}
	for _, f := range []struct {
		name string
		text string
		into *money.Amount
	}{{"income", string(sum.Income), &d.Income}, {"outcome", string(sum.Outcome), &d.Outcome}, {"balance", string(sum.Balance), &d.Balance}} {
		if *f.into, err = money.ParseBalance(f.text, money.RUB); err != nil {
			return adapter.Day{}, fmt.Errorf("%s: %s of %s: %w", integra.GetFinSummaryByDate, f.name, sum.Date, err)
		}
	}
	if d.Income.Sign() < 0 || d.Outcome.Sign() > 0 {
		return adapter.Day{}, fmt.Errorf("%s: income %s and outcome %s of %s have the wrong signs", integra.GetFinSummaryByDate, d.Income, d.Outcome, sum.Date)
	}
	return d, nil
}

// Balance returns a user's live balance at the platform (getUserData).
func (c *Client) Balance(ctx context.Context, user string) (money.Amount, error) {
	data, err := c.UserData(ctx, user)
	if err != nil {
		return money.Amount{}, err
	}
	balance, err := money.ParseBalance(string(data.Balance), money.RUB)
	if err != nil {
		return money.Amount{}, fmt.Errorf("%s: balance: %w", integra.GetUserData, err)
	}
	return balance, nil
}
