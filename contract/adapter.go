package contract

import (
	"slices"
	"time"
)

// The checks of an adapter, in the order of the protocol's story: notifications come in, are
// trusted or not, are confirmed or declined, come again, race, lose their answers, meet a
// crash.
func adapterChecks() []Check {
	checks := slices.Concat(
		notifyChecks(), paramChecks(), proofChecks(), confirmChecks(), declineChecks(), repeatChecks(),
		raceChecks(), lostChecks(), choiceChecks(), directChecks(), refundChecks(), acquirerChecks(), crashChecks(), generatedChecks(),
	)
	for i := range checks {
		checks[i].Needs = append([]Need{NeedAdapter}, checks[i].Needs...)
		if checks[i].Severity == "" {
			checks[i].Severity = Must
		}
	}
	return checks
}

// The clauses that adapters are held to.
const (
	clauseFlow     = "Integra §5, flow 2"
	clauseDirect   = "Integra §5, flow 1"
	clauseAcquirer = "Integra §5, flow 3"
	clauseRefund   = "Integra §5, flow 4"
	clauseOpen     = "Integra §5, open questions"
	clauseTemplate = "Integra §6"
	clauseAnswers  = "Integra §3"
	clauseMethods  = "Integra §4"
)

// byHand is a scene in which the platform's own notifications come much later than any check
// ends: those that come are delivered by the suite.
var byHand = Scene{"notify": map[string]any{"delay_ms": (300 * 24 * time.Hour).Milliseconds()}}

// notify changes the platform's notifications.
func notify(settings map[string]any) Scene { return Scene{"notify": settings} }

