package reference

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const sample = `{"openapi":"3.1.0","info":{"title":"An API","version":"1","description":"First.\n\nSecond <b>."},
"paths":{"/v1/things":{"get":{"operationId":"list-things","summary":"Things","tags":["things"],"security":[{"bearer":["things:read"]}],
"parameters":[{"name":"limit","in":"query","schema":{"type":"integer","format":"int64","minimum":1,"maximum":500,"default":50,"description":"How many"}}],
"responses":{"200":{"description":"OK","content":{"application/json":{"schema":{"$ref":"#/components/schemas/List"}}}},"401":{"description":"Unauthorized"}}},
"post":{"operationId":"make-thing","summary":"Make one","tags":["things"],"parameters":[{"name":"Idempotency-Key","in":"header","required":true,"schema":{"type":"string"}}],
"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing"}}}},"responses":{"201":{"description":"Created"}}}}},
"components":{"schemas":{"Thing":{"type":"object","required":["name"],"properties":{"$schema":{"type":"string"},"name":{"type":"string","examples":["a"]},"kind":{"type":"string","enum":["x","y"]},"note":{"type":["string","null"],"maxLength":9}}},
"List":{"type":"object","properties":{"things":{"type":"array","items":{"$ref":"#/components/schemas/Thing"}}}}}}}`

func served(t *testing.T, document, query string) (int, string) {
	t.Helper()
	h := New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(document)) }), slog.New(slog.DiscardHandler))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, Path+query, nil))
	return rec.Code, rec.Body.String()
}

func TestReference(t *testing.T) {
	t.Parallel()
	for query, words := range map[string][]string{
		"": {
			"<h1>An API", "<p>Second &lt;b&gt;.</p>", `id="list-things"`, "<code>/v1/things</code>", "needs the scope <code>things:read</code>",
			"integer, 1 to 500, 50 if left out", "How many", "things[].name", "array of object", "x | y", "string or null, up to 9 characters",
			`Idempotency-Key: order-1`, `{&#34;name&#34;:&#34;a&#34;}`, "(required)",
		},
		"?q=make+NAME": {`id="make-thing"`},
		"?q=no+such":   {"No call has all these words"},
		"?lang=ru":     {"нужен доступ", "Тело запроса", "(обязательно)"},
	} {
		status, body := served(t, sample, query)
		if status != http.StatusOK {
			t.Errorf("%s: %d %s", query, status, body)
		}
		for _, word := range words {
			if !strings.Contains(body, word) {
				t.Errorf("%s: no %s in it", query, word)
			}
		}
		if strings.Contains(body, "$schema") {
			t.Errorf("%s: shows $schema", query)
		}
	}
	if status, body := served(t, "<html>", ""); status != http.StatusInternalServerError || strings.Contains(body, "invalid character") {
		t.Errorf("no document: %d %s", status, body)
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	if err := site.Check(); err != nil {
		t.Error(err)
	}
}

// Whatever a document says, it is shown or refused.
func FuzzDocument(f *testing.F) {
	f.Add(sample)
	f.Add(`{"paths":{"/":{"get":{"parameters":[{"schema":{"$ref":"#/components/schemas/A"}}]}}},"components":{"schemas":{"A":{"$ref":"#/components/schemas/A","items":null}}}}`)
	f.Add(`{"components":{"schemas":{"A":{"properties":{"a":{"$ref":"x/A"}}}}},"paths":{"/":{"post":{"requestBody":{"content":{"":{"schema":{"$ref":"x/A"}}}}}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = load(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }))
	})
}
