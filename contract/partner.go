package contract

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/contract/integra"
)

// What the suite does as a partner at Integra on behalf of an adapter's users.

func (p Partner) cipher() string { return cmp.Or(p.Cipher, integra.Simple.Name()) }

// sealed is the address of a call.
func (e *env) sealed(m integra.Method, cred integra.Credentials, args any, query url.Values) (string, error) {
	cipher, err := integra.CipherByName(e.partner.cipher())
	if err != nil {
		return "", err
	}
	k, err := integra.Seal(cipher, cred, args)
	if err != nil {
		return "", err
	}
	return integra.RequestURL(e.platform, e.partner.Path, m, k, query)
}

// createUser makes a user at the platform and returns the crypt key.
func (e *env) createUser(ctx context.Context, login, hash string) (key string, err error) {
	address, err := e.sealed(integra.CreateUser, integra.Credentials{Hash: e.partner.Hash, Key: e.partner.Key},
		integra.CreateUserArgs{Username: login, Hash: hash}, nil)
	if err != nil {
		return "", errorf("createUser: %w", err)
	}
	body, err := e.fetch(ctx, address)
	if err != nil {
		return "", errorf("createUser: %w", err)
	}
	var answer struct {
		Error  bool                     `json:"error"`
		Status struct{ Message string } `json:"status"`
		Data   integra.CreateUserResult `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", errorf("createUser: %w", err)
	}
	if answer.Error || answer.Data.CryptKey == "" {
		return "", errorf("createUser: the platform says %q", answer.Status.Message)
	}
	return answer.Data.CryptKey, nil
}

// open loads the platform's page for a user, from which the platform knows where to notify.
func (e *env) open(ctx context.Context, u *User) error {
	var link string
	if e.hook.Has(opLink) {
		answer, err := e.hook.Do(ctx, opLink, map[string]string{"user": u.hash})
		if err != nil {
			return err
		}
		link = answer["url"]
	} else {
		template := e.notifyURL
		if e.hasProof() {
			template = strings.ReplaceAll(template, "{proof}", url.QueryEscape(u.proven()))
		}
		var err error
		link, err = e.sealed(integra.CryptLogin, integra.Credentials{Hash: u.hash, Key: u.key},
			integra.LoginArgs{Login: u.login, Hash: u.hash, PaymentNotifyURL: template}, nil)
		if err != nil {
			return errorf("cryptLogin: %w", err)
		}
	}
	if _, err := e.fetch(ctx, link); err != nil {
		return errorf("open the platform's page of user %s: %w", u.hash, err)
	}
	return nil
}

// fetch returns the body of an answer 200.
func (e *env) fetch(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := e.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := readAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errorf("%s: %s", res.Status, oneLine(string(body), 200))
	}
	return body, err
}

// parseTemplate reads a notification URL which may have {proof} as well.
func parseTemplate(text string) (integra.NotifyTemplate, error) {
	return integra.ParseNotifyTemplate(strings.ReplaceAll(text, "{proof}", "proof"))
}

// freeAddress is an address of the loopback interface that is free at the moment, below the
// ports that systems give to outgoing connections: it is still free when a killed adapter
// comes back to it.
func freeAddress() (string, error) {
	for tries := 1; ; tries++ {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)) //nolint:gosec // chance, no secret
		l, err := net.Listen("tcp", address)                             //nolint:noctx // it does not wait
		switch {
		case err == nil:
			return address, l.Close()
		case tries == 100:
			return "", errorf("look for a free port: %w", err)
		}
	}
}

// dial connects to an address.
func dial(ctx context.Context, u *url.URL) (net.Conn, error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host := net.JoinHostPort(u.Hostname(), port)
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	if u.Scheme == "https" {
		return (&tls.Dialer{NetDialer: dialer, Config: &tls.Config{MinVersion: tls.VersionTLS12}}).DialContext(ctx, "tcp", host)
	}
	return dialer.DialContext(ctx, "tcp", host)
}

// reachable tries whether anybody listens at an address; key is where it stands in the target.
func reachable(ctx context.Context, key, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errorf("%s: %w", key, err)
	}
	conn, err := dial(ctx, u)
	if err != nil {
		return errorf("%s: nobody answers at %s: %w", key, u.Host, err)
	}
	return conn.Close()
}

// reachable tries every address of a platform.
func (p *PlatformTarget) reachable(ctx context.Context) error {
	var errs []error
	if p.Integra != nil {
		errs = append(errs, reachable(ctx, "platform.integra.url", p.Integra.URL))
	}
	if p.AnyMoney != nil {
		errs = append(errs, reachable(ctx, "platform.anymoney.url", p.AnyMoney.URL))
	}
	if p.Robokassa != nil {
		errs = append(errs, reachable(ctx, "platform.robokassa.url", p.Robokassa.URL))
	}
	return errors.Join(errs...)
}
