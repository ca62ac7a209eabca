package robokassa

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

// Namespaces of the documents of the XML service.
const (
	NamespaceCaptured   = "http://merchant.roboxchange.com/WebService/"   // in captured answers
	NamespaceDocumented = "http://auth.robokassa.ru/Merchant/WebService/" // in the documentation's samples
	namespaceSchema     = "http://www.w3.org/2001/XMLSchema"              // declared, not used
	namespaceInstance   = "http://www.w3.org/2001/XMLSchema-instance"     // declared, not used
	namespaceSOAP       = "http://schemas.xmlsoap.org/soap/envelope/"     // SOAP 1.1
	namespaceSOAP12     = "http://www.w3.org/2003/05/soap-envelope"       // SOAP 1.2
)

// ErrXML is a text that is no document of the XML service.
var ErrXML = errors.New("malformed XML document")

// The documents of the XML service, named by their root elements' meaning.
type (
	// ResultElement opens every document.
	ResultElement struct {
		Code        ResultCode `xml:"Code"`
		Description string     `xml:"Description,omitempty"`
	}
	// Names are the namespaces that a root element declares.
	Names struct {
		Schema   string `xml:"xmlns:xsd,attr,omitempty"`
		Instance string `xml:"xmlns:xsi,attr,omitempty"`
		Default  string `xml:"xmlns,attr,omitempty"`
	}
	// OperationState is the answer of OpState and OpStateExt.
	OperationState struct {
		XMLName xml.Name `xml:"OperationStateResponse"`
		Names
		Result     ResultElement   `xml:"Result"`
		State      *StateElement   `xml:"State"`
		Info       *InfoElement    `xml:"Info"`
		UserField  *UserFieldsList `xml:"UserField"`
		UserFields *UserFieldsList `xml:"UserFields"`
	}
	// StateElement is how the operation stands. Dates are ISO 8601 in Moscow time.
	StateElement struct {
		Code        StateCode `xml:"Code"`
		RequestDate string    `xml:"RequestDate"`
		StateDate   string    `xml:"StateDate"`
	}
	// InfoElement is what was paid. OpKey and BankCardRRN belong to OpStateExt.
	InfoElement struct {
		IncCurrLabel  string        `xml:"IncCurrLabel"`
		IncSum        string        `xml:"IncSum"` // what the buyer paid
		IncAccount    string        `xml:"IncAccount"`
		PaymentMethod MethodElement `xml:"PaymentMethod"`
		OutCurrLabel  string        `xml:"OutCurrLabel"`
		OutSum        string        `xml:"OutSum"` // what the shop is credited
		OpKey         *string       `xml:"OpKey"`
		BankCardRRN   *string       `xml:"BankCardRRN"`
	}
	// MethodElement describes a method of payment inside Info.
	MethodElement struct {
		Code        string `xml:"Code"`
		Description string `xml:"Description"`
	}
	// UserFieldsList holds the shop's own fields.
	UserFieldsList struct {
		Fields []UserField `xml:"Field"`
	}
	// UserField is one of the shop's own fields.
	UserField struct {
		Name  string `xml:"Name"`
		Value string `xml:"Value"`
	}
	// CurrenciesList is the answer of GetCurrencies and GetRates.
	CurrenciesList struct {
		XMLName xml.Name
		Names
		Result ResultElement    `xml:"Result"`
		Groups *[]CurrencyGroup `xml:"Groups>Group"`
	}
	// CurrencyGroup is a group of methods of payment.
	CurrencyGroup struct {
		Code        string     `xml:"Code,attr"`
		Description string     `xml:"Description,attr"`
		Items       []Currency `xml:"Items>Currency"`
	}
	// Currency is one method of payment, with its label.
	Currency struct {
		Label    string `xml:"Label,attr"`
		Alias    string `xml:"Alias,attr,omitempty"`
		Name     string `xml:"Name,attr"`
		MinValue string `xml:"MinValue,attr,omitempty"`
		MaxValue string `xml:"MaxValue,attr,omitempty"`
		Rate     *Rate  `xml:"Rate"` // only in GetRates
	}
	// Rate is what the buyer would pay.
	Rate struct {
		IncSum string `xml:"IncSum,attr"`
	}
	// PaymentMethodsList is the answer of GetPaymentMethods.
	PaymentMethodsList struct {
		XMLName xml.Name `xml:"PaymentMethodsList"`
		Names
		Result  ResultElement    `xml:"Result"`
		Methods *[]PaymentMethod `xml:"Methods>Method"`
	}
	// PaymentMethod is a kind of payment.
	PaymentMethod struct {
		Code        string `xml:"Code,attr"`
		Description string `xml:"Description,attr"`
	}
	// CalcSums is the answer of CalcOutSumm.
	CalcSums struct {
		XMLName xml.Name `xml:"CalcSummsResponseData"`
		Names
		Result ResultElement `xml:"Result"`
		OutSum string        `xml:"OutSum,omitempty"`
	}
)

