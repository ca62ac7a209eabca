// Package integra is the platform's half of Integra: its users and their money, the API
// that partners call, the notifications that it sends them, and the page that users see.
//
// A Platform is the state and the operations on it; Mount serves the API and the page; the
// notifier carries top-ups to the partner. Time comes from the virtual clock, chance
// from the dice, and every exchange goes to the journal.
//
// # Where the documents are silent
//
// These are choices of our own, on which a partner must not rely. Where two readings are
// plausible there is a switch, see Settings.
//
//   - A partner answers under its own path and under "iframe", the official client's default.
//
//   - A request for several users that the partner's key does not decrypt gets code 2
//     (wrong partner key); one for a single user gets code 1, since no code says "user key".
//
//   - API failures have HTTP status 200. Only what is no call of the API at all has another:
//     404 for an unknown path or method, 405, 413 and 414; the body is an envelope all the same.
//
//   - An archived user can be looked at, archived again and unarchived. Everything else is
//     refused with code 6, and nothing is credited.
//
//   - Logins are unique over all partners, as hashes are: partners put their domain in front.
//
//   - A paymentHash has the form of an md5; upper and lower case are different hashes.
//
//   - A login without a paymentNotifyUrl leaves that of an earlier login in force.
//
//   - A bonus (paymentSumBonus) is kept with the payment and is no part of any balance.
//
//   - A message is handed out until it is marked as read.
//
//   - Days begin at midnight UTC.
//
//   - A notification is repeated until the answer is exactly 200: redirects are not followed,
//     and 201 or 204 do not count. The five seconds are real ones, since the partner's
//     program lives in real time; the pauses between two tries are virtual.
//
//   - An unconfirmed payment that expires is declined: confirming it gets code 8, declining it
//     succeeds.
//
//   - Payments by card (flow 3) go through Acquirer, Integra's shop at Robokassa. What credits
//     is ResultURL alone, with the right signature, number and sum; a repeat is answered alike
//     and changes nothing; money for a payment that had expired is credited, since it came. The
//     partner is told nothing, and can neither confirm nor decline such a payment.
//
//   - A refund by Robokassa sets the money aside at once. It is given back if Robokassa says
//     no, and stays set aside while its answer is not known: the Refund API knows no repeats.
//
// Everything is kept in memory. The oldest final payments are forgotten once there are more
// than Config.KeepPayments, with their ids and hashes; no balance changes by that.
package integra
