package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/billing"
	"github.com/partnerkit/partnerkit/adapter/ledger"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/token"
	"github.com/partnerkit/partnerkit/adapter/worker"
)

// billingTokenTTL is how long a token of a request to the billing is good: clocks may differ,
// and nobody needs it any more once the request has arrived.
const billingTokenTTL = time.Minute

// fundsFlags say who keeps the users' money.
type fundsFlags struct {
	Funds          string `group:"Funds" default:"ledger" placeholder:"WHERE" help:"Who keeps users' money: ledger (here) or billing (the partner's own system, docs/billing.openapi.yaml). Changed only while no payment is under way. Default: ${default}."`
	BillingURL     string `group:"Funds" placeholder:"URL" help:"The billing's address, for example https://billing.example.com/partnerkit."`
	BillingSecret  secret `group:"Funds" placeholder:"TEXT" help:"Secret, 32 bytes or more, under which the billing's request tokens are signed (HS256), or file:NAME of a file with it. Not for the command line."`
	BillingCA      string `group:"Funds" type:"path" placeholder:"FILE" help:"PEM certificates of the authorities that vouch for the billing. Default: the system's."`
	BillingCert    string `group:"Funds" type:"path" placeholder:"FILE" help:"PEM certificate that the adapter shows to the billing (mutual TLS)."`
	BillingCertKey string `group:"Funds" type:"path" placeholder:"FILE" help:"Its key, PEM."`
}

// faults; payins says that Any.Money's are taken, which credit users in the ledger.
func (f fundsFlags) faults(payins bool) (faults []error) {
	switch f.Funds {
	case string(store.Ledger):
		if f.BillingURL != "" {
			faults = append(faults, errors.New("--billing-url: has no use with --funds=ledger"))
		}
		return faults
	case string(store.Billing):
	default:
		return append(faults, errors.New("--funds: must be ledger or billing"))
	}
	if payins {
		faults = append(faults, errors.New("--funds=billing: does not go with --anymoney-url: Any.Money's payins credit users in the ledger here, and the billing knows nothing of them; leave out --anymoney-url, or keep the funds in the ledger"))
	}
	if err := checkURL(f.BillingURL); err != nil {
		faults = append(faults, fmt.Errorf("--billing-url: %w", err))
	}
	if _, err := f.keys(); err != nil {
		faults = append(faults, fmt.Errorf("--billing-secret: %w", err))
	}
	if _, err := f.tls(); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// keys are those that sign the tokens of requests.
func (f fundsFlags) keys() (token.Keys, error) { return token.NewKeys([]byte(f.BillingSecret)) }

// tls is how the billing is known, and how it knows us.
func (f fundsFlags) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.BillingCA != "" {
		pem, err := os.ReadFile(f.BillingCA) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, fmt.Errorf("--billing-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--billing-ca: %s holds no certificate", f.BillingCA)
		}
	}
	if (f.BillingCert == "") != (f.BillingCertKey == "") {
		return nil, errors.New("--billing-cert, --billing-cert-key: give both or none")
	}
	if f.BillingCert != "" {
		// Read again at each handshake, so that a renewed certificate needs no restart.
		if _, err := tls.LoadX509KeyPair(f.BillingCert, f.BillingCertKey); err != nil {
			return nil, fmt.Errorf("--billing-cert: %w", err)
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert, err := tls.LoadX509KeyPair(f.BillingCert, f.BillingCertKey)
			return &cert, err
		}
	}
	return c, nil
}

// funds are where the users' money is kept: the billing, or the ledger if that is nil.
type funds struct{ billing *billing.Client }

// outside is what the workers call; nil where the ledger keeps the funds.
func (f funds) outside() worker.Funds {
	if f.billing == nil {
		return nil
	}
	return f.billing
}

func (f funds) close() {
	if f.billing != nil {
		f.billing.Close()
	}
}

// balances is who knows what users have.
func (f funds) balances(st *store.Store) api.Balances {
	if f.billing == nil {
		return st
	}
	return billingBalances{f.billing}
}

// billingBalances are those that the billing keeps.
type billingBalances struct{ *billing.Client }

// Balance is what a user has there.
func (b billingBalances) Balance(ctx context.Context, user string) (has ledger.Balance, err error) {
	has.Available, has.Reserved, err = b.Client.Balance(ctx, user, currency)
	return has, err
}

// agree checks that a command looks for the funds where the service keeps them.
func (f fundsFlags) agree(ctx context.Context, st *store.Store) error {
	if kept, err := st.Funds(ctx); err != nil || kept != store.Funds(f.Funds) {
		return errors.Join(err, fmt.Errorf("--funds=%s: the service keeps the funds in the %s", f.Funds, kept))
	}
	return nil
}

// openFunds returns where the flags say the money is kept.
func (f fundsFlags) openFunds(timeout time.Duration, connections int, payments billing.Payments, watch outcall.Watch) (funds, error) {
	if f.Funds != string(store.Billing) {
		return funds{}, nil
	}
	keys, err := f.keys()
	if err != nil {
		return funds{}, err
	}
	tokens, err := token.NewBilling(keys, billingTokenTTL, time.Now)
	if err != nil {
		return funds{}, err
	}
	secure, err := f.tls()
	if err != nil {
		return funds{}, err
	}
	client, err := billing.New(billing.Config{
		BaseURL: f.BillingURL, Token: tokens.Mint, TLS: secure, Timeout: timeout, Connections: connections, Watch: watch,
	}, payments)
	return funds{client}, err
}

// keptBy adds to a policy who keeps the funds.
func (f fundsFlags) keptBy(pol adapter.Policy) adapter.Policy {
	pol.Billing = f.Funds == string(store.Billing)
	return pol
}
