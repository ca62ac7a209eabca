package api

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/contract/money"
)

// Balances knows what users have: the ledger, or the partner's billing.
type Balances interface {
	Balance(ctx context.Context, user string) (ledger.Balance, error)
}

// Ledger keeps the users' money.
type Ledger interface {
	// Deposit and Withdraw move money under the caller's key, once, and return the balance after it.
	Deposit(ctx context.Context, user string, amount money.Amount, note, key string) (ledger.Balance, error)
	Withdraw(ctx context.Context, user string, amount money.Amount, note, key string) (ledger.Balance, error)
	Statement(ctx context.Context, user string, f ledger.StatementFilter) ([]ledger.Transfer, error)
}

// Account is a balance as the API and the commands show it.
type Account struct {
	User      string `json:"user" doc:"The user's hash"`
	Available string `json:"available" doc:"Free to be spent"`
	Reserved  string `json:"reserved" doc:"Set aside for payments under way"`
	Currency  string `json:"currency"`
}

// ShowAccount returns a balance as it is shown.
func ShowAccount(user string, b ledger.Balance) Account {
	return Account{User: user, Available: b.Available.Text(), Reserved: b.Reserved.Text(), Currency: b.Available.Currency().Code()}
}

// Transfer is one line of a statement as the API and the commands show it.
type Transfer struct {
	Num       int64  `json:"num" doc:"Our own number; the cursor of statements"`
	At        string `json:"at"`
	Move      string `json:"move" doc:"reserve, capture, release, restore, deposit, withdraw or payin"`
	Debit     string `json:"debit" doc:"The account that gives"`
	Credit    string `json:"credit" doc:"The account that takes"`
	Amount    string `json:"amount"`
	Available string `json:"available_after"`
	Reserved  string `json:"reserved_after"`
	Payment   int64  `json:"payment,omitempty" doc:"The number of the payment that it belongs to"`
	Payin     int64  `json:"payin,omitempty" doc:"The number of the payin that it credits"`
	Key       string `json:"key,omitempty" doc:"The idempotency key of a deposit or withdrawal"`
	Note      string `json:"note,omitempty"`
}

// ShowTransfer returns a transfer as it is shown.
func ShowTransfer(t ledger.Transfer) Transfer {
	return Transfer{
		Num: t.Num, At: stamp(t.At), Move: string(t.Move), Debit: string(t.Debit), Credit: string(t.Credit), Amount: t.Amount.Text(),
		Available: t.After.Available.Text(), Reserved: t.After.Reserved.Text(), Payment: t.Payment, Payin: t.Payin, Key: t.Key, Note: t.Note,
	}
}

type accounts struct {
	Config
	once once
}

// elsewhere is said of what only the ledger here can do.
const elsewhere = " 404 with the type " + ProblemKeptElsewhere + ": the partner's billing keeps the funds."

func (a *accounts) mount(h huma.API) {
	huma.Register(h, operation("get-account", http.MethodGet, "accounts/{hash}", ScopePaymentsRead, "accounts",
		"A user's balance", "Where the partner's billing keeps the funds, what that says at this moment. 502: it did not say.",
		http.StatusNotFound, http.StatusBadGateway), a.balance)
	huma.Register(h, created(operation("deposit", http.MethodPost, "accounts/{hash}/deposits", ScopeLedgerWrite, "accounts",
		"Add to a user's balance", "The answer is the balance after it."+elsewhere, http.StatusNotFound, http.StatusConflict)), a.deposit)
	huma.Register(h, created(operation("withdraw", http.MethodPost, "accounts/{hash}/withdrawals", ScopeLedgerWrite, "accounts",
		"Take from what a user has available", "The answer is the balance after it."+elsewhere, http.StatusNotFound, http.StatusConflict)), a.withdraw)
	huma.Register(h, operation("get-statement", http.MethodGet, "accounts/{hash}/statement", ScopePaymentsRead, "accounts",
		"A user's transfers, the newest first, each with the balance after it", strings.TrimSpace(elsewhere), http.StatusNotFound), a.statement)
	o := operation("get-statement-csv", http.MethodGet, "accounts/{hash}/statement.csv", ScopePaymentsRead, "accounts",
		"The same as CSV, for a spreadsheet",
		"If there is more, the header Link has the address of the next page. A text that a spreadsheet would take for a formula begins with an apostrophe."+elsewhere,
		http.StatusNotFound)
	o.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: "string"}}}}}
	huma.Register(h, o, a.statementCSV)
}

