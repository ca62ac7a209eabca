package adapter

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/partnerkit/partnerkit/contract/money"
)

// PlatformAnymoney is the name of Any.Money in logs and in the ledger's accounts.
const PlatformAnymoney = "anymoney"

// PayinStatus is where a payin stands: three words of ours for what comes before there is an
// order, and then the platform's own (spec/anymoney.md §11). docs/states.md draws them.
type PayinStatus string

// The statuses of a payin. Creating, Unsure and Refused are ours; the rest is what the
// platform says of its order.
const (
	PayinCreating PayinStatus = "creating" // stored; no create is known to be under way at the platform
	PayinUnsure   PayinStatus = "unsure"   // a create may have reached the platform; payin.get will tell
	PayinRefused  PayinStatus = "refused"  // the platform refused, or we gave up: there is no order

	PayinNew        PayinStatus = "new" // as created
	PayinPending    PayinStatus = "pending"
	PayinStarted    PayinStatus = "started"
	PayinWait       PayinStatus = "wait"
	PayinRetry      PayinStatus = "retry"
	PayinFinalizing PayinStatus = "finalizing"
	PayinAbnormal   PayinStatus = "abnormal"

	PayinDone     PayinStatus = "done" // paid
	PayinFail     PayinStatus = "fail"
	PayinReject   PayinStatus = "reject"
	PayinExpired  PayinStatus = "expired"
	PayinCanceled PayinStatus = "canceled"
)

// PayinStatuses lists every status in the order of a payin's life.
var PayinStatuses = []PayinStatus{
	PayinCreating, PayinUnsure, PayinRefused,
	PayinNew, PayinPending, PayinStarted, PayinWait, PayinRetry, PayinFinalizing, PayinAbnormal,
	PayinDone, PayinFail, PayinReject, PayinExpired, PayinCanceled,
}

// The ranks of statuses. What the platform says can arrive late and twice, but an order never
// goes from a rank to a lower one, and within the last rank it does not move at all.
const (
	rankUnknown = iota - 1
	rankNoOrder
	rankNew
	rankOpen // between these any may follow any: the platform's time decides
	rankFinal
)

func (s PayinStatus) rank() int {
	switch s {
	case PayinCreating, PayinUnsure, PayinRefused:
		return rankNoOrder
	case PayinNew:
		return rankNew
	case PayinPending, PayinStarted, PayinWait, PayinRetry, PayinFinalizing, PayinAbnormal:
		return rankOpen
	case PayinDone, PayinFail, PayinReject, PayinExpired, PayinCanceled:
		return rankFinal
	}
	return rankUnknown
}

// OfPlatform reports whether the platform gives its orders this status.
func (s PayinStatus) OfPlatform() bool { return s.rank() >= rankNew }

// Final reports whether the platform will not change its order any more.
func (s PayinStatus) Final() bool { return s.rank() == rankFinal }

// Settled reports whether nothing is left for us to do. A refused payin is settled without
// being final: should its order turn up after all, the platform is believed.
func (s PayinStatus) Settled() bool { return s.Final() || s == PayinRefused }

// PayinDecimals is the precision in which payins' amounts are kept, whatever the currency:
// the platform itself counts in 10^-9 (spec §5), and does not say how precise each currency is.
const PayinDecimals = 9

// PayinCurrency returns the currency of a payin's amounts by its code. Its error wraps ErrInvalid.
func PayinCurrency(code string) (money.Currency, error) {
	c, err := money.NewCurrency(code, PayinDecimals)
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return c, nil
}

// PayinRequest is what the partner asks for. Amounts and currencies are text, as in the API.
type PayinRequest struct {
	ExternalID string // our name of the order; derived from Key if empty
	Key        string // the caller's idempotency key; may be empty if ExternalID is given
	User       string // hash of the user whose balance is credited
	Amount     string // decimal, more than 0, in InCurr
	InCurr     string // what the buyer pays in, such as "RUB"
	OutCurr    string // what the merchant receives; InCurr if empty
	Payway     string // such as "visamc"
	Payer      string // some payways ask for it
	Contact    string // likewise
	Code       string // a cheque to be redeemed; it is money, so it is sent once and never stored
}

