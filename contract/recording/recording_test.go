package recording_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/contract/recording"
)

func example() recording.Exchange {
	return recording.Exchange{
		Seq: 1, Protocol: recording.Integra, Method: "confirmPayment", Direction: recording.In,
		Partner: "c9cb3d6a7f7b802f170ca8a166c1375e", User: "49c9adb18e44be0711a94e827042f630", Payment: "83c2446a0896df0f2f0d5e8a2f6cd9a1",
		RealMS: 1_795_000_000_000, TookUS: 1500, Status: 200,
		Request:  "POST /partners/acme/confirmPayment?k=zaa49c9adb18e44be0711a94e827042f630*** HTTP/1.1\r\nHost: sandbox.promopult.org\r\nContent-Type: application/json\r\n\r\n",
		Response: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"error\":false}",
		Args:     `{"amount":"100","transactionId":"83c2446a0896df0f2f0d5e8a2f6cd9a1"}`,
		Sealed:   &recording.Sealed{Path: "partners/acme", Hash: "49c9adb18e44be0711a94e827042f630", Key: recording.KeyUser, Cipher: "simple"},
		Verdict:  recording.Verdict{OK: true},
	}
}

func line(t *testing.T, e recording.Exchange) string {
	t.Helper()
	text, err := e.Line()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is written is read, whatever stands cut off at the end.
func TestRead(t *testing.T) {
	t.Parallel()
	first, second := example(), example()
	second.Seq, second.Status, second.Response = 7, 0, ""
	whole := line(t, first) + line(t, second)
	for _, rest := range []string{"", `{"v":1,"seq`, "\x00"} {
		got, length, err := recording.Read(strings.NewReader(whole + rest))
		first.V, second.V = recording.Version, recording.Version
		if diff := cmp.Diff([]*recording.Exchange{&first, &second}, got); diff != "" || err != nil || length != int64(len(whole)) {
			t.Errorf("with %q behind: %d of %d bytes, %v (-want +got):\n%s", rest, length, len(whole), err, diff)
		}
	}
}

// A bad line is refused by its number and the field that is wrong.
func TestBadLines(t *testing.T) {
	t.Parallel()
	good := line(t, example())
	swap := func(old, by string) string {
		next := strings.Replace(good, `"seq":1`, `"seq":2`, 1)
		if !strings.Contains(next, old) {
			t.Fatalf("the example has no %s", old)
		}
		return strings.Replace(next, old, by, 1)
	}
	for _, tt := range []struct{ name, line, want string }{
		{"no JSON", "nonsense\n", "line 2: line: is not JSON: invalid character 'o' in literal null (expecting 'u'), at byte 2"},
		{"empty", "\n", "line 2: line: is not JSON: EOF"},
		{"no object", "[1]\n", "line 2: line: must be an object, is a array"},
		{"more behind", strings.TrimSuffix(swap(`"v":1`, `"v":1`), "\n") + " {}\n", "line 2: line: goes on behind the object"},
		{"not UTF-8", swap("confirmPayment", "\xff"), "line 2: line: is not UTF-8"},
		{"unknown field", swap(`"v":1`, `"v":1,"vv":1`), "line 2: vv: is no field of version 1"},
		{"another version", swap(`"v":1`, `"v":2`), "line 2: v: is 2: this program reads version 1"},
		{"wrong type", swap(`"status":200`, `"status":"200"`), "line 2: status: must be a whole number, is a string"},
		{"wrong type within", swap(`"ok":true`, `"ok":1`), "line 2: verdict.ok: must be true or false, is a number"},
		{"repeated seq", good, "line 2: seq: 1 follows 1: lines are in order"},
		{"no seq", swap(`"seq":2,`, ""), "line 2: seq: must be from 1"},
		{"protocol", swap(`"integra"`, `"integer"`), `line 2: protocol: "integer" is none of integra, anymoney, robokassa and unknown`},
		{"method", swap(`"method":"confirmPayment"`, `"method":""`), "line 2: method: is missing"},
		{"direction", swap(`"in"`, `"up"`), `line 2: direction: "up" is neither in nor out`},
		{"time", swap(`"real_ms":1795000000000`, `"real_ms":-1`), "line 2: real_ms: -1 is no time before the year 10000"},
		{"duration", swap(`"took_us":1500`, `"took_us":-1`), "line 2: took_us: must not be negative"},
		{"status", swap(`"status":200`, `"status":20`), "line 2: status: 20 is no HTTP status"},
		{"another status", swap(`"status":200`, `"status":201`), "line 2: response: begins with the status 200, not with 201"},
		{"answer without status", swap(`"status":200`, `"status":0`), "line 2: response: must be there if, and only if, there is a status"},
		{"request", swap("POST /partners", "POST/partners"), "line 2: request: does not begin with VERB TARGET HTTP/1.1"},
		{"request without end", swap(`application/json\r\n\r\n","response`, `application/json","response`), "line 2: request: has no empty line behind its headers"},
		{"header", swap("Host: ", "Host "), "line 2: request: has a header without a colon"},
		{"response", swap("HTTP/1.1 200", "HTTP/1.1 ok"), "line 2: response: does not begin with HTTP/1.1 STATUS"},
		{"args", swap(`"args":"{`, `"args":"[`), "line 2: args: is not a JSON object"},
		{"sealed of another", swap(`"integra"`, `"anymoney"`), "line 2: sealed: is of integra alone"},
		{"sealed path", swap(`"path":"partners/acme"`, `"path":"/iframe"`), "line 2: sealed.path: must be one or more segments without slashes around them"},
		{"sealed key", swap(`"key":"user"`, `"key":"mine"`), `line 2: sealed.key: "mine" is neither partner nor user`},
		{"sealed cipher", swap(`"cipher":"simple"`, `"cipher":""`), "line 2: sealed.cipher: is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, whole, err := recording.Read(strings.NewReader(good + tt.line))
			var at *recording.LineError
			if !errors.As(err, &at) || err.Error() != tt.want || whole != int64(len(good)) {
				t.Errorf("%d bytes, %v; want %s", whole, err, tt.want)
			}
		})
	}
	long := good + strings.Repeat("x", recording.MaxLine+1)
	if _, _, err := recording.Read(strings.NewReader(long)); err == nil || err.Error() != "line 2: line: is longer than 32 MiB" {
		t.Errorf("long line: %v", err)
	}
}