// here returns a problem unless the funds are kept in the ledger here.
func (a *accounts) here(what string) error {
	if a.Ledger != nil {
		return nil
	}
	return typed(ProblemKeptElsewhere, http.StatusNotFound,
		"the partner's billing keeps the funds (--funds=billing): "+what+" there, not here; /v1/accounts/{hash} passes on the balance that it gives, /v1/payments lists what was paid")
}

// show returns what a user has, as it is shown.
func (c Config) show(ctx context.Context, user string) (*Account, error) {
	b, err := c.Balances.Balance(ctx, user)
	switch {
	case err == nil:
		shown := ShowAccount(user, b)
		return &shown, nil
	case c.Ledger == nil && errors.Is(err, adapter.ErrNotFound):
		return nil, huma.Error404NotFound("the billing, which keeps the funds, knows no user " + user)
	case c.Ledger == nil && ctx.Err() == nil:
		c.Log.WarnContext(ctx, "the billing did not say what a user has", "user", user, "err", err)
		return nil, typed(ProblemBillingUnanswered, http.StatusBadGateway, "the billing, which keeps the funds, did not say what the user has")
	}
	return nil, explain(ctx, c.Log, err)
}

type accountAnswer struct{ Body *Account }

func (a *accounts) balance(ctx context.Context, in *OfUser) (*accountAnswer, error) {
	shown, err := a.show(ctx, in.Hash)
	return &accountAnswer{shown}, err
}

type moveFunds struct {
	Keyed
	OfUser
	Body struct {
		Amount   string `json:"amount" maxLength:"32" example:"1000.00" doc:"More than zero"`
		Currency string `json:"currency,omitempty" maxLength:"12" doc:"If given, that of the books"`
		Note     string `json:"note,omitempty" maxLength:"255" pattern:"^\\P{C}*$" patternDescription:"text without control characters" doc:"For the statement"`
	}
}

func (a *accounts) deposit(ctx context.Context, in *moveFunds) (*result[Account], error) {
	return a.move(ctx, "deposit", in, Ledger.Deposit)
}

func (a *accounts) withdraw(ctx context.Context, in *moveFunds) (*result[Account], error) {
	return a.move(ctx, "withdraw", in, Ledger.Withdraw)
}

func (a *accounts) move(ctx context.Context, operation string, in *moveFunds,
	move func(l Ledger, ctx context.Context, user string, amount money.Amount, note, key string) (ledger.Balance, error),
) (*result[Account], error) {
	if err := a.here("deposits and withdrawals are made"); err != nil {
		return nil, err
	}
	amount, err := sum(in.Body.Amount, in.Body.Currency, a.Currency)
	if err != nil {
		return nil, err
	}
	asked := struct{ User, Body any }{in.Hash, in.Body}
	return perform(ctx, a.once, in.Key, operation, asked, func(ctx context.Context, _ bool) (result[Account], error) {
		after, err := move(a.Ledger, ctx, in.Hash, amount, in.Body.Note, in.Key)
		switch {
		case errors.Is(err, adapter.ErrConflict): // with a command's
			return result[Account]{}, keyReused("a transfer with other content", in.Key)
		case err != nil:
			return result[Account]{}, err
		}
		return result[Account]{Status: http.StatusCreated, Location: Base + "accounts/" + in.Hash, Body: ShowAccount(in.Hash, after)}, nil
	})
}

