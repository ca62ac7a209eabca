// Package anymoney is the platform's half of Any.Money: merchants and their money, the
// JSON-RPC API, the form and the pages for payers, and the callbacks that tell merchants how
// their orders stand.
//
// A Platform is the state and the operations on it; its configuration is one JSON document,
// taken as it is and patched while it runs. quote holds the arithmetic, draft the checks of
// an order in their order, handler and form the outside, courier the callbacks. Time comes
// from the virtual clock, chance from the dice, and every exchange goes to the journal.
//
// # Where the description is silent
//
// The clauses are those of the protocol's description (§). What it marks as its own choice is
// done as it says; these are ours, and a merchant must not rely on them:
//
//   - A configuration that is put replaces everything: no order is left, balances and codes
//     are as it says. A patch leaves orders alone, and works on the configuration as it is at
//     the moment: balances that moved and codes that were spent stay so unless it names them.
//   - Names in a configuration may lead nowhere. Members that nobody knows are faults.
//   - What a configuration leaves out: currencies, payways, pairs, exchanges and merchants are
//     active and not disabled, there are no limits, and the type of a payway is "sci".
//   - The rate ["1", "1"] divides. An exchange's fee is at most 1.
//   - An amount that is too long to be a number (64 characters) is too big, also where there
//     are no limits, and is refused with them.
//   - Conversion at finalization looks at the exchange alone, not at limits or activity of
//     currencies, and what the merchant gets may turn out below zero. Only done converts.
//   - payin.get and status check an externalid as payin.create does.
//   - payer and contact are the parameters of payways. Where no payway requires them, they
//     are accepted and kept all the same.
//   - A form that is not url-encoded UTF-8, or has a field twice, is a parse error. An expiry
//     that is not in order is reported as lifetime. A bad is_multipay or merchant_payfee is
//     EParamInvalid.
//   - A payer chooses the payway of a form that names none, may choose again until the order
//     is final, and cannot pay before. Refusing gives reject, cancelling gives canceled. At a
//     payway that takes codes the page asks for one: fresh, of that payway and currency, and
//     of just the sum to pay. It is spent, and the order stays an invoice.
//   - A payer whose order became final on the page goes back to redirect_url after five
//     seconds. Addresses that are not http or https are not followed.
//   - Callbacks of changes that are not final (settings.callback_on_change) follow the same
//     schedule. Later news end the resending of earlier ones; every delivery shows the order
//     as it is when it is sent.
//   - The five seconds of a callback are real ones, since the merchant's program lives in real
//     time; the schedule is virtual. Resends are due by the time of the first delivery.
//   - API failures have HTTP status 200. Only what is no request of the API at all has
//     another: 404, 405 and, beyond MaxBody, 413; the body is an envelope all the same.
package anymoney