// A Payin is money on its way from a buyer through Any.Money to a user's balance: an order
// there, and here its row. It is a value: a step (see PayinStep) carries the changed copy.
type Payin struct {
	Num         int64 // our own id, given by the store; 0 before that
	Merchant    string
	ExternalID  string // unique
	Key         string // the caller's idempotency key; "" if none was given
	Fingerprint string // of the request: tells a repeat from a conflict
	User        string // hash; "" for an order that was not made by us

	Amount      money.Amount // what the buyer is asked for
	OutCurr     string       // what was asked for; "" if it is the currency of Amount
	Payway      string
	Payer       string
	Contact     string
	HasCode     bool   // a cheque went with it: its create cannot be repeated
	CallbackURL string // where the platform tells of it; "" for nowhere

	Status   PayinStatus
	Sent     bool         // a create may have reached the platform, now or before
	Order    PayinOrder   // what the platform said last; zero until it said anything
	Credited money.Amount // what the user got, in the ledger's currency; zero until then
	Reason   string       // why it was refused, or done without being credited

	Version   int       // grows with every change; what a conditional update compares
	Attempt   int       // calls begun since the last one that was answered
	Owner     int64     // process that holds the lease; 0 when the row is free
	NextAt    time.Time // when a free row is due, end of the lease of a held one; zero when settled
	CreatedAt time.Time // UTC, microseconds
	UpdatedAt time.Time // UTC, microseconds
}

// PayinOrder is what the platform said about an order, under its signature. It is comparable.
type PayinOrder struct {
	LID     int64  // the platform's number of the order
	Type    string // payin or invoice
	Status  PayinStatus
	Payway  string
	Paylink string       // where the buyer pays; "" if there is nothing left to pay
	In      money.Amount // what the buyer pays
	InFee   money.Amount
	Out     money.Amount // the same in the currency received
	OutFee  money.Amount
	Account money.Amount // Out − OutFee: what the merchant receives
	RateIn  string       // RateIn units of the one currency are RateOut of the other;
	RateOut string       // both "" when nothing is converted
	At      time.Time    // the platform's clock when it said so; milliseconds
}

// NewPayin returns a payin in Creating, to be told of at callbackURL. Its error wraps
// ErrInvalid and names the field.
func NewPayin(merchant string, r PayinRequest, callbackURL string, at time.Time) (Payin, error) {
	at = at.UTC().Truncate(time.Microsecond)
	if r.ExternalID == "" && r.Key != "" {
		r.ExternalID = PayinID(merchant, r.Key)
	}
	amount, err := PayinAmount(r.Amount, r.InCurr)
	switch {
	case err != nil:
		return Payin{}, err
	case merchant == "":
		return Payin{}, fmt.Errorf("%w: merchant is empty", ErrInvalid)
	case r.ExternalID == "":
		return Payin{}, fmt.Errorf("%w: externalid is missing, and there is no idempotency key to derive it from", ErrInvalid)
	case !isName(r.ExternalID):
		return Payin{}, fmt.Errorf("%w: externalid must be at most 255 letters, digits and . _ : -", ErrInvalid)
	case len(r.Key) > 255 || !isPlain(r.Key):
		return Payin{}, fmt.Errorf("%w: idempotency key must be at most 255 printable characters", ErrInvalid)
	case !isID(r.User):
		return Payin{}, fmt.Errorf("%w: user must be a hash of 32 letters or digits", ErrInvalid)
	case r.Payway == "" || len(r.Payway) > 64 || !isPlain(r.Payway):
		return Payin{}, fmt.Errorf("%w: payway must be 1 to 64 printable characters", ErrInvalid)
	case len(r.Payer) > 255 || !isPlain(r.Payer):
		return Payin{}, fmt.Errorf("%w: payer must be at most 255 printable characters", ErrInvalid)
	case len(r.Contact) > 255 || !isPlain(r.Contact):
		return Payin{}, fmt.Errorf("%w: contact must be at most 255 printable characters", ErrInvalid)
	case len(r.Code) > 255 || !isPlain(r.Code):
		return Payin{}, fmt.Errorf("%w: code must be at most 255 printable characters", ErrInvalid)
	}
	if r.OutCurr == r.InCurr {
		r.OutCurr = ""
	}
	if r.OutCurr != "" {
		if _, err := PayinCurrency(r.OutCurr); err != nil {
			return Payin{}, fmt.Errorf("out_curr: %w", err)
		}
	}
	return Payin{
		Merchant: merchant, ExternalID: r.ExternalID, Key: r.Key, User: r.User,
		Fingerprint: fingerprint(r.ExternalID, r.User, amount.String(), r.OutCurr, r.Payway, r.Payer, r.Contact, r.Code),
		Amount:      amount, OutCurr: r.OutCurr, Payway: r.Payway, Payer: r.Payer, Contact: r.Contact,
		HasCode: r.Code != "", CallbackURL: callbackURL,
		Status: PayinCreating, Attempt: 1, NextAt: at, CreatedAt: at, UpdatedAt: at,
	}, nil
}