// Nothing that is read panics, every refusal names a line and a field, and what is accepted is
// written back as the same.
func FuzzRead(f *testing.F) {
	e := example()
	text, err := e.Line()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(string(text) + `{"v":1`)
	f.Add("{}\n[]\nnull\n")
	f.Add(strings.Replace(string(text), `"seq":1`, `"seq":18446744073709551615`, 1))
	f.Add(strings.Replace(string(text), `\r\n`, `\n`, 3))
	f.Fuzz(func(t *testing.T, text string) {
		got, whole, err := recording.Read(strings.NewReader(text))
		var at *recording.LineError
		switch {
		case whole > int64(len(text)):
			t.Fatalf("%d bytes of %d", whole, len(text))
		case errors.As(err, &at):
			if at.Line < 1 || at.Field == "" || at.Why == "" {
				t.Fatalf("%+v", at)
			}
			return
		case err != nil:
			t.Fatal(err)
		}
		var again strings.Builder
		for _, e := range got {
			line, err := e.Line()
			if err != nil {
				t.Fatal(err)
			}
			again.Write(line)
		}
		back, _, err := recording.Read(strings.NewReader(again.String()))
		if diff := cmp.Diff(got, back); diff != "" || err != nil {
			t.Fatalf("%v (-read +read again):\n%s", err, diff)
		}
	})
}
