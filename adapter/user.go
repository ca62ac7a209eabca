package adapter

import (
	"encoding/json"
	"fmt"
	"time"
)

// A User is a person of the partner whose account pays.
type User struct {
	Hash       string // 32 letters or digits, the platform's name for the user
	Login      string // unique at the platform
	SealedKey  []byte // the user's crypt key, encrypted at rest (adapter/vault); never logged
	ArchivedAt time.Time
	CreatedAt  time.Time // UTC
}

// UserFilter chooses users; empty fields choose all.
type UserFilter struct {
	Login    string
	Archived *bool  // only those who are archived, or only those who are not
	After    string // a cursor: users with greater hashes only
	Limit    int    // 50 if 0
}

// A TakenError says that a new user's hash or login is another user's. It wraps ErrConflict.
type TakenError struct{ Hash, Login string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("user %s: the hash or the login %q is taken", e.Hash, e.Login)
}

// Unwrap returns ErrConflict.
func (e *TakenError) Unwrap() error { return ErrConflict }

// Registration is what the platform is told of a new user. Login is required and unique
// there.
type Registration struct {
	Login           string
	Email           string
	Phone           string // international: +79551234567
	SuggestedDomain string // the site to promote, without scheme
	InviterID       string // the partner's own id of whoever invited the user
}

// A Login is the way of a user into the platform's page. Whoever has it is logged in, so it is
// a secret; it is made anew for every view of the page.
type Login struct {
	URL   string // for the src of an iframe
	Embed string // HTML of an iframe that grows with the page
}

// PlatformUser is what the platform says of a user. Sums are decimal text, as it wrote them.
type PlatformUser struct {
	Balance      string
	DailyBudget  string // the month's budget / 30
	DailyExpense string // average
	Site         string
	Status       string // run, stopped or new
	Progress     string // WIZARD_STEP_1 … 4, CAMPAIGN_PAID, CAMPAIGN_UNPAID, UNKNOWN
	Unread       int    // messages
	LastsUntil   time.Time
}

// A Message is what the platform tells a user. Text is HTML.
type Message struct {
	ID            string // digits
	Login         string // the user's
	Type          string // such as low_balance
	Title         string
	Text          string
	Params        json.RawMessage // for the templates; nil if there are none
	TemplateID    string
	TitleTemplate string // Mustache
	TextTemplate  string // Mustache
}

// A MessageTemplate is the Mustache source of one kind of message.
type MessageTemplate struct{ ID, Title, Text string }