// PayinAmount reads a sum that a buyer is asked for. Its error wraps ErrInvalid and names the field.
func PayinAmount(text, code string) (money.Amount, error) {
	c, err := PayinCurrency(code)
	if err != nil {
		return money.Amount{}, fmt.Errorf("in_curr: %w", err)
	}
	amount, err := money.Parse(text, c)
	if err != nil {
		return money.Amount{}, fmt.Errorf("%w: amount: %w", ErrInvalid, err)
	}
	return amount, nil
}

// AdoptPayin returns a payin for an order of the merchant's that is not in the store: it was
// made by somebody else, or by us before the store was lost. It belongs to no user, so that it
// credits nobody. The status is that of a payin which is looked for; Looked leads on from there.
func AdoptPayin(merchant, externalID string, o PayinOrder, at time.Time) Payin {
	at = at.UTC().Truncate(time.Microsecond)
	p := Payin{
		Merchant: merchant, ExternalID: externalID,
		Amount: o.In, Payway: o.Payway,
		Status: PayinUnsure, Sent: true, NextAt: at, CreatedAt: at, UpdatedAt: at,
	}
	if out := o.Out.Currency(); out != o.In.Currency() {
		p.OutCurr = out.Code()
	}
	p.Fingerprint = fingerprint("adopted", externalID)
	return p
}

// PayinID derives an externalid from the caller's idempotency key, so that a repeat is the same
// order at the platform as well.
func PayinID(merchant, key string) string {
	sum := sha256.Sum256([]byte("payin\x00" + merchant + "\x00" + key))
	return hex.EncodeToString(sum[:16])
}

// fingerprint is a hash of several texts; their lengths keep them apart.
func fingerprint(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		h.Write([]byte(strconv.Itoa(len(t)) + ":" + t))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// isName reports whether s can stand in a path, a log and a shell without quotes.
func isName(s string) bool {
	const others = "._:-"
	return len(s) <= 255 && strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(others, r)
	}) < 0
}

// isPlain reports whether s is valid UTF-8 without control characters.
func isPlain(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// SameRequest reports whether q asks for what p asked for: a repeat. The same externalid or key
// with another request is a conflict.
func (p Payin) SameRequest(q Payin) bool {
	return p.Merchant == q.Merchant && p.ExternalID == q.ExternalID && p.Key == q.Key && p.Fingerprint == q.Fingerprint
}

// Adopted reports whether the order was not made by us (AdoptPayin).
func (p Payin) Adopted() bool { return p.User == "" }

// FirstStatus is the status in which the payin came into the store.
func (p Payin) FirstStatus() PayinStatus {
	if p.Adopted() {
		return PayinUnsure
	}
	return PayinCreating
}

// PayinFilter chooses payins; empty fields choose all.
type PayinFilter struct {
	User     string
	Statuses []PayinStatus
	Before   int64 // a cursor: payins with smaller numbers only; 0 begins with the newest
	Limit    int   // 50 if 0
}

// ErrUnanswered says that the platform could not be asked, or did not answer.
var ErrUnanswered = errors.New("the platform did not answer")

// A Refusal is the platform's no to a question.
type Refusal struct {
	Code    int
	Message string // its name for the code, such as EParamAmountTooSmall
	Field   string // the parameter it is about; may be ""
	Reason  string // for people; may be ""
}

func (r *Refusal) Error() string {
	text := fmt.Sprintf("the platform refused: %d %s", r.Code, r.Message)
	if r.Field != "" {
		text += ", " + r.Field
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return text
}

// PayinQuote is what an order would cost and bring, as payin.calc says.
type PayinQuote struct {
	In, InFee            money.Amount
	Out, OutFee, Account money.Amount
	RateIn, RateOut      string // both "" when nothing is converted
}
