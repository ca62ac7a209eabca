package integra

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// methods are the calls that answer with an envelope. Each returns the data of a success.
var methods = map[wire.Method]func(*call) (any, *Refusal){
	wire.Hello:               (*call).hello,
	wire.CreateUser:          (*call).createUser,
	wire.ArchiveUser:         (*call).archiveUser,
	wire.UnarchiveUser:       (*call).unarchiveUser,
	wire.DoPayment:           (*call).doPayment,
	wire.ConfirmPayment:      (*call).confirmPayment,
	wire.DeclinePayment:      (*call).declinePayment,
	wire.GetFinSummaryByDate: (*call).getFinSummaryByDate,
	wire.GetUserData:         (*call).getUserData,
	wire.GetUsersData:        (*call).getUsersData,
	wire.GetUserMessages:     (*call).getUserMessages,
	wire.GetMessages:         (*call).getMessages,
	wire.GetMessageTemplates: (*call).getMessageTemplates,
	wire.ReadMessages:        (*call).readMessages,
	wire.ChangeURL:           (*call).changeURL,
	wire.AttachCounter:       (*call).attachCounter,
}

// do carries out a call of the API that was opened. It wants the world held for reading.
func (c *call) do() (any, *Refusal) {
	if c.method == wire.LegacyCreateUser {
		return c.legacyCreateUser()
	}
	return methods[c.method](c)
}

// decode reads the arguments of a method.
func decode[Args any](c *call) (args Args, _ *Refusal) {
	if err := wire.Decode(c.plain, &args); err != nil {
		return args, argument(err)
	}
	return args, nil
}

// paymentID is the id of the payment that the arguments name, "" for none.
func (c *call) paymentID() string {
	switch c.method {
	case wire.ConfirmPayment, wire.DeclinePayment:
		args, _ := decode[struct {
			TransactionID string `json:"transactionId"`
		}](c)
		return args.TransactionID
	case wire.DoPayment:
		args, _ := decode[struct {
			PaymentHash string `json:"paymentHash"`
		}](c)
		return args.PaymentHash
	}
	return ""
}

func (c *call) hello() (any, *Refusal) {
	args, refusal := decode[wire.HelloArgs](c)
	if refusal != nil {
		return nil, refusal
	}
	return "Hello, " + args.Name + "!", nil
}

func (c *call) createUser() (any, *Refusal) {
	args, refusal := decode[wire.CreateUserArgs](c)
	if refusal != nil {
		return nil, refusal
	}
	return c.create(args)
}

func (c *call) legacyCreateUser() (any, *Refusal) {
	old, err := wire.ParseLegacyCreateUser(c.query)
	if err != nil {
		return nil, argument(err)
	}
	if refusal := c.setPartner(old.Partner); refusal != nil {
		return nil, refusal
	}
	return c.create(wire.CreateUserArgs{
		Username: old.Login, Hash: old.Hash, Email: old.Email, Phone: old.Phone, SuggestedDomain: old.SuggestedDomain,
	})
}

func (c *call) create(args wire.CreateUserArgs) (any, *Refusal) {
	c.exchange.User = args.Hash
	key, refusal := c.p.createUser(c.partner.Hash, args)
	if refusal != nil {
		return nil, refusal
	}
	c.changed = true
	c.secrets = append(c.secrets, key)
	return wire.CreateUserResult{CryptKey: key}, nil
}

// ofPartner decodes the one argument of several methods, and checks it if it is there.
func (c *call) ofPartner() *Refusal {
	args, refusal := decode[wire.PartnerArgs](c)
	if refusal != nil {
		return refusal
	}
	return c.checkPartner(args.Partner)
}

func (c *call) checkPartner(hash string) *Refusal {
	if hash != "" && hash != c.partner.Hash {
		return refuse(checkArg("partner"), wire.CodeInvalid, fmt.Sprintf("partner %q is not the one in question", hash))
	}
	return nil
}

func (c *call) archiveUser() (any, *Refusal) {
	if refusal := c.ofPartner(); refusal != nil {
		return nil, refusal
	}
	var since time.Time
	since, c.changed = c.user.archive(c.p.cfg.Clock.Now())
	return wire.ArchiveUserResult{UserHash: c.user.hash, LastBillingDate: since.Format(time.DateOnly)}, nil
}

func (c *call) unarchiveUser() (any, *Refusal) {
	if refusal := c.ofPartner(); refusal != nil {
		return nil, refusal
	}
	c.changed = c.user.unarchive()
	return wire.UnarchiveUserResult{UserHash: c.user.hash}, nil
}

func (c *call) doPayment() (any, *Refusal) {
	args, refusal := decode[wire.DoPaymentArgs](c)
	c.exchange.Payment = args.PaymentHash
	if refusal != nil {
		return nil, refusal
	}
	number, changed, refusal := c.p.direct(c.user, args)
	if refusal != nil {
		return nil, refusal
	}
	c.changed = changed
	c.magic = c.p.desk.Faults.Conjure(string(args.PaymentSum))
	return wire.DoPaymentResult{PaymentID: wire.Text(number)}, nil
}

func (c *call) confirmPayment() (any, *Refusal) {
	args, refusal := decode[wire.ConfirmPaymentArgs](c)
	c.exchange.Payment = args.TransactionID
	if refusal != nil {
		return nil, refusal
	}
	if c.changed, refusal = c.p.confirm(c.user, args.TransactionID, string(args.Amount)); refusal != nil {
		return nil, refusal
	}
	return wire.TransactionResult{TransactionID: args.TransactionID}, nil
}

