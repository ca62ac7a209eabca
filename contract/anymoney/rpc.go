package anymoney

import "strconv"

// A Request is a call of one method.
type Request struct {
	Method Method
	Params Object // empty if they are null or absent
	ID     Value  // text or number, echoed by the response
}

// ParseRequest reads the body of a request. The error is a *MessageError, whose Refusal is
// what the platform answers. Members beside the four of the envelope are passed over; what
// the method makes of its parameters is not looked at, see Method.Check.
func ParseRequest(body []byte) (Request, error) {
	envelope, err := ParseObject(body)
	if err != nil {
		return Request{}, err
	}
	r := Request{ID: envelope.Get("id")}
	method, _ := envelope.Get("method").Text()
	r.Method = Method(method)
	params := envelope.Get("params")

	var fault Fault
	switch {
	case !version2(envelope.Get("jsonrpc")):
		fault = FaultVersion
	case method == "":
		fault = FaultMethod
	case params.Kind() == KindList:
		fault = FaultPositional
	case !params.IsNull() && params.Kind() != KindObject:
		fault = FaultParams
	case !envelope.Has("id"):
		fault = FaultNotification
	case !isID(r.ID):
		fault = FaultID
	}
	if fault != "" {
		return Request{}, &MessageError{Fault: fault}
	}
	r.Params, _ = params.Object()
	return r, nil
}

// version2 reports whether v is "2.0" or the number, which early callers sent.
func version2(v Value) bool {
	return v == Text("2.0") || v == Value{KindFloat, "2.0"} || v == Int(2)
}

func isID(v Value) bool {
	switch v.Kind() {
	case KindText, KindInt, KindFloat:
		return true
	}
	return false
}

// Encode writes the request: {"jsonrpc":"2.0","method":…,"params":{…},"id":…}.
func (r Request) Encode() []byte {
	b := make([]byte, 0, 512)
	b = append(b, `{"jsonrpc":"2.0","method":`...)
	b = appendText(b, string(r.Method))
	b = append(b, `,"params":`...)
	b = r.Params.AppendJSON(b)
	b = append(b, `,"id":`...)
	b = r.ID.AppendJSON(b)
	return append(b, '}')
}

// A Response is the answer to a request: a result, or an error if Err is not nil.
type Response struct {
	Result Object
	Err    *Error
	ID     Value // of the request; null if the platform could not read it
}

// Signed is what the signature of a response is made of: the result, or the error.
// (Our choice: the docs name the headers of a response, not what is signed.)
func (r Response) Signed() Object {
	if r.Err != nil {
		return r.Err.Object()
	}
	return r.Result
}

// Encode writes the response: {"result":{…},"id":…,"jsonrpc":"2.0"}, or the same with error.
func (r Response) Encode() []byte {
	b := make([]byte, 0, 2048)
	if r.Err != nil {
		b = append(b, `{"error":`...)
	} else {
		b = append(b, `{"result":`...)
	}
	b = r.Signed().AppendJSON(b)
	b = append(b, `,"id":`...)
	b = r.ID.AppendJSON(b)
	return append(b, `,"jsonrpc":"2.0"}`...)
}

// ParseResponse reads the body of the answer to the request with the given id. The HTTP
// status is the caller's to look at: the platform refuses with 200, and a 5xx is no answer
// whatever its body says.
//
// The error is a *MessageError; the outcome of the call is then unknown, which is not a
// refusal. An error with a null id is taken for the answer, since the platform answers so
// to what it cannot read.
func ParseResponse(body []byte, id Value) (Response, error) {
	envelope, err := ParseObject(body)
	if err != nil {
		return Response{}, err
	}
	r := Response{ID: envelope.Get("id")}
	result, failure := envelope.Get("result"), envelope.Get("error")

	var fault Fault
	var ok bool
	switch {
	case result.IsNull() == failure.IsNull():
		fault = FaultNoOutcome
	case r.ID != id && (failure.IsNull() || !r.ID.IsNull()):
		fault = FaultOtherAnswer
	case failure.IsNull():
		if r.Result, ok = result.Object(); !ok {
			fault = FaultResult
		}
	default:
		if r.Err, ok = readError(failure); !ok {
			fault = FaultError
		}
	}
	if fault != "" {
		return Response{}, &MessageError{Fault: fault}
	}
	return r, nil
}

// readError reads the error of a response.
func readError(v Value) (*Error, bool) {
	o, _ := v.Object()
	code, err := strconv.Atoi(o.Get("code").s)
	message, isText := o.Get("message").Text()
	if err != nil || o.Get("code").Kind() != KindInt || !isText {
		return nil, false
	}
	data, _ := o.Get("data").Object()
	return &Error{Code: Code(code), Message: message, Data: data}, true
}
