package adapter

import "time"

// An Alert tells the operators that something needs a person, or that it does not any more.
// There is one for each cause, however many payments it touches: a cause is raised once, and
// again only after it was over.
type Alert struct {
	Num   int64     // its place in the outbox, given by the store
	ID    string    // the same in every attempt to deliver it: whoever gets it twice can tell
	Cause string    // such as "in_doubt"
	Over  bool      // the cause is gone
	Text  string    // what happened, for a person; no secrets
	At    time.Time // UTC, microseconds

	Attempt     int       // deliveries begun
	NextAt      time.Time // when the next one is due; zero when delivered or given up
	DeliveredAt time.Time // zero until delivered
	Problem     string    // why the last delivery failed
}

// The causes of alerts.
const (
	CauseInDoubt    = "in_doubt"        // payments wait for a person
	CauseBilling    = "billing_refused" // the partner's billing refuses moves, for no reason of the user's
	CauseRefusals   = "refusals"        // the platform refuses one payment after the other
	CausePaused     = "platform_paused" // the platform does not answer, so it is left alone for a while; followed by the name of another system
	CauseDifference = "difference"      // our books and the platform's differ; followed by the date
	CauseImbalance  = "imbalance"       // the ledger does not add up
	CauseTest       = "test"            // somebody tries whether alerts arrive
)