func (c *call) declinePayment() (any, *Refusal) {
	args, refusal := decode[wire.DeclinePaymentArgs](c)
	c.exchange.Payment = args.TransactionID
	if refusal != nil {
		return nil, refusal
	}
	if c.changed, refusal = c.p.decline(c.user, args); refusal != nil {
		return nil, refusal
	}
	return wire.TransactionResult{TransactionID: args.TransactionID}, nil
}

func (c *call) getFinSummaryByDate() (any, *Refusal) {
	args, refusal := decode[wire.FinSummaryArgs](c)
	if refusal != nil {
		return nil, refusal
	}
	if _, err := time.Parse(time.DateOnly, args.Date); err != nil {
		return nil, refuse(checkArg("date"), wire.CodeInvalid, fmt.Sprintf("date %.40q is no date like 2006-01-02", args.Date))
	}
	d := c.user.summary(args.Date)
	return wire.FinSummary{Date: d.date, Balance: number(d.balance), Income: number(d.income), Outcome: number(d.outcome)}, nil
}

// number writes an amount as a JSON number.
func number(a money.Amount) json.Number { return json.Number(a.Short()) }

func (c *call) getUserData() (any, *Refusal) {
	if refusal := c.ofPartner(); refusal != nil {
		return nil, refusal
	}
	return c.user.data(c.p.cfg.Clock.Now()), nil
}

func (c *call) getUsersData() (any, *Refusal) {
	args, refusal := decode[wire.UsersDataArgs](c)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := c.checkPartner(args.Partner); refusal != nil {
		return nil, refusal
	}
	kind := c.query.Get(wire.ParamType)
	if kind != "" && kind != wire.TypeUserInvite {
		return nil, refuse(checkArg(wire.ParamType), wire.CodeInvalid, fmt.Sprintf("type %.40q is not %q", kind, wire.TypeUserInvite))
	}
	now := c.p.cfg.Clock.Now()
	all := []wire.UserData{}
	for _, u := range c.p.inOrder(c.partner.Hash) {
		if kind == "" || u.details.InviterUserID != "" {
			all = append(all, u.data(now))
		}
	}
	return all, nil
}

func (c *call) getUserMessages() (any, *Refusal) {
	args, refusal := decode[wire.MessagesArgs](c)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := c.checkPartner(args.Partner); refusal != nil {
		return nil, refusal
	}
	messages := c.user.takeMessages(args.MarkRead)
	c.changed = args.MarkRead && len(messages) > 0
	return wire.MessagesResult{Messages: messages}, nil
}

func (c *call) getMessages() (any, *Refusal) {
	args, refusal := decode[wire.MessagesArgs](c)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := c.checkPartner(args.Partner); refusal != nil {
		return nil, refusal
	}
	all := []wire.Message{}
	for _, u := range c.p.inOrder(c.partner.Hash) {
		all = append(all, u.takeMessages(args.MarkRead)...)
	}
	c.changed = args.MarkRead && len(all) > 0
	return wire.MessagesResult{Messages: all}, nil
}

func (c *call) getMessageTemplates() (any, *Refusal) {
	if refusal := c.ofPartner(); refusal != nil {
		return nil, refusal
	}
	return wire.MessageTemplatesResult{Messages: messageTemplates()}, nil
}

func (c *call) readMessages() (any, *Refusal) {
	if refusal := c.ofPartner(); refusal != nil {
		return nil, refusal
	}
	text := c.form().Get(wire.ParamIDs)
	if text == "" {
		text = c.query.Get(wire.ParamIDs)
	}
	list, err := wire.ParseMessageIDs(text)
	if err != nil {
		return nil, refuse(checkArg(wire.ParamIDs), wire.CodeInvalid, err.Error())
	}
	ids := make(map[int64]bool, len(list))
	for _, id := range list {
		ids[id] = true
	}
	marked := 0
	for _, u := range c.p.inOrder(c.partner.Hash) {
		marked += u.readMessages(ids)
	}
	c.changed = marked > 0
	return wire.ReadMessagesResult{Success: marked}, nil
}

func (c *call) changeURL() (any, *Refusal) {
	args, refusal := decode[wire.ChangeURLArgs](c)
	if refusal != nil {
		return nil, refusal
	}
	const maxURL = 2048
	if u, err := url.Parse(args.URL); err != nil || len(args.URL) > maxURL || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, refuse(checkArg("url"), wire.CodeInvalid, fmt.Sprintf("url %.80q is no http(s) address of at most %d bytes", args.URL, maxURL))
	}
	old, refusal := c.user.changeURL(args.URL)
	if refusal != nil {
		return nil, refusal
	}
	c.changed = true
	return wire.ChangeURLResult{NewURL: args.URL, OldURL: old}, nil
}

func (c *call) attachCounter() (any, *Refusal) {
	args, refusal := decode[wire.AttachCounterArgs](c)
	if refusal != nil {
		return nil, refusal
	}
	c.secrets = append(c.secrets, args.AccessToken)
	if _, err := strconv.ParseUint(string(args.CounterID), 10, 63); err != nil {
		return nil, refuse(checkArg("counterId"), wire.CodeInvalid, fmt.Sprintf("counterId %.40q is no number", args.CounterID))
	}
	id, refusal := c.user.attachCounter(string(args.CounterID), func() int64 { return c.p.counters.Add(1) })
	if refusal != nil {
		return nil, refusal
	}
	c.changed = true
	return wire.AttachCounterResult{ID: json.Number(strconv.FormatInt(id, 10))}, nil
}