// Root elements of CurrenciesList.
const (
	RootCurrencies = "CurrenciesList"
	RootRates      = "RatesList"
)

// ResultOf is the Result of a document with that code.
func ResultOf(c ResultCode) ResultElement { return ResultElement{c, c.Description()} }

// NewNames declares the namespaces of captured answers with the given one as default.
func NewNames(namespace string) Names { return Names{namespaceSchema, namespaceInstance, namespace} }

// WriteXML writes a document.
func WriteXML(document any) (string, error) {
	b, err := xml.MarshalIndent(document, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write XML document: %w", err)
	}
	return `<?xml version="1.0" encoding="utf-8"?>` + "\n" + string(b), nil
}

// ReadXML reads a document, in whatever namespace it is. The error wraps ErrXML.
func ReadXML(text string, into any) error {
	if err := xml.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("%w: %w", ErrXML, err)
	}
	return nil
}

// A Call is a method of the XML service with its parameters, as SOAP carries it.
type Call struct {
	Method string
	Fields Fields
	SOAP12 bool
}

type soapEnvelope struct {
	XMLName xml.Name `xml:"Envelope"`
	Body    struct {
		Calls []struct {
			XMLName xml.Name
			Args    []struct {
				XMLName xml.Name
				Value   string `xml:",chardata"`
			} `xml:",any"`
		} `xml:",any"`
	} `xml:"Body"`
}

// ParseSOAP reads a SOAP request, version 1.1 or 1.2. The error wraps ErrXML.
func ParseSOAP(body string) (Call, error) {
	var e soapEnvelope
	if err := ReadXML(body, &e); err != nil {
		return Call{}, err
	}
	c := Call{SOAP12: e.XMLName.Space == namespaceSOAP12}
	if !c.SOAP12 && e.XMLName.Space != namespaceSOAP {
		return Call{}, fmt.Errorf("%w: namespace %.80q is no SOAP envelope's", ErrXML, e.XMLName.Space)
	}
	if len(e.Body.Calls) != 1 {
		return Call{}, fmt.Errorf("%w: the body has %d calls instead of 1", ErrXML, len(e.Body.Calls))
	}
	call := e.Body.Calls[0]
	c.Method = call.XMLName.Local
	for _, arg := range call.Args {
		if _, twice := c.Fields.Lookup(arg.XMLName.Local); twice {
			return Call{}, fmt.Errorf("%w: %s stands there twice", ErrXML, arg.XMLName.Local)
		}
		c.Fields = append(c.Fields, Field{arg.XMLName.Local, arg.Value})
	}
	return c, nil
}

// WrapSOAP puts the answer to a call into an envelope: what WriteXML wrote stands, under the
// name that SOAP wants, inside <MethodResponse><MethodResult>.
func (c Call) WrapSOAP(document, namespace string) string {
	space := namespaceSOAP
	if c.SOAP12 {
		space = namespaceSOAP12
	}
	_, content, _ := strings.Cut(document, "?>")
	content = strings.TrimSpace(content)
	if _, inner, ok := strings.Cut(content, ">"); ok {
		if end := strings.LastIndex(inner, "</"); end >= 0 {
			content = inner[:end]
		}
	}
	return `<?xml version="1.0" encoding="utf-8"?>` + "\n" +
		`<soap:Envelope xmlns:soap="` + space + `"><soap:Body><` + c.Method + `Response xmlns="` + namespace + `"><` + c.Method + `Result>` +
		content + `</` + c.Method + `Result></` + c.Method + `Response></soap:Body></soap:Envelope>`
}
