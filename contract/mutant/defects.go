package mutant

import "slices"

// A Defect is what is wrong with a mutant.
type Defect struct {
	ID    string
	What  string   // what it does, as a sentence without a full stop
	Catch []string // checks that must catch it
}

// Adapters are the defects of adapters.
func Adapters() []Defect { return slices.Clone(adapters) }

var adapters = []Defect{
	// Notifications
	{"answers-when-confirmed", "Answers 200 only when the platform has answered the confirmation", ids("INT-NOTIFY-02")},
	{"answers-slowly", "Takes longer to answer than the platform waits", ids("INT-NOTIFY-01", "INT-REPEAT-03")},
	{"answers-201", "Answers 201 where the platform waits for 200", ids("INT-NOTIFY-01", "INT-REPEAT-01", "INT-DECLINE-01")},
	{"floods-answers", "Answers two megabytes", ids("INT-REPEAT-03", "INT-PROOF-09")},
	{"stores-nothing", "Answers 200 and forgets the payment", ids("INT-NOTIFY-01", "INT-NOTIFY-12", "INT-RACE-05", "INT-CONFIRM-02", "INT-CONFIRM-04", "INT-DECLINE-01", "INT-DECLINE-03", "INT-REPEAT-09", "INT-CHOICE-04", "INT-CRASH-09")},
	{"answers-before-storing", "Answers 200 while the payment is in memory alone", ids("INT-CRASH-01")},
	{"confirms-before-storing", "Confirms first, then stores, reserves and answers", ids("INT-DECLINE-01", "INT-RACE-02")},
	{"drops-kopecks", "Cuts the amount to whole roubles", ids("INT-NOTIFY-03", "INT-NOTIFY-04", "INT-NOTIFY-05", "INT-CONFIRM-01")},
	{"reads-decimals-as-kopecks", "Takes 100.5 for 100 roubles 5 kopecks", ids("INT-NOTIFY-03")},
	{"wants-whole-or-one-decimal", "Refuses amounts with two decimals", ids("INT-NOTIFY-04", "INT-NOTIFY-05")},
	{"counts-in-floats", "Computes kopecks in floating point: 1.15 is 114 of them", ids("INT-NOTIFY-07")},
	{"counts-in-32-bits", "Keeps kopecks in 32 bits", ids("INT-NOTIFY-06")},
	{"reads-by-position", "Takes the parameters by their position", ids("INT-NOTIFY-08")},
	{"does-not-decode", "Does not decode percent-encoded values", ids("INT-NOTIFY-09")},
	{"takes-any-verb", "Takes a DELETE for a notification", ids("INT-NOTIFY-10")},
	{"half-done-when-hung-up-on", "Marks the id as known, then gives up when the caller has hung up", ids("INT-NOTIFY-11", "INT-RACE-06")},
	{"mixes-users-up", "Finds a payment's user by its amount", ids("INT-NOTIFY-12")},
	{"template-without-amount", "Hands out a notification URL without {amount}", ids("INT-NOTIFY-13")},
	{"drops-the-busy", "Forgets a payment of a user who has another one under way", ids("INT-NOTIFY-14", "INT-RACE-03", "INT-RACE-08")},

	// Malformed notifications
	{"takes-any-id", "Does not check the id", ids("INT-PARAM-01", "INT-PARAM-02", "INT-PARAM-03", "INT-PARAM-04", "INT-PARAM-05", "INT-PARAM-06", "INT-PARAM-07", "INT-PARAM-08", "INT-INPUT-02")},
	{"takes-any-amount", "Takes the digits of the amount for kopecks, whatever stands between them", ids(
		"INT-PARAM-09", "INT-PARAM-10", "INT-PARAM-11", "INT-PARAM-12", "INT-PARAM-13", "INT-PARAM-14", "INT-PARAM-15", "INT-PARAM-16", "INT-PARAM-17",
		"INT-PARAM-18", "INT-PARAM-19", "INT-PARAM-20", "INT-PARAM-21", "INT-PARAM-22", "INT-PARAM-23", "INT-PARAM-24", "INT-INPUT-01")},
	{"takes-zero", "Takes an amount of zero", ids("INT-PARAM-11", "INT-PARAM-12")},
	{"takes-exponents", "Takes 1e3 for a thousand", ids("INT-PARAM-15")},
	{"takes-the-sign-for-nothing", "Takes -100 for 100", ids("INT-PARAM-13", "INT-INPUT-01")},
	{"rounds-what-is-finer", "Rounds 1.005 to 1.01", ids("INT-PARAM-18")},
	{"takes-any-user", "Charges somebody where it does not know the user", ids("INT-PARAM-25", "INT-PARAM-26", "INT-PARAM-27")},
	{"guesses-the-user", "Charges the only user there is where it does not know the user", ids("INT-PARAM-28")},
	{"fails-on-malformed", "Answers 500 to what is malformed", ids("INT-PARAM-03", "INT-PARAM-14", "INT-PARAM-27", "INT-INPUT-03")},
	{"dies-of-garbage", "Dies of an amount that is no number", ids("INT-PARAM-15")},

	// Proof
	{"ignores-the-token", "Does not look at the token", ids("INT-PROOF-01", "INT-PROOF-02", "INT-PROOF-05", "INT-PROOF-08")},
	{"wants-any-token", "Wants a token, whatever it is", ids("INT-PROOF-02", "INT-PROOF-03", "INT-PROOF-04", "INT-PROOF-05")},
	{"compares-half-the-token", "Compares the first half of the token", ids("INT-PROOF-02", "INT-PROOF-04")},
	{"finds-the-token-anywhere", "Looks for the token's beginning one character later too", ids("INT-PROOF-03")},
	{"accepts-unsigned-tokens", "Accepts tokens with \"alg\":\"none\"", ids("INT-PROOF-06")},
	{"accepts-expired-tokens", "Accepts expired tokens", ids("INT-PROOF-07")},
	{"takes-anybodys-token", "Accepts the token of another user", ids("INT-PROOF-08")},
	{"trusts-the-notification", "Charges as soon as it is notified", ids("INT-PROOF-09", "INT-PROOF-10", "INT-PROOF-11", "INT-CHOICE-01", "INT-CHOICE-03", "INT-REPEAT-07", "INT-DECLINE-01")},
	{"captures-the-refused", "Charges although the platform has refused", ids("INT-PROOF-09", "INT-PROOF-10", "INT-PROOF-11", "INT-CHOICE-01", "INT-CHOICE-03")},
	{"keeps-the-refused-reserved", "Never releases what the platform has refused", ids("INT-PROOF-09", "INT-CHOICE-03")},

	// Confirming and declining
	{"never-confirms", "Never calls confirmPayment", ids(
		"INT-CHOICE-02", "INT-CHOICE-05", "INT-CHOICE-07", "INT-CHOICE-08", "INT-REPEAT-02", "INT-REPEAT-08", "INT-RACE-07", "INT-CRASH-08", "INT-LOST-07", "INT-RACE-04",
		"INT-REFUND-01", "INT-REFUND-02")},
	{"confirms-whole-roubles", "Confirms the amount cut to roubles", ids("INT-CONFIRM-01", "INT-NOTIFY-05")},
	{"confirms-a-kopeck-more", "Confirms a kopeck more than was announced", ids("INT-CONFIRM-01", "INT-CHOICE-02")},
	{"wrong-key-first", "Tries the partner's key first", ids("INT-CONFIRM-02")},
	{"confirms-twice", "Calls confirmPayment twice, to be sure", ids("INT-CONFIRM-03", "INT-REPEAT-01", "INT-RACE-01")},
	{"keeps-a-kopeck", "Wants a kopeck to be left", ids("INT-CONFIRM-04", "INT-DECLINE-06")},
	{"declines-the-confirmed", "Calls declinePayment after the confirmation", ids("INT-CONFIRM-05")},
	{"captures-twice", "Charges twice what it confirms once", ids("INT-NOTIFY-01", "INT-CONFIRM-01", "INT-CONFIRM-02", "INT-CRASH-04")},
	{"does-not-capture", "Leaves reserved what was confirmed", ids("INT-NOTIFY-01", "INT-CONFIRM-03")},
	{"releases-instead-of-capturing", "Gives back what was confirmed", ids("INT-NOTIFY-01", "INT-CHOICE-02")},
	{"never-declines", "Does not tell the platform of a decline", ids("INT-DECLINE-01", "INT-DECLINE-02", "INT-DECLINE-03")},
	{"tolerates-a-kopeck", "Confirms where a kopeck is missing", ids("INT-DECLINE-02")},
	{"zero-is-unlimited", "Takes an empty account for one without a limit", ids("INT-DECLINE-03")},
	{"overdraws", "Does not look at the balance", ids("INT-DECLINE-01", "INT-DECLINE-04", "INT-RACE-07")},
	{"declines-without-reason", "Declines without code and message", ids("INT-DECLINE-04")},
	{"revives-the-declined", "Takes up a declined payment when it is announced again", ids("INT-DECLINE-05")},
	{"reserves-for-the-declined", "Keeps the money that did not suffice reserved", ids("INT-DECLINE-01", "INT-DECLINE-06")},
	{"declines-once", "Does not repeat a decline without an answer", ids("INT-DECLINE-07")},

	// Repeats
	{"takes-repeats-for-new", "Takes every notification for a new payment", ids("INT-REPEAT-01", "INT-REPEAT-03", "INT-REPEAT-05", "INT-REPEAT-11", "INT-RACE-01", "INT-CRASH-07")},
	{"refuses-repeats", "Answers a repeat with 409", ids("INT-REPEAT-03", "INT-REPEAT-07", "INT-REPEAT-11")},
	{"takes-conflicts-for-repeats", "Answers 200 to a known id with another amount", ids("INT-REPEAT-04")},
	{"charges-the-difference", "Charges the difference when another amount comes", ids("INT-REPEAT-05")},
	{"charges-both-users", "Charges the second user of a known id as well", ids("INT-REPEAT-06")},
	{"same-sum-is-a-repeat", "Takes the same sum of the same user for a repeat", ids("INT-REPEAT-10")},
	{"remembers-ids-in-memory", "Knows its ids only until it is restarted", ids("INT-CRASH-07")},

	// At the same moment
	{"looks-then-stores", "Looks whether the id is known, and stores it later", ids("INT-RACE-01")},
	{"looks-then-takes", "Looks at the balance, and takes from it later", ids("INT-RACE-02", "INT-RACE-03")},
	{"serves-one-at-a-time", "Holds one lock while it serves a notification", ids("INT-RACE-08")},

	// Lost answers
	{"takes-a-cut-for-no", "Takes a connection that breaks for a refusal", ids("INT-LOST-01", "INT-LOST-04", "INT-LOST-11", "INT-LOST-12")},
	{"takes-500-for-no", "Takes a 5xx for a refusal", ids("INT-LOST-02", "INT-LOST-05", "INT-LOST-08")},
	{"takes-a-time-out-for-no", "Takes a time-out for a refusal", ids("INT-LOST-03", "INT-LOST-06")},
	{"takes-garbage-for-no", "Takes what is no envelope for a refusal", ids("INT-LOST-09", "INT-LOST-10")},
	{"gives-back-after-silence", "Gives the money back when there is no answer", ids("INT-LOST-01", "INT-LOST-02", "INT-LOST-03", "INT-LOST-07")},
	{"believes-late-refusals", "Believes a refusal although an earlier call may have landed", ids("INT-LOST-04", "INT-LOST-05", "INT-LOST-06", "INT-CRASH-03")},
	{"takes-silence-for-yes", "Charges when there is no answer, and does not call again", ids("INT-LOST-08", "INT-LOST-11")},
	{"believes-any-200", "Takes every answer with status 200 for a yes", ids("INT-LOST-09", "INT-PROOF-09", "INT-CHOICE-01")},
	{"gives-up-after-one-call", "Does not call again after an answer is lost", ids("INT-LOST-01", "INT-LOST-12")},

	// Direct payments and refunds
	{"new-hash-for-every-call", "Makes a new paymentHash for every try", ids("INT-DIRECT-07", "INT-DIRECT-08", "INT-REFUND-03")},
	{"short-hash", "Sends a paymentHash of 31 characters", ids("INT-DIRECT-01", "INT-DIRECT-02")},
	{"hash-for-login", "Sends the user's hash as userLogin", ids("INT-DIRECT-02")},
	{"pays-without-funds", "Calls doPayment although there is no money", ids("INT-DIRECT-03")},
	{"ignores-the-key", "Makes a payment again that was asked for under the same key", ids("INT-DIRECT-04")},
	{"looks-then-pays", "Looks whether a key is known, and pays later", ids("INT-DIRECT-05")},
	{"confirms-the-direct", "Confirms direct payments as well", ids("INT-DIRECT-06")},
	{"gives-back-direct-after-silence", "Gives a direct payment back when there is no answer", ids("INT-DIRECT-07", "INT-DIRECT-08")},
	{"pays-malformed-sums", "Pays sums that are none", ids("INT-DIRECT-09")},
	{"gives-refunds-at-once", "Gives a refund to the user before the platform's yes, and then again", ids("INT-REFUND-01", "INT-REFUND-02", "INT-REFUND-05")},
	{"refunds-more-than-paid", "Refunds more than was paid", ids("INT-REFUND-04")},

	// Crashes
	{"forgets-unfinished", "Does not take up at the start what is unfinished", ids("INT-CRASH-02", "INT-CRASH-03")},
	{"releases-at-start", "Gives back at the start whatever is reserved", ids("INT-CRASH-02", "INT-CRASH-03")},
	{"recovers-as-new", "Reserves again at the start what was reserved", ids("INT-CRASH-02")},
	{"confirms-declines-at-start", "Confirms at the start what it was about to decline", ids("INT-CRASH-05")},
	{"captures-again-at-start", "Charges again at the start what was confirmed", ids("INT-CRASH-04", "INT-CRASH-06", "INT-CRASH-07")},
	{"balances-in-memory", "Keeps balances in memory alone", ids("INT-CRASH-09", "INT-CHOICE-06")},
	{"does-not-stop", "Does not end when it is asked to", ids("INT-CRASH-08")},
}

func ids(list ...string) []string { return list }
