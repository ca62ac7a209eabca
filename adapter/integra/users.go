package integra

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/integra"
)

// UserStore keeps users.
type UserStore interface {
	UserSource
	// AddUser stores a new user.
	AddUser(ctx context.Context, u adapter.User) error
}

// Registration is what the platform is told of a new user. Login is required and unique
// there.
type Registration struct {
	Login           string
	Email           string
	Phone           string // international: +79551234567
	SuggestedDomain string // the site to promote, without scheme
	InviterID       string // the partner's own id of whoever invited the user
}

// Users registers users at the platform and logs them in. It is safe for concurrent use.
type Users struct {
	client   *Client
	store    UserStore
	vault    Vault
	endpoint *Endpoint
	random   io.Reader
	now      func() time.Time
}

// NewUsers returns users that are notified about at the endpoint. random gives new hashes:
// crypto/rand.Reader, or anything safe for concurrent use.
func NewUsers(client *Client, store UserStore, vault Vault, endpoint *Endpoint, random io.Reader, now func() time.Time) *Users {
	return &Users{client: client, store: store, vault: vault, endpoint: endpoint, random: random, now: now}
}

// Register creates a user at the platform under a new hash and stores the crypt key, sealed.
//
// The platform shows the key only once, so two failures need a person: a *CallError whose
// verdict is unknown, when the user may exist there with a key that nobody has; and a store
// that fails afterwards, when Register returns the user together with the error, so that
// the caller can try again to store it.
func (u *Users) Register(ctx context.Context, r Registration) (adapter.User, error) {
	if r.Login == "" {
		return adapter.User{}, fmt.Errorf("%w: login is empty", adapter.ErrInvalid)
	}
	hash, key, err := u.create(ctx, r)
	if refusedWith(err, integra.CodeHashTaken) { // the documented remedy is another hash; if it is the login, the second answer says so
		hash, key, err = u.create(ctx, r)
	}
	if err != nil {
		return adapter.User{}, fmt.Errorf("register user %q: %w", r.Login, err)
	}
	user := adapter.User{Hash: hash, Login: r.Login, SealedKey: u.vault.Seal(hash, key), CreatedAt: u.now().UTC().Truncate(time.Microsecond)}
	if err := u.store.AddUser(context.WithoutCancel(ctx), user); err != nil {
		return user, fmt.Errorf("store user %q, whom the platform knows as %s: %w", r.Login, hash, err)
	}
	return user, nil
}

// create makes one attempt under a new hash.
func (u *Users) create(ctx context.Context, r Registration) (hash, key string, err error) {
	var raw [integra.HashLen / 2]byte
	if _, err := io.ReadFull(u.random, raw[:]); err != nil {
		return "", "", fmt.Errorf("new hash: %w", err)
	}
	hash = hex.EncodeToString(raw[:])
	key, err = u.client.CreateUser(ctx, integra.CreateUserArgs{
		Username: r.Login, Hash: hash, Email: r.Email, Phone: r.Phone,
		SuggestedDomain: r.SuggestedDomain, InviterUserID: integra.Text(r.InviterID),
	})
	return hash, key, err
}

// LoginLink returns the address of the platform's page for a user, for the src of an iframe:
// cryptLogin with a notification address that proves it is ours. screen opens a certain
// screen and may be empty. Whoever has the link is logged in, so it is a secret. No call is made.
func (u *Users) LoginLink(ctx context.Context, user string, screen integra.Deeplink) (string, error) {
	cred, login, err := u.client.keys.user(ctx, user)
	if err != nil {
		return "", fmt.Errorf("login link: %w", err)
	}
	notify, err := u.endpoint.Template(user)
	if err != nil {
		return "", fmt.Errorf("login link: %w", err)
	}
	k, err := integra.Seal(u.client.cfg.Cipher, cred, integra.LoginArgs{Login: login, Hash: user, PaymentNotifyURL: notify})
	if err != nil {
		return "", fmt.Errorf("login link: %w", err)
	}
	var query url.Values
	if screen != "" {
		query = url.Values{integra.ParamScreen: {string(screen)}}
	}
	link, err := integra.RequestURL(u.client.cfg.BaseURL, u.client.cfg.PartnerPath, integra.CryptLogin, k, query)
	if err != nil {
		return "", fmt.Errorf("login link: %w", err)
	}
	return link, nil
}
