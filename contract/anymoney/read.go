package anymoney

import "strconv"

// A reader reads members of an object and keeps the first fault. It takes a number for the
// text of its digits and the other way round, since the platform's own samples print both
// without quotes.
type reader struct {
	o    Object
	path string // leads to o
	err  error
}

func (r *reader) fail(f Fault, name string) {
	if r.err == nil {
		r.err = &MessageError{Fault: f, Name: r.path + name}
	}
}

// inside lets read read the object that the member holds.
func (r *reader) inside(name string, read func(in *reader)) {
	in := reader{o: r.object(name), path: r.path + name + "."}
	read(&in)
	if r.err == nil {
		r.err = in.err
	}
}

// each hands read every member, each with a reader that has it alone.
func (r *reader) each(read func(name string, in *reader)) {
	for i := range r.o {
		in := reader{o: r.o[i : i+1], path: r.path}
		read(r.o[i].Name, &in)
		if r.err == nil {
			r.err = in.err
		}
	}
}

// text reads a text that may be missing or null, which is "".
func (r *reader) text(name string) string {
	v := r.o.Get(name)
	switch v.kind {
	case KindText, KindInt, KindFloat:
		return v.s
	case KindNull:
		return ""
	}
	r.fail(FaultValue, name)
	return ""
}

// required reads a text that must be there.
func (r *reader) required(name string) string {
	s := r.text(name)
	if s == "" {
		r.fail(FaultAbsent, name)
	}
	return s
}

// amount reads an amount that must be there.
func (r *reader) amount(name string) Amount { return r.parse(name, r.required(name)) }

func (r *reader) parse(name, text string) Amount {
	a, err := ParseAmount(text)
	if err != nil {
		r.fail(FaultValue, name)
	}
	return a
}

// int reads a whole number that must be there.
func (r *reader) int(name string) int64 {
	s := r.required(name)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		r.fail(FaultValue, name)
	}
	return n
}

// bool reads a boolean that may be missing, which is false.
func (r *reader) bool(name string) bool {
	v := r.o.Get(name)
	if v.kind != KindBool && v.kind != KindNull {
		r.fail(FaultValue, name)
	}
	return v == Bool(true)
}

// object reads an object that may be missing, which is nil.
func (r *reader) object(name string) Object {
	v := r.o.Get(name)
	o, ok := v.Object()
	if !ok && !v.IsNull() {
		r.fail(FaultValue, name)
	}
	return o
}

// rate reads a rate that may be missing, which is zero.
func (r *reader) rate() Rate {
	v := r.o.Get("rate")
	if v.IsNull() {
		return Rate{}
	}
	pair, _ := v.List()
	if len(pair) != 2 || pair[0].kind != KindText || pair[1].kind != KindText {
		r.fail(FaultValue, "rate")
		return Rate{}
	}
	return Rate{r.parse("rate", pair[0].s), r.parse("rate", pair[1].s)}
}

func (r *reader) sums() Sums {
	return Sums{
		In:      r.amount("in_amount"),
		Orig:    r.amount("orig_amount"),
		InFee:   r.amount("in_fee_amount"),
		Out:     r.amount("out_amount"),
		OutFee:  r.amount("out_fee_amount"),
		Account: r.amount("account_amount"),
	}
}

// ReadOrder reads an order: the result of payin.create, payin.get or status, or the body of
// a callback. Type, status, lid, externalid, currencies and sums must be there; members that
// only a bank or a chain fills in (tgt, uaccount, address, txid …) are passed over. The error
// is a *MessageError.
func ReadOrder(o Object) (Order, error) {
	r := reader{o: o}
	order := Order{
		Type:       OrderType(r.required("tp")),
		Status:     Status(r.required("status")),
		LID:        r.int("lid"),
		Token:      r.text("token"),
		Ref:        r.text("ref"),
		ExternalID: r.required("externalid"),
		InCurr:     r.required("in_curr"),
		OutCurr:    r.required("out_curr"),
		Payway:     r.text("payway_name"),
		Owner:      r.text("owner"),
		Sums:       r.sums(),
		Rate:       r.rate(),
		UserData:   r.object("userdata"),
		ReqData:    r.object("reqdata"),
	}
	if r.text("ctime") != "" {
		order.CTime = r.int("ctime")
	}
	if r.text("ftime") != "" {
		order.FTime = r.int("ftime")
	}
	switch order.Type {
	case TypePayin:
		if !o.Get("code").IsNull() {
			order.Code = r.code()
		}
	case TypeInvoice:
		order.Invoice = r.invoice()
	}
	return order, r.err
}

func (r *reader) code() *RedeemedCode {
	var code RedeemedCode
	r.inside("code", func(in *reader) {
		code = RedeemedCode{Amount: in.amount("amount"), Code: in.required("code"), Currency: in.required("currency")}
	})
	return &code
}

func (r *reader) invoice() *Invoice {
	i := &Invoice{
		Paylink:     r.text("paylink"),
		IsMultipay:  r.bool("is_multipay"),
		Email:       r.text("email"),
		RedirectURL: r.text("redirect_url"),
		AmountPaid:  "0",
		Payfee:      "1",
	}
	if text := r.text("amount_paid"); text != "" {
		i.AmountPaid = r.parse("amount_paid", text)
	}
	if text := r.text("merchant_payfee"); text != "" {
		i.Payfee = r.parse("merchant_payfee", text)
	}
	return i
}

// ReadCalculation reads the result of payin.calc. The error is a *MessageError.
func ReadCalculation(o Object) (Calculation, error) {
	r := reader{o: o}
	c := Calculation{Sums: r.sums(), Rate: r.rate()}
	return c, r.err
}

// ReadBalances reads the result of balance. The error is a *MessageError.
func ReadBalances(o Object) (Balances, error) {
	r := reader{o: o}
	b := make(Balances, len(o))
	r.each(func(currency string, in *reader) { b[currency] = in.amount(currency) })
	return b, r.err
}

// ReadPayways reads the result of pwcurrency.list. The error is a *MessageError.
func ReadPayways(o Object) (Payways, error) {
	r := reader{o: o}
	p := make(Payways, len(o))
	r.each(func(name string, in *reader) {
		in.inside(name, func(in *reader) {
			p[name] = Payway{
				Type:  in.required("type"),
				Order: in.int("order"),
				In:    in.currencies("in"),
				Out:   in.currencies("out"),
			}
		})
	})
	return p, r.err
}

func (r *reader) currencies(member string) map[string]PaywayCurrency {
	all := make(map[string]PaywayCurrency)
	r.inside(member, func(in *reader) {
		in.each(func(currency string, in *reader) {
			in.inside(currency, func(in *reader) {
				all[currency] = PaywayCurrency{
					IsActive:  in.bool("is_active"),
					IsCrypto:  in.bool("is_crypto"),
					Order:     in.int("order"),
					Precision: in.int("precision"),
					TechMin:   in.amount("tech_min"),
					TechMax:   in.amount("tech_max"),
					Fee:       in.fee(),
				}
			})
		})
	})
	return all
}

// fee reads a fee that may be missing or empty, which is nil.
func (r *reader) fee() *Fee {
	if len(r.object("fee")) == 0 {
		return nil
	}
	var f Fee
	r.inside("fee", func(in *reader) {
		f = Fee{
			Add: in.amount("add"), Mult: in.amount("mult"), Min: in.amount("min"), Max: in.amount("max"),
			Method: in.required("method"),
		}
	})
	return &f
}
