package integra

import (
	"context"
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/integra"
)

// UserSource finds users; an unknown one is adapter.ErrNotFound.
type UserSource interface {
	User(ctx context.Context, hash string) (adapter.User, error)
}

// Vault seals crypt keys and opens them, each for the user it belongs to.
type Vault interface {
	Seal(user, cryptKey string) []byte
	Open(user string, sealed []byte) (cryptKey string, err error)
}

const (
	keptUsers = 10_000 // some 300 bytes each
	keptFor   = time.Minute
)

// keyring gives the credentials of users. It keeps them for a minute, since every payment
// needs them and they hardly ever change.
type keyring struct {
	users UserSource
	vault Vault
	now   func() time.Time
	kept  *lru.Cache[string, keptUser]
}

type keptUser struct {
	login string
	key   string
	until time.Time
}

func newKeyring(users UserSource, vault Vault, now func() time.Time) *keyring {
	kept, err := lru.New[string, keptUser](keptUsers)
	if err != nil { // only for a size that is not positive
		panic(err)
	}
	return &keyring{users: users, vault: vault, now: now, kept: kept}
}

// user returns a user's credentials and login.
func (k *keyring) user(ctx context.Context, hash string) (cred integra.Credentials, login string, err error) {
	u, ok := k.kept.Get(hash)
	if !ok || !k.now().Before(u.until) {
		stored, err := k.users.User(ctx, hash)
		if err != nil {
			return integra.Credentials{}, "", fmt.Errorf("crypt key of user %s: %w", hash, err)
		}
		key, err := k.vault.Open(hash, stored.SealedKey)
		if err != nil {
			return integra.Credentials{}, "", fmt.Errorf("crypt key of user %s: %w", hash, err)
		}
		u = keptUser{login: stored.Login, key: key, until: k.now().Add(keptFor)}
		k.kept.Add(hash, u)
	}
	return integra.Credentials{Hash: hash, Key: u.key}, u.login, nil
}

// Known reports whether a user is registered here, so that the platform can be called about
// it. Any other reason for having no key is an error.
func (c *Client) Known(ctx context.Context, user string) (bool, error) {
	_, _, err := c.keys.user(ctx, user)
	if errors.Is(err, adapter.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
