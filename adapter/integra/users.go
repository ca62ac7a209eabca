package integra

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/contract/integra"
)

// UserStore keeps users.
type UserStore interface {
	UserSource
	// AddUsers stores new users, all or none; one whose hash or login is taken is an
	// *adapter.TakenError.
	AddUsers(ctx context.Context, users []adapter.User) error
	// SetArchived notes since when a user is archived; the zero time for not any more.
	SetArchived(ctx context.Context, hash string, at time.Time) error
}

// Users registers users at the platform, imports, archives and logs them in, and hands on what
// the platform says of and to them. It is safe for concurrent use.
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
// the caller can try again to store it. A login that the platform has already is an
// *adapter.Refusal that names it.
func (u *Users) Register(ctx context.Context, r adapter.Registration) (adapter.User, error) {
	if r.Login == "" {
		return adapter.User{}, fmt.Errorf("%w: login is empty", adapter.ErrInvalid)
	}
	hash, key, err := u.create(ctx, r)
	if refusedWith(err, integra.CodeHashTaken) { // the documented remedy is another hash
		hash, key, err = u.create(ctx, r)
	}
	if call := (*CallError)(nil); refusedWith(err, integra.CodeHashTaken) && errors.As(err, &call) {
		// Two new hashes are not taken by chance: the same code tells of the login.
		err = &adapter.Refusal{Code: call.Code, Message: call.Detail, Field: "login", Reason: loginTaken}
	}
	if err != nil {
		return adapter.User{}, fmt.Errorf("register user %q: %w", r.Login, err)
	}
	user := adapter.User{Hash: hash, Login: r.Login, SealedKey: u.vault.Seal(hash, key), CreatedAt: u.now().UTC().Truncate(time.Microsecond)}
	if err := u.keep(context.WithoutCancel(ctx), user); err != nil {
		return user, fmt.Errorf("store user %q, whom the platform knows as %s: %w", r.Login, hash, err)
	}
	return user, nil
}

// loginTaken says what to do where the platform says twice that a new hash is taken.
const loginTaken = "another user has it at the platform, which refused two new hashes under this code: choose another; or, if it is your user, import it with its crypt key (adapter users import)"

// keep stores a user whose crypt key nobody else has, and does not give up at once.
func (u *Users) keep(ctx context.Context, user adapter.User) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := u.store.AddUsers(ctx, []adapter.User{user})
		if errors.Is(err, adapter.ErrConflict) || errors.Is(err, adapter.ErrInvalid) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithMaxElapsedTime(keepFor))
	return err
}

// keepFor is how long a new user is tried to be stored while the store is out of order.
const keepFor = 5 * time.Second

// create makes one attempt under a new hash.
func (u *Users) create(ctx context.Context, r adapter.Registration) (hash, key string, err error) {
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

// Login returns a user's way into the platform's page: cryptLogin with a notification address
// that proves it is ours. screen opens a certain screen, with or without a slash in front, and
// may be empty. No call is made. A screen that there is not is adapter.ErrInvalid, a user who
// is archived adapter.ErrArchived.
func (u *Users) Login(ctx context.Context, user, screen string) (adapter.Login, error) {
	link, err := u.loginURL(ctx, user, screen)
	if err != nil {
		return adapter.Login{}, fmt.Errorf("login of user %s: %w", user, err)
	}
	return adapter.Login{URL: link, Embed: embed(link, u.client.cfg.Resizer)}, nil
}

func (u *Users) loginURL(ctx context.Context, user, screen string) (string, error) {
	var query url.Values
	if screen != "" {
		known, err := integra.ParseDeeplink(screen)
		if err != nil {
			return "", fmt.Errorf("%w: r: %w", adapter.ErrInvalid, err)
		}
		query = url.Values{integra.ParamScreen: {string(known)}}
	}
	who, err := u.client.keys.user(ctx, user)
	switch {
	case err != nil:
		return "", err
	case who.archived:
		return "", adapter.ErrArchived
	}
	notify, err := u.endpoint.Template(user)
	if err != nil {
		return "", err
	}
	k, err := integra.Seal(u.client.cfg.Cipher, who.cred, integra.LoginArgs{Login: who.login, Hash: user, PaymentNotifyURL: notify})
	if err != nil {
		return "", err
	}
	return integra.RequestURL(u.client.cfg.BaseURL, u.client.cfg.PartnerPath, integra.CryptLogin, k, query)
}

// embed is the HTML of an iframe that grows with the page in it (spec: resizer is the address
// of the partner's copy of iframeResizer).
func embed(src, resizer string) string {
	return fmt.Sprintf(`<script src="%s"></script>`+"\n"+
		`<iframe src="%s" style="width:100%%;min-height:600px;border:0" onload="iFrameResize({checkOrigin:false}, this)"></iframe>`,
		html.EscapeString(resizer), html.EscapeString(src))
}

// Archive archives a user at the platform and then here, and returns the day up to which the
// platform goes on charging. A *CallError says that the platform did not say yes: nothing has
// changed here, and it can be tried again.
func (u *Users) Archive(ctx context.Context, user string) (lastBilling string, err error) {
	cred, err := u.client.keys.credentials(ctx, user)
	if err != nil {
		return "", fmt.Errorf("archive user %s: %w", user, err)
	}
	data, err := ask[integra.ArchiveUserResult](ctx, u.client, integra.ArchiveUser, cred, u.client.asPartner())
	if err == nil {
		err = u.setArchived(ctx, user, u.now())
	}
	if err != nil {
		return "", fmt.Errorf("archive user %s: %w", user, err)
	}
	return outcall.Clean(data.LastBillingDate), nil
}

// Unarchive is the way back from Archive.
func (u *Users) Unarchive(ctx context.Context, user string) error {
	cred, err := u.client.keys.credentials(ctx, user)
	if err == nil {
		_, err = ask[integra.UnarchiveUserResult](ctx, u.client, integra.UnarchiveUser, cred, u.client.asPartner())
	}
	if err == nil {
		err = u.setArchived(ctx, user, time.Time{})
	}
	if err != nil {
		return fmt.Errorf("unarchive user %s: %w", user, err)
	}
	return nil
}

// setArchived notes what the platform has done, also if the caller has gone meanwhile.
func (u *Users) setArchived(ctx context.Context, user string, at time.Time) error {
	defer u.client.keys.forget(user)
	return u.store.SetArchived(context.WithoutCancel(ctx), user, at)
}

// Live returns what the platform says of a user now.
func (u *Users) Live(ctx context.Context, user string) (adapter.PlatformUser, error) {
	data, err := u.client.UserData(ctx, user)
	if err != nil {
		return adapter.PlatformUser{}, err
	}
	live := adapter.PlatformUser{
		Balance: string(data.Balance), DailyBudget: string(data.DailyBudget), DailyExpense: string(data.DailyExpense),
		Site: outcall.Clean(data.URL), Status: outcall.Clean(string(data.Status)), Progress: outcall.Clean(string(data.Progress)),
		Unread: data.UnreadCount,
	}
	if data.BalanceInfo.UntilTime > 0 {
		live.LastsUntil = time.UnixMilli(data.BalanceInfo.UntilTime).UTC()
	}
	return live, nil
}
