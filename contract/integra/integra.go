// Package integra is Integra's API v1 as it looks on the wire: the k= envelope and its
// ciphers, the methods with their arguments and results, the answer's envelope, the
// template of the notification URL and the deeplinks. It opens no connection and reads no
// clock; one half of the protocol is spoken by adapter/integra, the other by
// mockplatform/integra.
//
// # What is promised
//
// Text stays text. Amounts, ids and dates are handed on as they were received (Text,
// json.Number); what they mean is decided by the caller, with contract/money. An envelope
// or a template that is accepted is written back byte for byte.
//
// Requests are read strictly, since a request moves money: the arguments are exactly one
// JSON object in valid UTF-8, no name appears twice, names are case-sensitive, and a value
// of the wrong type is refused by its name. Arguments that we do not know are ignored,
// because older callers send more.
//
// Answers are read generously except where they decide. Unknown, missing and oddly typed
// fields that carry no decision are passed over. But status.code and error must both be
// there and say the same; otherwise the answer is none (ErrNotEnvelope) and the outcome of
// the call is unknown, which is not a refusal.
//
// # What the cipher does not do
//
// Neither cipher protects anything from change, and neither can tell a wrong key. A wrong
// key shows because what it decrypts is no JSON object (ErrPlain): with a key of another
// user that is as good as certain, with a key that is wrong in one character it is only
// likely. So decrypted arguments prove little about who wrote them, and a notification,
// which is not even encrypted, proves nothing.
//
// Sources: github.com/promopult/integra-docs (guide/README.md, guide/API-v1-reference.md,
// guide/guide-finance.md) and github.com/promopult/integra-client, called "docs" and
// "client" below. What they leave open was decided by us and is marked as our choice.
package integra
