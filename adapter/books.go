package adapter

import (
	"time"

	"github.com/partnerkit/partnerkit/contract/money"
)

// A Day is what the platform's books say of a user's day, by the platform's own calendar.
type Day struct {
	Date    time.Time // midnight UTC of the date
	Income  money.Amount
	Outcome money.Amount // negative or zero
	Balance money.Amount // as the platform gives it: meant is that at the day's end
}
