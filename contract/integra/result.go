package integra

import "encoding/json"

// The data of a successful answer, by method. hello answers with a string, cryptLogin and
// iframe with a page instead of an envelope. Sums are json.Number: written as JSON numbers,
// read exactly as they were written (money.ParseBalance makes amounts of them). A platform
// fills every slice, at least with an empty one, since nil is written as null.
type (
	// CreateUserResult is the data of createUser.
	CreateUserResult struct {
		CryptKey string `json:"cryptKey"` // the user's, a secret; shown only once
	}
	// ArchiveUserResult is the data of archiveUser.
	ArchiveUserResult struct {
		UserHash        string `json:"userHash"`
		LastBillingDate string `json:"lastBillingDate"` // charges run up to this date
	}
	// UnarchiveUserResult is the data of unarchiveUser.
	UnarchiveUserResult struct {
		UserHash string `json:"userHash"`
	}
	// DoPaymentResult is the data of doPayment. The last two are found in older docs, where
	// the platform's discount system is on.
	DoPaymentResult struct {
		PaymentID             Text        `json:"paymentId"` // digits
		PaymentBonuses        json.Number `json:"paymentBonuses,omitempty"`
		PaymentMonthsDiscount json.Number `json:"paymentMonthsDiscount,omitempty"`
	}
	// TransactionResult is the data of confirmPayment and declinePayment.
	TransactionResult struct {
		TransactionID string `json:"transactionId"`
	}
	// FinSummary is the data of getFinSummaryByDate.
	FinSummary struct {
		Date    string      `json:"date"` // YYYY-MM-DD
		Balance json.Number `json:"balance"`
		Income  json.Number `json:"income"`  // of the day
		Outcome json.Number `json:"outcome"` // of the day, with a minus
	}
	// UserData is the data of getUserData; getUsersData answers with an array of them.
	UserData struct {
		Hash         string      `json:"hash"`
		Balance      json.Number `json:"balance"`
		DailyBudget  json.Number `json:"dailyBudget"`  // the month's budget / 30
		DailyExpense json.Number `json:"dailyExpense"` // average
		URL          string      `json:"url"`
		Keywords     []string    `json:"keywords"`
		Status       UserStatus  `json:"status"`
		Progress     Progress    `json:"progress"`
		Markers      []Marker    `json:"markers"`
		UnreadCount  int         `json:"unreadCount"`
		BalanceInfo  BalanceInfo `json:"balanceInfo"`
	}
	// BalanceInfo says how long a user's balance will last.
	BalanceInfo struct {
		Days      int   `json:"days"` // in the last month
		Months    int   `json:"months"`
		UntilTime int64 `json:"untilTime"` // Unix milliseconds
	}
	// Marker is a hint to a user; the templates are Mustache, filled from Data.
	Marker struct {
		Code          int             `json:"code"`
		Type          MarkerType      `json:"type"`
		Title         string          `json:"title"`
		Text          string          `json:"text"`
		TitleTemplate string          `json:"title_template"`
		TextTemplate  string          `json:"text_template"`
		Data          json.RawMessage `json:"data"` // an array or object
	}
	// MessagesResult is the data of getUserMessages and getMessages.
	MessagesResult struct {
		Messages []Message `json:"messages"`
	}
	// Message is one message to a user; the templates are Mustache, filled from Params. Its
	// text can hold link templates, see ReplaceLinks.
	Message struct {
		ID            Text            `json:"id"` // digits
		UserLogin     string          `json:"userLogin"`
		Type          string          `json:"type"` // such as low_balance
		Title         string          `json:"title"`
		Text          string          `json:"text"`
		Params        json.RawMessage `json:"params,omitempty"` // an array or object
		TemplateID    Text            `json:"templateId"`       // digits
		TextTemplate  string          `json:"textTemplate"`
		TitleTemplate string          `json:"titleTemplate"`
	}
	// MessageTemplatesResult is the data of getMessageTemplates.
	MessageTemplatesResult struct {
		Messages []MessageTemplate `json:"messages"`
	}
	// MessageTemplate is the Mustache source of one kind of message.
	MessageTemplate struct {
		TemplateID    Text   `json:"templateId"`
		TextTemplate  string `json:"textTemplate"`
		TitleTemplate string `json:"titleTemplate"`
	}
	// ReadMessagesResult is the data of readMessages.
	ReadMessagesResult struct {
		Success int `json:"success"` // how many messages were marked
	}
	// ChangeURLResult is the data of changeUrl.
	ChangeURLResult struct {
		NewURL string `json:"newUrl"`
		OldURL string `json:"oldUrl"`
	}
	// AttachCounterResult is the data of attachYandexMetrikaCounter.
	AttachCounterResult struct {
		ID json.Number `json:"id"` // Integra's own id of the counter
	}
)

// UserStatus is whether a user's promotion runs.
type UserStatus string

// The states of a user.
const (
	StatusRun     UserStatus = "run"
	StatusStopped UserStatus = "stopped"
	StatusNew     UserStatus = "new"
)

// Progress is how far a user has come with setting up the promotion.
type Progress string

// The steps of a user.
const (
	ProgressStep1   Progress = "WIZARD_STEP_1"
	ProgressStep2   Progress = "WIZARD_STEP_2"
	ProgressStep3   Progress = "WIZARD_STEP_3"
	ProgressStep4   Progress = "WIZARD_STEP_4"
	ProgressPaid    Progress = "CAMPAIGN_PAID"
	ProgressUnpaid  Progress = "CAMPAIGN_UNPAID"
	ProgressUnknown Progress = "UNKNOWN"
)

// MarkerType is how a marker is meant.
type MarkerType string

// The types of markers.
const (
	MarkerError   MarkerType = "error"
	MarkerWarning MarkerType = "warning"
	MarkerNotice  MarkerType = "notice"
	MarkerInfo    MarkerType = "info"
	MarkerSuccess MarkerType = "success"
)
