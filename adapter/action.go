package adapter

import "time"

// ActionResult is what became of an action.
type ActionResult string

// The results of actions.
const (
	ActionDone    ActionResult = "done"    // in the transaction of its effect, if it has one in the database
	ActionRefused ActionResult = "refused" // it was asked for wrongly, or by somebody who may not
	ActionFailed  ActionResult = "failed"  // something broke; what it was to do may or may not have happened
)

// An Action is what a person, or a program with a person's token, did with the adapter: one
// line of the audit log, which is added to and never changed. No field holds a secret.
type Action struct {
	Num    int64     // its place in the log, given by the store
	At     time.Time // UTC, microseconds; given by the store
	Who    string    // the token's name, or the account that ran the command; at most 255 bytes
	Via    string    // the way in: cli, api or console
	What   string    // as the way in calls it: "ledger deposit", "create-payin"
	On     string    // what it was done to: "user/HASH", "payment/ID"; "" for nothing in particular
	Result ActionResult
	Detail string // what was asked for, and why it was refused or failed
}

// The ways in.
const (
	ViaCLI     = "cli"
	ViaAPI     = "api"
	ViaConsole = "console"
)

// ActionFilter chooses actions; empty fields choose all.
type ActionFilter struct {
	Who, Via, What, On string
	From, To           time.Time // at or after From, before To
	Before             int64     // a cursor: actions with smaller numbers only; 0 begins with the newest
	Limit              int       // 50 if 0
}