// StatementSpan is which part of a statement is asked for.
type StatementSpan struct {
	OfUser
	From   time.Time `query:"from" doc:"Made at or after this time" example:"2026-11-01T00:00:00Z"`
	To     time.Time `query:"to" doc:"Made before this time" example:"2026-12-01T00:00:00Z"`
	Before int64     `query:"before" minimum:"0" doc:"A cursor: the num of the last one seen"`
}

type getStatement struct {
	StatementSpan
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

type statementAnswer struct {
	Body struct {
		Transfers []Transfer `json:"transfers"`
		Next      int64      `json:"next,omitempty" doc:"The cursor to go on with, as before; left out at the end"`
	}
}

func (a *accounts) statement(ctx context.Context, in *getStatement) (*statementAnswer, error) {
	list, more, err := a.transfers(ctx, in.StatementSpan, in.Limit)
	if err != nil {
		return nil, err
	}
	answer := &statementAnswer{}
	answer.Body.Transfers = list
	if more {
		answer.Body.Next = list[len(list)-1].Num
	}
	return answer, nil
}

func (a *accounts) transfers(ctx context.Context, in StatementSpan, limit int) (_ []Transfer, more bool, err error) {
	if err := a.here("statements are"); err != nil {
		return nil, false, err
	}
	if err := inOrder(in.From, in.To); err != nil {
		return nil, false, err
	}
	if _, err := a.show(ctx, in.Hash); err != nil { // nobody has no statement
		return nil, false, err
	}
	list, err := a.Ledger.Statement(ctx, in.Hash, ledger.StatementFilter{From: in.From, To: in.To, Before: in.Before, Limit: limit + 1})
	if err != nil {
		return nil, false, explain(ctx, a.Log, err)
	}
	list, more = page(list, limit)
	shown := make([]Transfer, len(list))
	for i, t := range list {
		shown[i] = ShowTransfer(t)
	}
	return shown, more, nil
}

type getStatementCSV struct {
	StatementSpan
	Limit int `query:"limit" minimum:"1" maximum:"10000" default:"1000"`
}

type csvAnswer struct {
	Type        string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Link        string `header:"Link" doc:"The next page, if there is one"`
	Body        []byte
}

func (a *accounts) statementCSV(ctx context.Context, in *getStatementCSV) (*csvAnswer, error) {
	list, more, err := a.transfers(ctx, in.StatementSpan, in.Limit)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	_ = WriteStatement(&b, func(yield func(Transfer, error) bool) { // a Builder takes everything
		for _, t := range list {
			if !yield(t, nil) {
				return
			}
		}
	})
	answer := &csvAnswer{
		Type: "text/csv; charset=utf-8; header=present", Disposition: fmt.Sprintf(`attachment; filename="statement-%s.csv"`, in.Hash),
		Body: []byte(b.String()),
	}
	if more {
		next := url.Values{"before": {strconv.FormatInt(list[len(list)-1].Num, 10)}, "limit": {strconv.Itoa(in.Limit)}}
		for name, at := range map[string]time.Time{"from": in.From, "to": in.To} {
			if !at.IsZero() {
				next.Set(name, at.Format(time.RFC3339Nano))
			}
		}
		answer.Link = fmt.Sprintf(`<%saccounts/%s/statement.csv?%s>; rel="next"`, Base, in.Hash, next.Encode())
	}
	return answer, nil
}

// WriteStatement writes transfers as CSV for a spreadsheet, as they come. Its error is the first of
// theirs, or the writer's.
func WriteStatement(out io.Writer, transfers iter.Seq2[Transfer, error]) error {
	w := csv.NewWriter(out)
	_ = w.Write([]string{"num", "at", "move", "debit", "credit", "amount", "available_after", "reserved_after", "payment", "payin", "key", "note"})
	for t, err := range transfers {
		if err != nil {
			return err
		}
		err = w.Write([]string{
			strconv.FormatInt(t.Num, 10), t.At, t.Move, t.Debit, t.Credit, t.Amount, t.Available, t.Reserved,
			number(t.Payment), number(t.Payin), cell(t.Key), cell(t.Note),
		})
		if err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// number is n, or nothing for 0.
func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// cell is a text that no spreadsheet takes for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}
