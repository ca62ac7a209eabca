package mockplatform_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// A published library for shops (docs/clients.md, docs/third-party.md) works against the
// stand-in as it is: its payment address, under Robokassa's own name, opens the page, and it
// finds the ResultURL message that follows rightly signed, with every algorithm that it has.
func TestRobokassaLibraryForNode(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is not installed: .ci/tools does that")
		}
		t.Skip("NOT TESTED: @dev-aces/robokassa, since node is not installed")
	}
	s := mockplatform.Start(t, func(cfg *mockplatform.Config) { cfg.TLSListen = "127.0.0.1:0" })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.Authority().Certificate(), 0o600); err != nil {
		t.Fatal(err)
	}
	// run gives a script the library and the shop, and returns what it printed.
	run := func(t *testing.T, algorithm, script string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "node", "-e", `
			const {Robokassa} = require('./testdata/clients/dev-aces-robokassa');
			const shop = new Robokassa({merchantLogin: 'node', password1: 'one', password2: 'two', hashAlgorithm: '`+algorithm+`'});`+script)
		cmd.Env = append(os.Environ(), "MOCK_TLS="+strings.TrimPrefix(s.TLSURL(), "https://"), "MOCK_CA="+ca)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v\n%s", err, errs.String())
		}
		return strings.TrimSpace(out.String())
	}
	var recipe string // the connection, as docs/clients.md makes it
	for _, e := range examples(t, "clients.md") {
		if e.language == "js" {
			recipe, _, _ = strings.Cut(e.code, "const address")
		}
	}
	const order = `shop.generatePaymentUrl({outSum: 100.5, invId: NUMBER, description: 'Пополнение', email: 'buyer@example.com',
		userParameters: {Shp_user: 'Вася', shp_b: '2 + 2'},
		receipt: {items: [{name: 'Баланс & "другое"', quantity: 1, sum: 100.5, payment_method: 'full_payment', payment_object: 'service', tax: 'none'}]}})`
	for number, algorithm := range []string{1: "md5", "sha1", "sha256", "sha384", "sha512", "ripemd160"} {
		if number == 0 {
			continue
		}
		t.Run(algorithm, func(t *testing.T) {
			messages := make(chan url.Values, 1)
			result := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				messages <- r.PostForm
				_, _ = w.Write([]byte("OK" + r.PostForm.Get("InvId")))
			}))
			defer result.Close()
			if err := s.Robokassa().PutShop(robokassa.Shop{Login: "node", Password1: "one", Password2: "two", Hash: wire.Algorithm(strings.ToUpper(algorithm)), ResultURL: result.URL}); err != nil {
				t.Fatal(err)
			}
			status := run(t, algorithm, recipe+"https.get("+strings.ReplaceAll(order, "NUMBER", strconv.Itoa(number))+", (answer) => { console.log(answer.statusCode, answer.headers.location || ''); answer.resume(); });")
			if !strings.HasPrefix(status, "303 Index/") {
				t.Fatalf("the page answered %s", status)
			}
			if _, refused := s.Robokassa().Act("node", int64(number), robokassa.ActPay, ""); refused != nil {
				t.Fatalf("the page answered %s; pay: %v", status, refused)
			}
			message := map[string]string{}
			for name, values := range <-messages {
				message[name] = values[0]
			}
			raw, err := json.Marshal(message)
			if err != nil {
				t.Fatal(err)
			}
			if got := run(t, algorithm, "console.log(shop.checkPayment("+string(raw)+"), shop.checkPayment({..."+string(raw)+", OutSum: '1.000000'}));"); got != "true false" {
				t.Errorf("the library says %s of %s, and of the same with another sum; want true false", got, raw)
			}
		})
	}
}
