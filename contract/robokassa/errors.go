package robokassa

import "fmt"

// A Code is what the payment page says when it refuses.
type Code int

// The codes that a request can provoke. The rest are internal faults of Robokassa.
const (
	CodeNoTestMode      Code = 23
	CodeInactive        Code = 25
	CodeNoShop          Code = 26
	CodeSignature       Code = 29
	CodeInvoice         Code = 30
	CodeSum             Code = 31
	CodeExpired         Code = 33
	CodeNoRecurring     Code = 34
	CodeRecurring       Code = 35
	CodePaid            Code = 40
	CodeStart           Code = 41
	CodeTestNumber      Code = 42
	CodeInvoiceExpired  Code = 51
	CodeInvoicePaid     Code = 52
	CodeInvoiceNotFound Code = 53
	CodeConversion      Code = 60
	CodeNoHold          Code = 64
	CodeHold            Code = 65
	CodeInternal        Code = 500
)

var codeTexts = map[Code][2]string{
	CodeNoTestMode:      {"Тестовая оплата невозможна: у магазина не заданы тестовые параметры", "A test payment is not possible: the shop has no test parameters"},
	CodeInactive:        {"Магазин не активирован", "The shop is not active"},
	CodeNoShop:          {"Магазин не найден", "There is no such shop"},
	CodeSignature:       {"Неверная подпись: значение SignatureValue не совпало с вычисленным", "Wrong signature: SignatureValue is not what was computed"},
	CodeInvoice:         {"Неверный параметр счёта", "A parameter of the invoice is wrong"},
	CodeSum:             {"Неверная сумма платежа", "The sum of the payment is wrong"},
	CodeExpired:         {"Время, отведённое на оплату счёта, истекло", "The time for paying this invoice is over"},
	CodeNoRecurring:     {"Периодические платежи не разрешены магазину", "Recurring payments are not allowed for the shop"},
	CodeRecurring:       {"Неверные параметры запуска периодического платежа", "Wrong parameters of a recurring payment"},
	CodePaid:            {"Счёт с таким номером уже оплачен", "The invoice with this number has been paid already"},
	CodeStart:           {"Не удалось начать операцию", "The operation could not be started"},
	CodeTestNumber:      {"Тестовый номер не может использоваться для оплаты", "A test number cannot be used for a payment"},
	CodeInvoiceExpired:  {"Срок действия счёта истёк", "The invoice has expired"},
	CodeInvoicePaid:     {"Счёт уже оплачен, повторная оплата невозможна", "The invoice has been paid and cannot be paid again"},
	CodeInvoiceNotFound: {"Счёт не найден", "There is no such invoice"},
	CodeConversion:      {"Ошибка пересчёта валюты", "The currency could not be converted"},
	CodeNoHold:          {"Холдирование не разрешено магазину", "Holds are not allowed for the shop"},
	CodeHold:            {"Неверные параметры холдирования", "Wrong parameters of a hold"},
	CodeInternal:        {"Внутренняя ошибка сервиса", "Internal fault of the service"},
}

// Russian is what the code means. A code that is not among the constants is an internal fault.
func (c Code) Russian() string { return c.text(0) }

// English is what the code means.
func (c Code) English() string { return c.text(1) }

func (c Code) text(language int) string {
	if texts, ok := codeTexts[c]; ok {
		return texts[language]
	}
	return codeTexts[CodeInternal][language]
}

// A PageError is a refusal of the payment page.
type PageError struct {
	Code   Code
	Reason string // what exactly is wrong, in English; Robokassa itself does not say
}

func (e *PageError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("refused with code %d: %s", e.Code, e.Code.English())
	}
	return fmt.Sprintf("refused with code %d: %s: %s", e.Code, e.Code.English(), e.Reason)
}

// Refuse returns a refusal.
func Refuse(c Code, reason string) *PageError { return &PageError{c, reason} }

// A ResultCode stands in Result.Code of every document of the XML service.
type ResultCode int

// The codes of the XML service.
const (
	ResultOK          ResultCode = 0
	ResultSignature   ResultCode = 1
	ResultNoShop      ResultCode = 2
	ResultNoOperation ResultCode = 3
	ResultAmbiguous   ResultCode = 4 // two operations with one InvoiceID
	ResultInternal    ResultCode = 1000
)

var resultTexts = map[ResultCode]string{
	ResultSignature:   "Неверная цифровая подпись запроса",
	ResultNoShop:      "Информация о магазине с таким MerchantLogin не найдена или магазин не активирован",
	ResultNoOperation: "Информация об операции с таким InvoiceID не найдена",
	ResultAmbiguous:   "Найдено две операции с таким InvoiceID",
	ResultInternal:    "Внутренняя ошибка сервиса",
}

// Description is the text beside the code, "" for ResultOK, which has none.
func (c ResultCode) Description() string { return resultTexts[c] }

// A StateCode says how an operation stands, in OpState and OpStateExt.
type StateCode int

// The states of an operation.
const (
	StateStarted   StateCode = 5  // no money yet
	StateCancelled StateCode = 10 // or timed out; no money came
	StateHold      StateCode = 20 // the money is set aside on the card
	StatePaid      StateCode = 50 // money came and is being credited
	StateReturned  StateCode = 60 // crediting was refused, or a hold released: the buyer has the money back
	StateSuspended StateCode = 80
	StateDone      StateCode = 100 // credited
)