var adapterAreas = []Area{
	{
		ID: "INT-NOTIFY", Title: Text{"Notifications", "Уведомления"},
		Why:  "The platform waits five seconds for 200. What is not answered comes again or never; what is answered 200 without being stored is lost for good, and so is the user's payment.",
		Mend: "Store the payment under its id, commit, answer 200, and do everything else afterwards in a worker that reads the store.",
		Example: "GET /notify?id=202cb962ac59075b964b07152d234b70&amount=100&hash=<user> → 200\n" +
			"then confirmPayment {\"amount\":\"100\",\"transactionId\":\"202cb962ac59075b964b07152d234b70\"} → {\"status\":{\"code\":0,…},\"error\":false,…}",
	},
	{
		ID: "INT-PARAM", Title: Text{"Malformed notifications", "Искажённые уведомления"},
		Why:     "Anybody on the internet can call the notification URL. What is not a sum or not an id must not become a payment, a crash or a 500 that is repeated for hours.",
		Mend:    "Read the parameters strictly: the id is 32 letters or digits, the amount a positive decimal with at most two digits after a point. Answer 400 and store nothing.",
		Example: "GET /notify?id=202cb962ac59075b964b07152d234b70&amount=1e3&hash=<user> → 400 {\"error\":\"has an exponent\",\"field\":\"amount\"}",
	},
	{
		ID: "INT-PROOF", Title: Text{"Forged and foreign notifications", "Поддельные и чужие уведомления"},
		Why:     "The notification carries no signature of the platform: whoever learns the URL can forge one.",
		Mend:    "Put a signed token for the user, with an expiry, into the template that is handed to cryptLogin, and check it against {hash}. Never let a notification alone move money: only the platform's answer to confirmPayment does.",
		Example: "GET /notify?id=…&amount=100&hash=<user B>&token=<token of user A> → 403",
	},
	{
		ID: "INT-CONFIRM", Title: Text{"Confirming", "Подтверждение"},
		Why:     "The platform credits what is confirmed. A wrong sum or the wrong user is somebody's money.",
		Mend:    "Keep the amount as an integer of kopecks; reserve it before the call, capture it after an answer without error. Send the id and the amount of the notification.",
		Example: "POST /partners/acme/confirmPayment?k=… with {\"amount\":\"100.5\",\"transactionId\":\"<id>\"}",
	},
	{
		ID: "INT-DECLINE", Title: Text{"Declining", "Отказ"},
		Why:     "Without a decline the user's page waits for a day; a decline after a confirmation takes back money that the platform has credited.",
		Mend:    "When the funds do not suffice, call declinePayment with the id and a reason, and repeat it until the platform has answered.",
		Example: "POST /partners/acme/declinePayment?k=… with {\"transactionId\":\"<id>\",\"errorCode\":1,\"errorMessage\":\"not enough funds\"}",
	},
	{
		ID: "INT-REPEAT", Title: Text{"Repeats and order", "Повторы и порядок"},
		Why:     "Notifications come again, late and in another order. Each payment is charged once all the same.",
		Mend:    "Let a unique index on the payment's id decide who is first; answer a repeat 200 and change nothing. A known id with other content is a conflict, not a repeat.",
		Example: "GET /notify?id=X&amount=100… → 200, again → 200; one confirmPayment",
	},
	{
		ID: "INT-RACE", Title: Text{"At the same moment", "Одновременность"},
		Why:     "Looking whether the id is known and then inserting it lets two deliveries both find nothing; looking at the balance and then taking from it lets two payments spend the same rouble.",
		Mend:    "Insert and let the unique index refuse the second; reserve by one conditional statement or under a lock of the user's account.",
		Example: "twenty times GET /notify?id=X… in the same instant → 200 each; one confirmPayment",
	},
	{
		ID: "INT-LOST", Title: Text{"Lost and broken answers", "Потерянные и испорченные ответы"},
		Why:     "A time-out, a cut connection, a 500 or a page of HTML says nothing about what the platform has done. Who takes that for a refusal gives money back that the platform has credited.",
		Mend:    "Only an envelope with \"error\":true refuses. After anything else keep the reservation and call again with the same id, with growing pauses, across restarts.",
		Example: "confirmPayment → (connection closed); later confirmPayment with the same transactionId → {\"error\":false,…}; then capture",
	},
	{
		ID: "INT-CHOICE", Title: Text{"What the documents leave open", "Что документы оставляют открытым"},
		Why:     "The documents do not say which of two ways the platform goes. An adapter that relies on one of them loses money the day it is the other.",
		Mend:    "Be right under both: hold the money until the outcome is certain, and leave to a person what never becomes certain.",
		Example: "confirmPayment of another amount → error 9, or that amount is credited; either way as much is charged as was credited",
	},
	{
		ID: "INT-DIRECT", Title: Text{"Direct payments", "Прямые платежи"},
		Why:     "doPayment grows the platform's balance at once, and nothing confirms it later. Its paymentHash is all that keeps a repeat from paying twice.",
		Mend:    "Derive the paymentHash from the caller's own key and store it before the call, so that every repeat has the same.",
		Example: "POST /partners/acme/doPayment?k=… with {\"paymentSum\":\"250\",\"paymentHash\":\"<md5>\",\"userLogin\":\"alice\"}",
	},
	{
		ID: "INT-REFUND", Title: Text{"Refunds", "Возвраты"},
		Why:     "A refund is a doPayment with a negative sum: given back twice it is the partner's loss, given back without the platform's yes as well.",
		Mend:    "Credit the user only after the platform's yes; repeat under the same paymentHash.",
		Example: "POST /partners/acme/doPayment?k=… with {\"paymentSum\":\"-100\",…}",
	},
	{
		ID: "INT-ACQUIRER", Title: Text{"Robokassa's payments", "Платежи через Robokassa"},
		Why:     "What a user pays by Robokassa inside Integra is none of the partner's business: nobody is notified, and the partner's account stays as it is.",
		Mend:    "Do nothing: in particular do not follow the platform's balance and charge what grows there.",
		Example: "(no call between partner and platform)",
	},
	{
		ID: "INT-CRASH", Title: Text{"Crashes", "Сбои"},
		Why:     "Power goes, processes are killed. Whatever moment it is, every acknowledged payment is finished afterwards, once.",
		Mend:    "Keep every step in the store before it is acted upon; at the start take up what is unfinished, repeating calls with the same ids.",
		Example: "confirmPayment → SIGKILL before the answer; after the start confirmPayment again, then capture",
	},
	{
		ID: "INT-INPUT", Title: Text{"Generated notifications", "Сгенерированные уведомления"},
		Why:     "A table of bad values is what somebody thought of. These are made up from the types in the protocol's description, around their boundaries, and cut down to the smallest that is still wrong.",
		Mend:    "As for INT-PARAM; the report carries the call as a curl command and the seed of the run.",
		Example: "GET /notify?id=…&amount=00.0&hash=… → 400",
	},
}
