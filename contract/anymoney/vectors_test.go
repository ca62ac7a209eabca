package anymoney_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/partnerkit/partnerkit/contract/anymoney"
)

// Known answers that this package did not produce, see testdata/anymoney/README.md.

type vector struct {
	ID        string          `json:"id"`
	Kind      string          `json:"kind"`
	Key       anymoney.Key    `json:"key"`
	Data      json.RawMessage `json:"data"` // of cases.json
	Body      string          `json:"body"` // of messages.json
	UTCNowMS  string          `json:"utc_now_ms"`
	Message   string          `json:"message"`
	Signature string          `json:"signature"`
}

// A refusal is the error that a call in cases.json expects; those of forms have no data.
type refusal struct {
	Code    anymoney.Code   `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

type caseFile struct {
	Vectors []vector `json:"signature_vectors"`
	Cases   []struct {
		ID    string `json:"id"`
		Steps []struct {
			Call   *struct{ Method anymoney.Method } `json:"call"`
			Expect struct {
				Error  *refusal        `json:"error"`
				Result json.RawMessage `json:"result"`
				Match  string          `json:"match"`
			} `json:"expect"`
		} `json:"steps"`
	} `json:"cases"`
}

func load(t testing.TB, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "anymoney", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func cases(t testing.TB) caseFile {
	t.Helper()
	var file caseFile
	load(t, "cases.json", &file)
	if len(file.Cases) == 0 || len(file.Vectors) == 0 {
		t.Fatal("no cases or no vectors")
	}
	return file
}

func messages(t testing.TB) []vector {
	t.Helper()
	var list []vector
	load(t, "messages.json", &list)
	if len(list) == 0 {
		t.Fatal("no messages")
	}
	return list
}

// message returns the body of one of messages.json.
func message(t testing.TB, id string) string {
	t.Helper()
	for _, v := range messages(t) {
		if v.ID == id {
			return v.Body
		}
	}
	t.Fatalf("no message %q", id)
	return ""
}

func parse(t testing.TB, text string) anymoney.Object {
	t.Helper()
	o, err := anymoney.ParseObject([]byte(text))
	if err != nil {
		t.Fatalf("ParseObject(%.200s) = %v", text, err)
	}
	return o
}

func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	for _, v := range append(cases(t).Vectors, messages(t)...) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			if v.Kind == "sci" || v.Kind == "form" {
				checkForm(t, v)
				return
			}
			if v.Body == "" {
				v.Body = string(v.Data)
			}
			o := parse(t, v.Body)
			if got := anymoney.SignedText(o, v.UTCNowMS); got != v.Message {
				t.Errorf("signed text %q; want %q", got, v.Message)
			}
			if got := v.Key.Sign(o, v.UTCNowMS); got != v.Signature {
				t.Errorf("signature %s; want %s", got, v.Signature)
			}
			if err := v.Key.Verify(o, v.UTCNowMS, v.Signature); err != nil {
				t.Errorf("Verify = %v", err)
			}
		})
	}
}

func checkForm(t *testing.T, v vector) {
	form := make(anymoney.Form)
	var err error
	if v.Body != "" {
		form, err = anymoney.ParseForm(v.Body)
	} else {
		err = json.Unmarshal(v.Data, &form)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := form.Encode(); v.Body != "" && got != v.Body {
		t.Errorf("form written as %s; want %s", got, v.Body)
	}
	if got := form.SignedText(); got != v.Message {
		t.Errorf("signed text %q; want %q", got, v.Message)
	}
	if got := v.Key.SignForm(form); got != v.Signature {
		t.Errorf("sign %s; want %s", got, v.Signature)
	}
	form[anymoney.FieldSign] = v.Signature
	if err := v.Key.VerifyForm(form); err != nil {
		t.Errorf("VerifyForm = %v", err)
	}
}
