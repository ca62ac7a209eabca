package robokassa_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/contract/robokassa"
)

func TestParseFields(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]robokassa.Fields{
		"":                                  nil,
		"a=1&&b=+%2B%20&c":                  {{"a", "1"}, {"b", " + "}, {"c", ""}},
		"InvId=1&invoiceID=1":               {{"InvId", "1"}, {"invoiceID", "1"}}, // twice, but one value
		"PaymentMethods=A&PaymentMethods=B": {{"PaymentMethods", "A"}, {"PaymentMethods", "B"}},
		"Shp_a=1&shp_b=%D0%AF":              {{"Shp_a", "1"}, {"shp_b", "Я"}},
		"a=b=c":                             {{"a", "b=c"}},
	} {
		got, err := robokassa.ParseFields(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("ParseFields(%q): %v\n%s", text, err, diff)
		}
	}
	for text, want := range map[string]string{
		"a=%zz":                                 `malformed parameters: it is not url-encoded: "a"`,
		"%zz=a":                                 `malformed parameters: it is not url-encoded`,
		"a=%ff":                                 `malformed parameters: it has a parameter that is not valid Unicode: "a"`,
		"OutSum=1&outsum=2":                     `malformed parameters: it has a parameter twice: "outsum"`,
		"InvId=1&InvoiceID=2":                   `malformed parameters: it has a parameter twice: "InvoiceID"`,
		"MerchantLogin=a&MrchLogin=b":           `malformed parameters: it has a parameter twice: "MrchLogin"`,
		"Shp_a=1&Shp_a=1":                       `malformed parameters: it has a parameter twice: "Shp_a"`,
		"Shp_a=1&SHP_A=1":                       `malformed parameters: it has a parameter twice: "SHP_A"`,
		strings.Repeat("PaymentMethods=&", 201): `malformed parameters: it has too many parameters`,
	} {
		if _, err := robokassa.ParseFields(text); !errors.Is(err, robokassa.ErrFields) || err.Error() != want {
			t.Errorf("ParseFields(%.40q) fails with %v; want %s", text, err, want)
		}
	}
}

// Names are found in any case and under their old forms; the first one that was sent counts.
func TestNames(t *testing.T) {
	t.Parallel()
	f, err := robokassa.ParseFields("mrchlogin=shop&OUTSUM=1&INVOICEid=7&desc=d&signaturevalue=s&istest=1&STEPBYSTEP=TRUE&recurring=true&Shp_A=x&SHP_b=y")
	if err != nil {
		t.Fatal(err)
	}
	got := robokassa.NewRequest(f)
	want := robokassa.Request{
		Login: "shop", OutSum: "1", InvID: "7", Description: "d", Signature: "s", IsTest: true, StepByStep: true, Recurring: true,
		Shp: robokassa.Fields{{Name: "Shp_A", Value: "x"}, {Name: "SHP_b", Value: "y"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	for _, not := range []string{"IsTest=0", "IsTest=", "IsTest=true", "IsTest=11"} {
		f, err := robokassa.ParseFields(not)
		if err != nil || robokassa.NewRequest(f).IsTest {
			t.Errorf("%s is a test payment (%v)", not, err)
		}
	}
}

func TestAppendTo(t *testing.T) {
	t.Parallel()
	f := robokassa.Fields{{Name: "a", Value: "1 &"}}
	for address, want := range map[string]string{
		"https://s.example":         "https://s.example?a=1+%26",
		"https://s.example/ok?":     "https://s.example/ok?a=1+%26",
		"https://s.example/ok?x=1":  "https://s.example/ok?x=1&a=1+%26",
		"https://s.example/ok?x=1&": "https://s.example/ok?x=1&a=1+%26",
		"https://s.example/ok#part": "https://s.example/ok?a=1+%26#part",
	} {
		if got := f.AppendTo(address); got != want {
			t.Errorf("AppendTo(%s) = %s; want %s", address, got, want)
		}
	}
}

// What is read is written again with the same meaning, and a request keeps all of it that
// has a name.
func FuzzParseFields(f *testing.F) {
	for _, v := range vectors(f).Signatures {
		f.Add(v.WireMD5 + v.BodyMD5 + v.QueryMD5)
	}
	f.Add("a=1&a=2")
	f.Add("a=%ff;%zz&&=")
	f.Fuzz(func(t *testing.T, text string) {
		fields, err := robokassa.ParseFields(text)
		if err != nil {
			if _, ok := errors.AsType[*robokassa.FieldsError](err); !ok {
				t.Fatalf("ParseFields(%q) = %#v", text, err)
			}
			return
		}
		again, err := robokassa.ParseFields(fields.Encode())
		if len(fields) > 0 && !cmp.Equal(fields, again) || err != nil {
			t.Fatalf("%q written back is %q: %v", text, fields.Encode(), err)
		}
		r := robokassa.NewRequest(fields).Signed(robokassa.MD5, "secret")
		if err := r.Verify(robokassa.DefaultLeniency(), robokassa.MD5, "secret"); err != nil {
			t.Fatalf("%q signed by us is refused: %v", text, err)
		}
		sent, err := robokassa.ParseFields(r.Fields().Encode())
		if err != nil {
			t.Fatal(err)
		}
		if got := robokassa.NewRequest(sent); got.Base() != r.Base() || got.Signature != r.Signature {
			t.Fatalf("the request changed on its way: %+v, was %+v", got, r)
		}
		if r, err := robokassa.NewResult(fields); err == nil && r.Signed(robokassa.MD5, "a").Verify(robokassa.MD5, "b") == nil {
			t.Fatal("a result signed with one password passes under another")
		}
	})
}
