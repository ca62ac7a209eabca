package robokassa

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// ErrReceipt is a Receipt that is none; the error around it names the member.
var ErrReceipt = errors.New("malformed receipt")

// Bounds of a receipt.
const (
	MaxReceiptItems = 100
	MaxItemNameLen  = 128 // characters
	maxReceiptLen   = 256 << 10
)

// The words of a receipt.
var (
	taxSystems     = words("osn usn_income usn_income_outcome esn patent envd")
	taxes          = words("none vat0 vat5 vat7 vat10 vat18 vat20 vat22 vat105 vat107 vat110 vat118 vat120 vat122")
	paymentMethods = words("full_prepayment prepayment advance full_payment partial_payment credit credit_payment")
	paymentObjects = words("commodity excise job service gambling_bet gambling_prize lottery lottery_prize " +
		"intellectual_activity payment agent_commission composite resort_fee another property_right " +
		"non-operating_gain insurance_premium sales_tax tovar_mark")
)

func words(list string) []string { return strings.Fields(list) }

// A Receipt is the basket that a shop wants on the fiscal receipt.
type Receipt struct {
	Sno   string        `json:"sno,omitempty"`
	Items []ReceiptItem `json:"items"`
}

// A ReceiptItem is one line. Either Sum, for all of it, or Cost, for one piece, is given.
type ReceiptItem struct {
	Name             string      `json:"name"`
	Quantity         json.Number `json:"quantity"` // at most 5 digits and 3 decimals
	Sum              json.Number `json:"sum,omitempty"`
	Cost             json.Number `json:"cost,omitempty"` // at most 8 digits and 2 decimals
	Tax              string      `json:"tax"`
	PaymentMethod    string      `json:"payment_method,omitempty"`
	PaymentObject    string      `json:"payment_object,omitempty"`
	NomenclatureCode string      `json:"nomenclature_code,omitempty"`
}

// Total is what the line costs. It may have more decimals than a sum of money.
func (i ReceiptItem) Total() decimal.Decimal {
	if i.Sum != "" {
		return number(i.Sum)
	}
	return number(i.Cost).Mul(number(i.Quantity))
}

func number(n json.Number) decimal.Decimal {
	d, err := decimal.NewFromString(string(n))
	if err != nil {
		return decimal.Zero // only in an item that nobody checked
	}
	return d
}

// Total is the sum of the lines.
func (r Receipt) Total() decimal.Decimal {
	var total decimal.Decimal
	for _, item := range r.Items {
		total = total.Add(item.Total())
	}
	return total
}

// ParseReceipt reads the field Receipt: JSON, plain or percent-encoded once or twice. Members
// that we do not know are passed over. The error wraps ErrReceipt and names the member.
func ParseReceipt(text string) (Receipt, error) {
	if len(text) > maxReceiptLen {
		return Receipt{}, fmt.Errorf("%w: it is longer than %d bytes", ErrReceipt, maxReceiptLen)
	}
	forms := decodings(text)
	for _, form := range forms {
		if strings.HasPrefix(strings.TrimSpace(form), "{") {
			return readReceipt(form)
		}
	}
	return Receipt{}, fmt.Errorf("%w: it is not a JSON object", ErrReceipt)
}

func readReceipt(text string) (Receipt, error) {
	d := json.NewDecoder(strings.NewReader(text))
	var r Receipt
	if err := d.Decode(&r); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return Receipt{}, fmt.Errorf("%w: %s must not be %s", ErrReceipt, wrong.Field, wrong.Value)
		}
		return Receipt{}, fmt.Errorf("%w: it is not JSON: %w", ErrReceipt, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Receipt{}, fmt.Errorf("%w: something follows the JSON object", ErrReceipt)
	}
	return r, r.check()
}

func (r Receipt) check() error {
	switch {
	case r.Sno != "" && !slices.Contains(taxSystems, r.Sno):
		return fmt.Errorf("%w: sno %.40q is not known", ErrReceipt, r.Sno)
	case len(r.Items) == 0:
		return fmt.Errorf("%w: items are missing", ErrReceipt)
	case len(r.Items) > MaxReceiptItems:
		return fmt.Errorf("%w: %d items, at most %d are allowed", ErrReceipt, len(r.Items), MaxReceiptItems)
	}
	for i, item := range r.Items {
		if why := item.fault(); why != "" {
			return fmt.Errorf("%w: item %d: %s", ErrReceipt, i+1, why)
		}
	}
	return nil
}

func (i ReceiptItem) fault() string {
	price, name := i.Sum, "sum"
	if price == "" {
		price, name = i.Cost, "cost"
	}
	switch {
	case i.Name == "":
		return "name is missing"
	case utf8.RuneCountInString(i.Name) > MaxItemNameLen:
		return fmt.Sprintf("name is longer than %d characters", MaxItemNameLen)
	case !isNumber(i.Quantity, 5, 3) || number(i.Quantity).IsZero():
		return fmt.Sprintf("quantity %.40q must be a number of at most 5 digits and 3 decimals, and not 0", string(i.Quantity))
	case price == "":
		return "sum or cost is missing"
	case !isNumber(price, 8, 2):
		return fmt.Sprintf("%s %.40q must be a number of at most 8 digits and 2 decimals", name, string(price))
	case i.Tax == "":
		return "tax is missing"
	case !slices.Contains(taxes, i.Tax):
		return fmt.Sprintf("tax %.40q is not known", i.Tax)
	case i.PaymentMethod != "" && !slices.Contains(paymentMethods, i.PaymentMethod):
		return fmt.Sprintf("payment_method %.40q is not known", i.PaymentMethod)
	case i.PaymentObject != "" && !slices.Contains(paymentObjects, i.PaymentObject):
		return fmt.Sprintf("payment_object %.40q is not known", i.PaymentObject)
	}
	return ""
}

// isNumber reports whether n is written without sign and exponent, with so many digits before
// the point and, but for zeros, so many after it at most.
func isNumber(n json.Number, digits, decimals int) bool {
	whole, part, _ := strings.Cut(string(n), ".")
	if whole == "" || strings.Trim(whole+part, "0123456789") != "" {
		return false
	}
	return len(strings.TrimLeft(whole, "0")) <= digits && len(strings.TrimRight(part, "0")) <= decimals
}
