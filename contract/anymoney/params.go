package anymoney

import (
	"net/url"
	"slices"
	"unicode/utf8"
)

// signature lists the parameters of a method, each in the order of their names.
type signature struct{ required, optional []string }

var signatures = map[Method]signature{
	MethodPayinCreate: {
		required: []string{FieldAmount, FieldExternalID, FieldInCurr, FieldPayway},
		optional: []string{FieldCallbackURL, FieldCode, FieldContact, FieldOutCurr, FieldPayer},
	},
	MethodPayinCalc: {
		required: []string{FieldAmount, FieldInCurr, FieldPayway},
		optional: []string{FieldOutCurr},
	},
	MethodPayinGet:       {required: []string{FieldExternalID}},
	MethodStatus:         {required: []string{FieldExternalID}},
	MethodBalance:        {optional: []string{FieldCurr}},
	MethodPwcurrencyList: {},
}

// Known reports whether the platform, as far as this package knows it, has the method.
func (m Method) Known() bool {
	_, known := signatures[m]
	return known
}

// Params are the names of a method's parameters, each list in order.
func (m Method) Params() (required, optional []string) {
	s := signatures[m]
	return slices.Clone(s.required), slices.Clone(s.optional)
}

// Check makes the first checks of parameters: there is none that the method does not have,
// then none is missing or null that it requires, then all are text or boolean; each time the
// first by name is refused. (A boolean fails later, by what the parameter means.) It returns
// nil or the platform's refusal; for an unknown method that is MethodNotFound.
func (m Method) Check(params Object) *Error {
	s, known := signatures[m]
	if !known {
		return MethodNotFound()
	}
	extra, mistyped := -1, -1
	for i := range params {
		name := params[i].Name
		if !slices.Contains(s.required, name) && !slices.Contains(s.optional, name) && (extra < 0 || name < params[extra].Name) {
			extra = i
		}
		switch params[i].Value.Kind() {
		case KindNull, KindText, KindBool:
		default:
			if mistyped < 0 || name < params[mistyped].Name {
				mistyped = i
			}
		}
	}
	if extra >= 0 {
		return ShouldNotBeProvided(params[extra].Name)
	}
	for _, name := range s.required {
		if params.Get(name).IsNull() {
			return ShouldBeProvided(name)
		}
	}
	if mistyped >= 0 {
		return WrongType(params[mistyped].Name, params[mistyped].Value)
	}
	return nil
}

// CheckAmount makes the check after Method.Check: v is an amount and not below zero. The
// error is nil or the platform's refusal.
func CheckAmount(v Value) (Amount, *Error) {
	text, _ := v.Text()
	a, err := ParseAmount(text)
	switch {
	case err != nil:
		return "", AmountNotNumber()
	case a.Negative():
		return "", AmountNegative()
	}
	return a, nil
}

// CheckCallbackURL makes the check after CheckAmount: v is null, or an http(s) address with a
// host. It returns nil or the platform's refusal.
func CheckCallbackURL(v Value) *Error {
	if v.IsNull() {
		return nil
	}
	text, _ := v.Text()
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || utf8.RuneCountInString(text) > MaxCallbackURLLen {
		return CallbackURLInvalid(v)
	}
	return nil
}

// CheckExternalID makes the check after CheckCallbackURL: v is a text of 1 to
// MaxExternalIDLen characters. It returns nil or the platform's refusal.
func CheckExternalID(v Value) *Error {
	if text, _ := v.Text(); text == "" || utf8.RuneCountInString(text) > MaxExternalIDLen {
		return ParamInvalid(FieldExternalID, v)
	}
	return nil
}

// CalcParams are the parameters of payin.calc. Empty ones are left out.
type CalcParams struct {
	Amount  Amount
	InCurr  string
	OutCurr string // optional: InCurr
	Payway  string
}

// Object writes the parameters for a request.
func (p CalcParams) Object() Object {
	return given(
		Member{FieldAmount, Text(string(p.Amount))},
		Member{FieldInCurr, Text(p.InCurr)},
		Member{FieldOutCurr, Text(p.OutCurr)},
		Member{FieldPayway, Text(p.Payway)},
	)
}

// CreateParams are the parameters of payin.create. Empty ones are left out.
type CreateParams struct {
	Amount      Amount
	ExternalID  string // the merchant's own id, for ever unique among all its orders
	InCurr      string
	OutCurr     string // optional: InCurr
	Payway      string
	CallbackURL string // optional: none
	Code        string // optional; redeemed by payways that take codes
	Payer       string // if the payway requires it, such as a telephone number
	Contact     string // if the payway requires it
}

// Object writes the parameters for a request.
func (p CreateParams) Object() Object {
	return given(
		Member{FieldAmount, Text(string(p.Amount))},
		Member{FieldCallbackURL, Text(p.CallbackURL)},
		Member{FieldCode, Text(p.Code)},
		Member{FieldContact, Text(p.Contact)},
		Member{FieldExternalID, Text(p.ExternalID)},
		Member{FieldInCurr, Text(p.InCurr)},
		Member{FieldOutCurr, Text(p.OutCurr)},
		Member{FieldPayer, Text(p.Payer)},
		Member{FieldPayway, Text(p.Payway)},
	)
}

// GetParams are the parameters of payin.get and status.
type GetParams struct{ ExternalID string }

// Object writes the parameters for a request.
func (p GetParams) Object() Object { return given(Member{FieldExternalID, Text(p.ExternalID)}) }

// BalanceParams are the parameters of balance.
type BalanceParams struct {
	Curr string // optional: all currencies
}

// Object writes the parameters for a request.
func (p BalanceParams) Object() Object { return given(Member{FieldCurr, Text(p.Curr)}) }

// given returns the members whose text is not empty.
func given(members ...Member) Object {
	return slices.DeleteFunc(members, func(m Member) bool { return m.Value.s == "" })
}
