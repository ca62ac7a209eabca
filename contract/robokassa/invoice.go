package robokassa

import (
	"encoding/json"
	"fmt"
)

// The words of the Invoice API.
const (
	InvoiceOneTime  = "OneTime"
	InvoiceReusable = "Reusable"

	InvoicePaid    = "Paid"
	InvoiceExpired = "Expired"
	InvoiceNotPaid = "Notpaid"
)

// InvoiceTaken is the text of the refusal of a number that another invoice has.
const InvoiceTaken = "Заказ с таким Id уже существует"

// The field that invoices of the Invoice API carry beside the shop's own.
const (
	InvoiceField      = "shp_interface"
	InvoiceFieldValue = "InvoiceService.WebApi"
)

// The payloads and answers of the Invoice API. Sums are json.Number: JSON numbers, read
// exactly as they were written.
type (
	// CreateInvoice asks for a link at which an invoice is paid.
	CreateInvoice struct {
		MerchantLogin        string            `json:"MerchantLogin"`
		InvoiceType          string            `json:"InvoiceType,omitempty"`
		Culture              string            `json:"Culture,omitempty"`
		InvID                json.Number       `json:"InvId,omitempty"` // 0 or absent: assigned
		OutSum               json.Number       `json:"OutSum,omitempty"`
		Description          string            `json:"Description,omitempty"`
		MerchantComments     string            `json:"MerchantComments,omitempty"`
		ExpirationDate       string            `json:"ExpirationDate,omitempty"`
		UserFields           map[string]string `json:"UserFields,omitempty"`
		InvoiceItems         []InvoiceItem     `json:"InvoiceItems,omitempty"`
		SuccessURL2Data      *ReturnAddress    `json:"SuccessUrl2Data,omitempty"`
		FailURL2Data         *ReturnAddress    `json:"FailUrl2Data,omitempty"`
		AdditionalParameters map[string]string `json:"AdditionalParameters,omitempty"`
	}
	// InvoiceItem is a line of the receipt.
	InvoiceItem struct {
		Name             string      `json:"Name"`
		Quantity         json.Number `json:"Quantity"`
		Cost             json.Number `json:"Cost"`
		Tax              string      `json:"Tax"`
		PaymentMethod    string      `json:"PaymentMethod,omitempty"`
		PaymentObject    string      `json:"PaymentObject,omitempty"`
		NomenclatureCode string      `json:"NomenclatureCode,omitempty"`
	}
	// ReturnAddress is where the buyer goes afterwards.
	ReturnAddress struct {
		URL    string `json:"Url"`
		Method string `json:"Method"` // GET or POST
	}
	// DeactivateInvoice names an invoice by one of three.
	DeactivateInvoice struct {
		MerchantLogin string      `json:"MerchantLogin"`
		InvID         json.Number `json:"InvId,omitempty"`
		ID            string      `json:"Id,omitempty"`
		EncodedID     string      `json:"EncodedId,omitempty"`
	}
	// ListInvoices asks for a page of GetInvoiceInformationList.
	ListInvoices struct {
		MerchantLogin   string      `json:"MerchantLogin"`
		CurrentPage     int         `json:"CurrentPage"` // from 1
		PageSize        int         `json:"PageSize"`
		InvoiceStatuses []string    `json:"InvoiceStatuses"`
		DateFrom        string      `json:"DateFrom"` // ISO 8601
		DateTo          string      `json:"DateTo"`
		InvoiceTypes    []string    `json:"InvoiceTypes"`
		Keywords        string      `json:"Keywords,omitempty"`
		IsAscending     bool        `json:"IsAscending,omitempty"`
		SumFrom         json.Number `json:"SumFrom,omitempty"`
		SumTo           json.Number `json:"SumTo,omitempty"`
	}
	// InvoiceCreated is the answer of CreateInvoice and, with IsSuccess alone, of
	// DeactivateInvoice.
	InvoiceCreated struct {
		ID        string `json:"id,omitempty"`
		InvID     int64  `json:"invId,omitempty"`
		URL       string `json:"url,omitempty"`
		IsSuccess bool   `json:"isSuccess"`
		Message   string `json:"message,omitempty"`
	}
	// InvoiceList is the answer of GetInvoiceInformationList.
	InvoiceList struct {
		Invoices  []InvoiceInformation `json:"invoiceInformationList"`
		Total     int                  `json:"total"`
		IsSuccess bool                 `json:"isSuccess"`
		Message   string               `json:"message,omitempty"`
	}
	// InvoiceInformation is one invoice of a list.
	InvoiceInformation struct {
		ID            string            `json:"id"`
		InvID         int64             `json:"invId"`
		InvoiceType   string            `json:"invoiceType"`
		Created       string            `json:"created"`
		Modified      string            `json:"modified"`
		OutSum        json.Number       `json:"outSum"`
		Description   string            `json:"description"`
		InvoiceStatus string            `json:"invoiceStatus"`
		PaymentURL    string            `json:"invoicePaymentUrl"`
		EmailSent     bool              `json:"isCustomerNotificationEmailSent"`
		Aliases       []string          `json:"aliases"`
		Items         []ListedItem      `json:"invoiceItems"`
		UserFields    map[string]string `json:"userFields"`
		Payments      []json.RawMessage `json:"payments"`
		NoFreeSale    bool              `json:"isWithoutFreeSale"`
	}
	// ListedItem is InvoiceItem as a list spells it.
	ListedItem struct {
		Name          string      `json:"name"`
		Quantity      json.Number `json:"quantity"`
		Cost          json.Number `json:"cost"`
		Tax           string      `json:"tax"`
		PaymentMethod string      `json:"paymentMethod"`
		PaymentObject string      `json:"paymentObject"`
	}
)

// The payloads and answers of the Refund API.
type (
	// CreateRefund asks for a refund; without RefundSum of all that is left.
	CreateRefund struct {
		OpKey        string        `json:"OpKey"`
		RefundSum    json.Number   `json:"RefundSum,omitempty"`
		InvoiceItems []InvoiceItem `json:"InvoiceItems,omitempty"`
	}
	// RefundCreated is the answer: the request was accepted, or why not.
	RefundCreated struct {
		Success   bool    `json:"success"`
		Message   *string `json:"message"`   // null for none
		RequestID *string `json:"requestId"` // null for none
	}
	// RefundState is how a refund stands.
	RefundState struct {
		RequestID string      `json:"requestId"`
		Amount    json.Number `json:"amount"` // six decimals
		Label     string      `json:"label"`
	}
)

// The labels of a RefundState.
const (
	RefundFinished   = "finished"
	RefundProcessing = "processing"
	RefundCanceled   = "canceled"
)

// Texts of the Refund API.
const (
	RefundNoFunds   = "NotEnoughOperationFunds"
	RefundNoAccess  = "Signature key is not exists or partner have not access to API"
	RefundUnknownID = "Id is invalid or request id does not exist"
)

// Decode reads the token's payload into one of the payloads above. The error wraps ErrToken
// and names the member.
func (t Token) Decode(into any) error {
	if err := json.Unmarshal(t.Payload, into); err != nil {
		return fmt.Errorf("%w: payload: %w", ErrToken, err)
	}
	return nil
}
