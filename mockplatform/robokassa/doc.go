// Package robokassa is Robokassa's half of its protocol: shops, the payment page, the
// messages to ResultURL and ResultUrl2, the XML service, the Invoice and Refund APIs, holds,
// recurring payments and saved cards.
//
// A Platform is the state and the operations on it; Mount serves the API and the pages. Time
// comes from the virtual clock, chance from the dice, every exchange goes through the desk.
//
// # Where the documents are silent
//
// These are choices of our own, on which a shop must not rely. Where two readings are
// plausible there is a switch, see Settings.
//
//   - A request that passes the checks leads to the page of its own operation, under a GUID;
//     one that does not gets a page with the code. The pages have HTTP status 200.
//   - A number (InvId) belongs to one paid operation of a shop. Until it is paid, a request
//     with it may be made again, also with another sum; of two pages with one number the one
//     that is paid first counts, and the other gets code 40 then.
//   - Numbers of test payments are counted apart from those of live ones and may be reused.
//   - A payment that was refused can be tried again on the same page until it expires.
//   - A sum in another currency is converted at Settings.Rates; a currency without a rate is
//     code 60.
//   - The fee is borne by the shop: IncSum is what the buyer pays, OutSum less the fee what
//     the shop is credited.
//   - Confirm and Cancel answer "success: false" to whatever they do not accept; Recurring
//     answers "ERROR" and the code.
//   - A saved card is the OpKey of a payment by card in the same shop. The buyer is asked for
//     the CVC alone.
//   - Nothing is sent to the shop when money is refunded.
//   - The Invoice API has a test mode, as the official PHP SDK uses it.
//
// # Cards
//
// The page of a payment by card accepts numbers for tests alone, see Cards: some are paid,
// some are refused for a named reason. Any other number is refused, and no number or code of
// a card is kept or shown in the journal.
//
// Left out: split payments, second receipts, the SMS service and the widgets. Everything is
// kept in memory; the oldest operations are forgotten once there are more than
// Config.KeepOperations.
package robokassa
