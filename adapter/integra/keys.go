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
	cred     integra.Credentials
	login    string
	archived bool
	until    time.Time
}

func newKeyring(users UserSource, vault Vault, now func() time.Time) *keyring {
	kept, err := lru.New[string, keptUser](keptUsers)
	if err != nil { // only for a size that is not positive
		panic(err)
	}
	return &keyring{users: users, vault: vault, now: now, kept: kept}
}

// user returns what a call about a user needs to know.
func (k *keyring) user(ctx context.Context, hash string) (keptUser, error) {
	u, ok := k.kept.Get(hash)
	if ok && k.now().Before(u.until) {
		return u, nil
	}
	stored, err := k.users.User(ctx, hash)
	if err != nil {
		return keptUser{}, fmt.Errorf("crypt key of user %s: %w", hash, err)
	}
	key, err := k.vault.Open(hash, stored.SealedKey)
	if err != nil {
		return keptUser{}, fmt.Errorf("crypt key of user %s: %w", hash, err)
	}
	u = keptUser{
		cred: integra.Credentials{Hash: hash, Key: key}, login: stored.Login, archived: !stored.ArchivedAt.IsZero(),
		until: k.now().Add(keptFor),
	}
	k.kept.Add(hash, u)
	return u, nil
}

// credentials returns a user's credentials alone.
func (k *keyring) credentials(ctx context.Context, hash string) (integra.Credentials, error) {
	u, err := k.user(ctx, hash)
	return u.cred, err
}

// forget makes the next call about a user read the store.
func (k *keyring) forget(hash string) { k.kept.Remove(hash) }

// Refuses returns why the platform cannot or need not be asked for money of a user: nobody
// registered the user here, or the user is archived; "" for all others. Any other reason for
// having no key is an error.
func (c *Client) Refuses(ctx context.Context, user string) (reason string, err error) {
	u, err := c.keys.user(ctx, user)
	switch {
	case errors.Is(err, adapter.ErrNotFound):
		return adapter.ReasonUnknownUser, nil
	case u.archived:
		return adapter.ReasonArchived, nil
	}
	return "", err
}
