package anymoney_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/partnerkit/partnerkit/contract/anymoney"
)

type vector struct {
	ID        string          `json:"id"`
	Kind      string          `json:"kind"`
	Key       anymoney.Key    `json:"key"`
	Data      json.RawMessage `json:"data"`
	UTCNowMS  string          `json:"utc_now_ms"`
	Message   string          `json:"message"`
	Signature string          `json:"signature"`
}

func vectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "anymoney", "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []vector `json:"signature_vectors"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	return file.Vectors
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			if v.Kind == "sci" {
				var form anymoney.Form
				if err := json.Unmarshal(v.Data, &form); err != nil {
					t.Fatal(err)
				}
				if got := form.SignedText(); got != v.Message {
					t.Errorf("signed text = %q; want %q", got, v.Message)
				}
				if got := v.Key.SignForm(form); got != v.Signature {
					t.Errorf("sign = %s; want %s", got, v.Signature)
				}
				form[anymoney.FieldSign] = v.Signature
				if err := v.Key.VerifyForm(form); err != nil {
					t.Errorf("VerifyForm = %v", err)
				}
				return
			}
			o, err := anymoney.ParseObject(v.Data)
			if err != nil {
				t.Fatal(err)
			}
			if got := anymoney.SignedText(o, v.UTCNowMS); got != v.Message {
				t.Errorf("signed text = %q; want %q", got, v.Message)
			}
			if got := v.Key.Sign(o, v.UTCNowMS); got != v.Signature {
				t.Errorf("signature = %s; want %s", got, v.Signature)
			}
			if err := v.Key.Verify(o, v.UTCNowMS, v.Signature); err != nil {
				t.Errorf("Verify = %v", err)
			}
		})
	}
}
