package webui

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// A problem is why the control API refused a call (RFC 9457).
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Location string `json:"location"`
		Message  string `json:"message"`
	} `json:"errors"`
}

// call asks the control API and reads its answer into out, unless that is nil.
func (h *handler) call(ctx context.Context, method, path string, in, out any) *problem {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return &problem{Status: http.StatusBadRequest, Detail: err.Error()}
		}
	}
	answer := ask(ctx, h.API, method, path, body)
	if answer.status >= http.StatusBadRequest {
		p := &problem{Status: answer.status}
		if json.Unmarshal(answer.body.Bytes(), p) != nil || p.Detail == "" {
			p.Detail = http.StatusText(answer.status)
		}
		return p
	}
	if out != nil {
		d := json.NewDecoder(&answer.body)
		d.UseNumber() // an InvId is larger than what a float can hold
		if err := d.Decode(out); err != nil {
			return &problem{Status: http.StatusInternalServerError, Detail: err.Error()}
		}
	}
	return nil
}

// submitted does what the form of a page asks for, if one was sent, and sends the browser on to
// the page that do names. Otherwise done is false, and why says what is wrong with the form.
func submitted(w http.ResponseWriter, r *http.Request, do func(url.Values) (next string, why *problem)) (form url.Values, why *problem, done bool) {
	if r.Method != http.MethodPost {
		return nil, nil, false
	}
	if form, why = readForm(w, r); why != nil {
		return form, why, false
	}
	next, why := do(form)
	if why != nil {
		return form, why, false
	}
	seeOther(w, next)
	return form, nil, true
}

// readForm reads what a form of a page sends.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *problem) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return url.Values{}, &problem{Status: http.StatusBadRequest, Detail: err.Error()}
	}
	return r.PostForm, nil
}

// kept is an answer that stays in memory.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is part of http.ResponseWriter.
func (k *kept) Header() http.Header { return k.header }

// WriteHeader is part of http.ResponseWriter.
func (k *kept) WriteHeader(status int) {
	if k.status == 0 && status >= http.StatusOK {
		k.status = status
	}
}

// Write is part of http.ResponseWriter.
func (k *kept) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(p)
}

// ask lets a handler of this process answer a request.
func ask(ctx context.Context, h http.Handler, method, target string, body []byte) *kept {
	k := &kept{header: http.Header{}}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body)) //nolint:gosec // it is handed to a handler of this process, never sent
	if err != nil {
		k.status = http.StatusBadRequest
		k.body.WriteString(err.Error())
		return k
	}
	r.RequestURI = r.URL.RequestURI()
	if r.Host == "" {
		r.Host = "mockplatform"
	}
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(k, r)
	if k.status == 0 {
		k.status = http.StatusOK
	}
	return k
}
