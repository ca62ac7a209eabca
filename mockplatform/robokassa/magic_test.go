package robokassa_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
	"github.com/partnerkit/partnerkit/mockplatform/robokassa"
)

// A sum of the table makes trouble for its own payment, and for no other.
func TestMagicAmounts(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for i, tt := range []struct {
		sum  string
		told string // sums that ResultURL hears of, and whether each is signed rightly
		asks string // statuses of three calls of OpState; 0 for none
	}{
		{"4040.00", "4040.00 true", "[200 200 200]"},
		{"4040.01", "4040.01 true, 4040.01 true", "[200 200 200]"},
		{"4040.02", "4040.02 true, 4040.02 true", "[200 200 200]"},
		{"4040.03", "4040.03 true", "[200 200 200]"},
		{"4040.04", "4040.04 true", "[200 200 200]"},
		{"4040.05", "4041.05 true, 4040.05 true", "[200 200 200]"},
		{"4040.06", "4040.06 false, 4040.06 true", "[200 200 200]"},
		{"4040.07", "", "[200 200 200]"},
		{"4040.11", "4040.11 true", "[0 200 200]"},
		{"4040.12", "4040.12 true", "[0 200 200]"},
		{"4040.13", "4040.13 true", "[503 503 503]"},
		{"4040.17", "4040.17 true", "[500 200 200]"},
	} {
		id := int64(100 + i)
		number := num(id)
		r := basic(number)
		r.OutSum = tt.sum
		var told []string
		s.shop.answers(func(h heard) (int, string) {
			f := h.fields(t)
			if f.Get(wire.FieldInvID) != number {
				return 200, wire.Answer(f.Get(wire.FieldInvID))
			}
			sum := f.Get(wire.FieldOutSum)
			sum = sum[:strings.IndexByte(sum, '.')+3]
			result, err := wire.NewResult(f)
			good := err == nil && result.Verify(wire.MD5, pass2) == nil
			told = append(told, fmt.Sprint(sum, " ", good))
			if !good || sum != tt.sum {
				return 400, "bad"
			}
			return 200, wire.Answer(number)
		})
		s.open(r)
		s.act(id, robokassa.ActPay)
		s.advance(10 * time.Minute)
		var asks []int
		for range 3 {
			status, err := s.ask(number)
			if err != nil {
				status = 0
			}
			asks = append(asks, status)
		}
		if got := strings.Join(told, ", "); got != tt.told || fmt.Sprint(asks) != tt.asks {
			t.Errorf("%s: told %q, asks %v; want %q, %s", tt.sum, got, asks, tt.told, tt.asks)
		}
	}
	s.faults.UseMagic(false)
	r := basic("200")
	r.OutSum = "4040.13"
	s.open(r)
	if status, err := s.ask("200"); status != 200 || err != nil {
		t.Errorf("the sum is magic though that was turned off: %d %v", status, err)
	}
	s.faults.UseMagic(true)
	// The same number of another shop is another payment.
	must(t, s.platform.PutShop(robokassa.Shop{Login: "other", Password1: pass1, Password2: pass2}))
	r.Login, r.InvID = "other", "201"
	s.open(r)
	if status, err := s.ask("201"); status != 200 || err != nil {
		t.Errorf("the number of another shop: %d %v", status, err)
	}
	// Of an invoice that the shop asks for, the answer to that call is meant.
	token, err := wire.SignToken(`{"typ":"JWT","alg":"MD5"}`, `{"MerchantLogin":"demo-shop","InvoiceType":"OneTime","OutSum":4040.11,"InvId":300}`, wire.MD5, wire.InvoiceKey(login, pass1))
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/InvoiceServiceWebApi/api/CreateInvoice", strings.NewReader(strconv.Quote(token)))
	must(t, err)
	res, err := s.client.Do(req)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	if _, there := s.platform.Operation(login, 300); err == nil || !there {
		t.Errorf("the answer came: %v; made: %t", err, there)
	}
	if status, err := s.ask("300"); status != 200 || err != nil {
		t.Errorf("the next call: %d %v", status, err)
	}
}

// ask asks for the state of an operation, once: no broken connection is tried again.
func (s *stand) ask(number string) (status int, err error) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url+service+"OpState", strings.NewReader(wire.Fields{
		{Name: "MerchantLogin", Value: login}, {Name: "InvoiceID", Value: number}, {Name: "Signature", Value: wire.OpStateBase(login, number).Sign(wire.MD5, pass2)},
	}.Encode()))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.ReadAll(res.Body)
	return res.StatusCode, errors.Join(err, res.Body.Close())
}
