package robokassa

import (
	"encoding/json"
	"fmt"
)

// An IndexAnswer is what Indexjson.aspx answers: the GUID of the prepared invoice, or
// ZeroGUID and the code of the payment page.
type IndexAnswer struct {
	InvoiceID    string  `json:"invoiceID"`
	ErrorCode    Code    `json:"errorCode"`
	ErrorMessage *string `json:"errorMessage"` // null for none
}

// ParseIndexAnswer reads the answer of Indexjson.aspx.
func ParseIndexAnswer(body []byte) (IndexAnswer, error) {
	var a IndexAnswer
	if err := json.Unmarshal(body, &a); err != nil {
		return IndexAnswer{}, fmt.Errorf("answer of Indexjson.aspx: %w", err)
	}
	if a.InvoiceID == "" {
		return IndexAnswer{}, fmt.Errorf("answer of Indexjson.aspx: invoiceID is missing")
	}
	return a, nil
}

// HoldAnswer is what Confirm and Cancel answer: a JSON string. It says that the request was
// accepted, not that it succeeded.
func HoldAnswer(success bool) string { return fmt.Sprintf(`"success: %t"`, success) }
