package robokassa

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	wire "github.com/partnerkit/partnerkit/contract/robokassa"
)

// ByEmail is the method of a ResultURL that is an e-mail address: nothing is called.
const ByEmail = "EMAIL"

// A Shop is what stands in the technical settings of a shop.
type Shop struct {
	Login                        string // MerchantLogin
	Name                         string // shown to buyers; Login if ""
	Password1, Password2         wire.Password
	TestPassword1, TestPassword2 wire.Password  // "" for no test mode
	Password3                    wire.Password  // of the Refund API; "" for no access to it
	Hash, TestHash               wire.Algorithm // MD5 if ""
	ResultURL, ResultMethod      string         // POST if ""; GET, POST or ByEmail
	SuccessURL, SuccessMethod    string         // GET if ""; GET or POST
	FailURL, FailMethod          string         // GET if ""; GET or POST
	Inactive                     bool           // takes test payments alone
	NoHolds, NoRecurring         bool           // what has to be granted, is granted unless these are set
}

// Title is what buyers call the shop.
func (s *Shop) Title() string { return cmp.Or(s.Name, s.Login) }

// key is what signs in one mode.
func (s *Shop) hash(test bool) wire.Algorithm {
	if test {
		return s.TestHash
	}
	return s.Hash
}

func (s *Shop) password1(test bool) wire.Password {
	if test {
		return s.TestPassword1
	}
	return s.Password1
}

func (s *Shop) password2(test bool) wire.Password {
	if test {
		return s.TestPassword2
	}
	return s.Password2
}

func (s *Shop) hasTestMode() bool { return s.TestPassword1 != "" && s.TestPassword2 != "" }

// normal fills in what is not given, and returns a *FieldError for what cannot be.
func (s Shop) normal() (*Shop, error) {
	if s.Login == "" || len(s.Login) > 64 || strings.ContainsAny(s.Login, ":/?#&= \t\r\n") {
		return nil, &FieldError{"login", fmt.Sprintf("%.80q is not 1 to 64 characters without spaces and any of :/?#&=", s.Login)}
	}
	if s.Password1 == "" {
		return nil, &FieldError{"password1", "is empty"}
	}
	if s.Password2 == "" {
		return nil, &FieldError{"password2", "is empty"}
	}
	for _, h := range []struct {
		field string
		hash  *wire.Algorithm
	}{{"hash", &s.Hash}, {"test_hash", &s.TestHash}} {
		a, err := wire.ParseAlgorithm(string(cmp.Or(*h.hash, wire.MD5)))
		if err != nil {
			return nil, &FieldError{h.field, err.Error()}
		}
		*h.hash = a
	}
	for _, a := range []struct {
		field       string
		url, method *string
		possible    []string
	}{
		{"result", &s.ResultURL, &s.ResultMethod, []string{http.MethodPost, http.MethodGet, ByEmail}},
		{"success", &s.SuccessURL, &s.SuccessMethod, []string{http.MethodGet, http.MethodPost}},
		{"fail", &s.FailURL, &s.FailMethod, []string{http.MethodGet, http.MethodPost}},
	} {
		*a.method = strings.ToUpper(cmp.Or(*a.method, a.possible[0]))
		if !slices.Contains(a.possible, *a.method) {
			return nil, &FieldError{a.field + "_method", fmt.Sprintf("%.40q is none of %q", *a.method, a.possible)}
		}
		if *a.url != "" && *a.method != ByEmail && !isWebAddress(*a.url) {
			return nil, &FieldError{a.field + "_url", fmt.Sprintf("%.80q is no http or https address", *a.url)}
		}
	}
	return &s, nil
}

func isWebAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(text) <= 2048
}

// PutShop adds a shop, or changes the one with that login; its operations stay. The error is
// a *FieldError.
func (p *Platform) PutShop(with Shop) error {
	shop, err := with.normal()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shops[shop.Login] = shop
	return nil
}

// Shops returns every shop, passwords included, in the order of their logins.
func (p *Platform) Shops() []Shop {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Shop, 0, len(p.shops))
	for _, shop := range p.shops {
		all = append(all, *shop)
	}
	slices.SortFunc(all, func(a, b Shop) int { return strings.Compare(a.Login, b.Login) })
	return all
}
