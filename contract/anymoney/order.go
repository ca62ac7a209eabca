package anymoney

// A Status says how an order stands.
type Status string

// The statuses of the docs. Those from StatusDone on are final.
const (
	StatusNew        Status = "new"
	StatusPending    Status = "pending"
	StatusStarted    Status = "started"
	StatusWait       Status = "wait"
	StatusRetry      Status = "retry"
	StatusFinalizing Status = "finalizing" // an invoice's money is being converted
	StatusAbnormal   Status = "abnormal"

	StatusDone     Status = "done" // the only one that credits the balance
	StatusFail     Status = "fail"
	StatusReject   Status = "reject"
	StatusExpired  Status = "expired"
	StatusCanceled Status = "canceled"
)

// Known reports whether s is one of the statuses above. The platform may have others: to
// whoever waits for a final one they are not final.
func (s Status) Known() bool {
	switch s {
	case StatusNew, StatusPending, StatusStarted, StatusWait, StatusRetry, StatusFinalizing, StatusAbnormal:
		return true
	}
	return s.Final()
}

// Final reports whether an order with this status never changes again.
func (s Status) Final() bool {
	switch s {
	case StatusDone, StatusFail, StatusReject, StatusExpired, StatusCanceled:
		return true
	}
	return false
}

// An OrderType says what kind of order it is.
type OrderType string

// The types of orders.
const (
	TypePayin   OrderType = "payin"   // a code was redeemed
	TypeInvoice OrderType = "invoice" // the payer pays at the paylink
)

// Sums are what becomes of an amount: what comes in, what goes out after conversion, and
// what the merchant's account gets, which is Out less OutFee.
type Sums struct {
	In, Orig, InFee      Amount // in the incoming currency
	Out, OutFee, Account Amount // in the outgoing currency
}

// An Order is what payin.create, payin.get and status return, and what a callback carries.
type Order struct {
	Type       OrderType
	Status     Status
	LID        int64 // the platform's number
	Token, Ref string
	ExternalID string // the merchant's id
	InCurr     string
	OutCurr    string
	Payway     string // "" for null: an SCI invoice whose payer has not chosen yet
	Owner      string // lid of the merchant
	Sums       Sums
	Rate       Rate  // zero for null: not converted
	CTime      int64 // created; Unix milliseconds, UTC
	FTime      int64 // when the status became final; 0 for null: it is not
	UserData   Object
	ReqData    Object // the parameters as sent, and userdata among them

	Code    *RedeemedCode // of TypePayin
	Invoice *Invoice      // of TypeInvoice
}

// A RedeemedCode is the code that a payin was paid with.
type RedeemedCode struct {
	Amount   Amount
	Code     string
	Currency string
}

// Invoice is what invoices have beyond other orders. Empty texts stand for null.
type Invoice struct {
	Paylink     string
	AmountPaid  Amount
	IsMultipay  bool
	Payfee      Amount // part of the fee that the merchant bears
	Email       string
	RedirectURL string
}

// Object writes the order: what every order has, then code, or what only invoices have.
func (o *Order) Object() Object {
	m := make(Object, 0, 36)
	m = append(m,
		Member{"tp", Text(string(o.Type))},
		Member{"status", Text(string(o.Status))},
		Member{"lid", Int(o.LID)},
		Member{"token", Text(o.Token)},
		Member{"ref", Text(o.Ref)},
		Member{"externalid", Text(o.ExternalID)},
		Member{"in_curr", Text(o.InCurr)},
		Member{"out_curr", Text(o.OutCurr)},
		Member{"payway_name", textOrNull(o.Payway)},
		Member{"owner", Text(o.Owner)},
		Member{"in_amount", Text(string(o.Sums.In))},
		Member{"out_amount", Text(string(o.Sums.Out))},
		Member{"orig_amount", Text(string(o.Sums.Orig))},
		Member{"account_amount", Text(string(o.Sums.Account))},
		Member{"in_fee_amount", Text(string(o.Sums.InFee))},
		Member{"out_fee_amount", Text(string(o.Sums.OutFee))},
		Member{"rate", o.Rate.value()},
		Member{"renumeration", Text("0")},
		Member{"ctime", Int(o.CTime)},
		Member{"ftime", timeOrNull(o.FTime)},
		Member{"tgt", Value{}},
		Member{"uaccount", Value{}},
		Member{"userdata", Nested(o.UserData)},
		Member{"reqdata", Nested(o.ReqData)},
	)
	if c := o.Code; c != nil {
		m = append(m, Member{"code", Nested(Object{
			{"amount", Text(string(c.Amount))},
			{"code", Text(c.Code)},
			{"currency", Text(c.Currency)},
		})})
	}
	if i := o.Invoice; i != nil {
		m = append(m,
			Member{"paylink", Text(i.Paylink)},
			Member{"amount_paid", Text(string(i.AmountPaid))},
			Member{"is_multipay", Bool(i.IsMultipay)},
			Member{"merchant_payfee", Text(string(i.Payfee))},
			Member{"email", textOrNull(i.Email)},
			Member{"redirect_url", textOrNull(i.RedirectURL)},
			Member{"address", Value{}},
			Member{"confirmations", Value{}},
			Member{"txid", Value{}},
			Member{"payer", Value{}},
			Member{"front_params", Nested(nil)},
		)
	}
	return m
}

func textOrNull(s string) Value {
	if s == "" {
		return Value{}
	}
	return Text(s)
}

func timeOrNull(ms int64) Value {
	if ms == 0 {
		return Value{}
	}
	return Int(ms)
}
