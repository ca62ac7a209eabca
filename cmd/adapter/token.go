package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/adapter/token"
	"github.com/partnerkit/partnerkit/adapter/vault"
)

type tokenCmd struct {
	Mint      mintCmd       `cmd:"" help:"Mint an API token, or with --user a notify token."`
	List      listTokensCmd `cmd:"" help:"List the API tokens that were minted here or revoked." example:"adapter token list"`
	Revoke    revokeCmd     `cmd:"" help:"Make an API token good no more, at once and everywhere."`
	MasterKey masterKeyCmd  `cmd:"" help:"Print a new random master key for --master-key-file." example:"(umask 077; adapter token master-key > master-key)"`
}

type mintCmd struct {
	databaseFlags
	keyFlags
	Name  string        `placeholder:"NAME" help:"API token: the program or person that holds it."`
	Scope []string      `placeholder:"SCOPE" help:"API token: what it may do; several are joined by commas: payments:read, payments:write, ledger:write, users:write, payins:read, payins:write; admin may everything."`
	User  string        `placeholder:"HASH" help:"Notify token: the user that notifications may be about."`
	Age   time.Duration `placeholder:"TIME" help:"Notify token: as if minted so long ago, to see what an expired one gets."`
	TTL   time.Duration `name:"ttl" default:"168h" placeholder:"TIME" help:"How long it is good. Default: ${default}."`
}

// Help is shown by adapter token mint --help.
func (mintCmd) Help() string {
	return `The token is printed once and not kept; its id is, so that it can be revoked.

Examples:
  adapter token mint --name panel --scope payments:read,payments:write,users:write --ttl 720h
  adapter token mint --name "Anna Petrova" --scope admin --ttl 12h
  adapter token mint --user HASH            # what stands in the notification address of a user`
}

// Run prints the token alone.
func (c mintCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	faults := c.keyFlags.faults(c.databaseFlags)
	switch {
	case c.User != "" && (c.Name != "" || len(c.Scope) > 0):
		faults = append(faults, errors.New("--user: a notify token has no --name and no --scope"))
	case c.User != "" && !adapter.ValidUserHash(c.User):
		faults = append(faults, errors.New("--user: must be a hash of 32 letters or digits"))
	case c.User == "" && (c.Name == "" || len(c.Scope) == 0):
		faults = append(faults, errors.New("--name and --scope: an API token needs both; a notify token needs --user"))
	}
	if c.Age < 0 || c.Age > 0 && c.User == "" {
		faults = append(faults, errors.New("--age: must be positive, and is for notify tokens"))
	}
	for _, s := range c.Scope {
		if !slices.Contains(api.Scopes, s) {
			faults = append(faults, fmt.Errorf("--scope: %q is none of %s", s, strings.Join(api.Scopes, ", ")))
		}
	}
	if c.TTL < time.Minute {
		faults = append(faults, errors.New("--ttl: must be at least 1m"))
	}
	if err := refuse(c.databaseFlags.faults(), faults); err != nil {
		return err
	}
	keys, err := c.keyFlags.open(c.databaseFlags, log)
	if err != nil {
		return err
	}
	now := time.Now()
	grant := token.Grant{ID: rand.Text(), Name: c.Name, Scopes: c.Scope, Expires: now.Add(c.TTL)}
	text, err := c.mint(keys, grant)
	if err == nil {
		err = c.record(ctx, log, by, adapter.Token{ID: grant.ID, Name: grant.Name, Scopes: grant.Scopes, MintedAt: now, ExpiresAt: grant.Expires})
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

// record remembers an API token, and puts the minting into the audit log, if there is a database yet.
func (c mintCmd) record(ctx context.Context, log *slog.Logger, by operator, t adapter.Token) (err error) {
	if c.isNew() {
		log.WarnContext(ctx, "minted without a line in the audit log: there is no database yet")
		return nil
	}
	st, err := openStore(ctx, c.databaseFlags, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if c.User != "" {
		return by.act(ctx, st, "user/"+c.User, fmt.Sprintf("notify token, good for %s", c.TTL), func(context.Context) error { return nil })
	}
	detail := fmt.Sprintf("scopes %s, good for %s, id %s", strings.Join(c.Scope, ","), c.TTL, t.ID)
	return by.act(ctx, st, "token/"+c.Name, detail, func(ctx context.Context) error { return st.AddToken(ctx, t) })
}

func (c mintCmd) mint(keys *vault.Vault, grant token.Grant) (string, error) {
	if c.User != "" {
		tokens, err := notifyTokens(keys, c.TTL, func() time.Time { return time.Now().Add(-c.Age) })
		if err != nil {
			return "", err
		}
		return tokens.Mint(c.User)
	}
	tokens, err := apiTokens(keys)
	if err != nil {
		return "", err
	}
	return tokens.Mint(grant)
}

type listTokensCmd struct {
	databaseFlags
	outputFlags
}

// tokenJSON is a token as the command prints it: everything but the token itself.
type tokenJSON struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Scopes    []string `json:"scopes"`
	MintedAt  string   `json:"minted_at,omitempty"`
	ExpiresAt string   `json:"expires_at,omitempty"`
	RevokedAt string   `json:"revoked_at,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	State     string   `json:"state"`
}

// Run lists tokens, the newest first.
func (c listTokensCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	list, err := st.Tokens(ctx)
	if err != nil {
		return err
	}
	rows := make([]tokenJSON, len(list))
	t := table{head: []string{"ID", "NAME", "STATE", "SCOPES", "MINTED", "EXPIRES", "REVOKED", "REASON"}}
	for i, k := range list {
		state := "good"
		switch {
		case !k.RevokedAt.IsZero():
			state = "revoked"
		case k.ExpiresAt.Before(time.Now()):
			state = "expired"
		}
		rows[i] = tokenJSON{k.ID, k.Name, k.Scopes, stamp(k.MintedAt), stamp(k.ExpiresAt), stamp(k.RevokedAt), k.Reason, state}
		t.add(k.ID, k.Name, state, strings.Join(k.Scopes, ","), stamp(k.MintedAt), stamp(k.ExpiresAt), stamp(k.RevokedAt), k.Reason)
	}
	return c.print(out, rows, t.String())
}

type revokeCmd struct {
	databaseFlags
	ID     string `arg:"" help:"The token's id (jti), as token list and the logs show it."`
	Reason string `placeholder:"TEXT" help:"Why, for the list."`
}

// Help is shown by adapter token revoke --help.
func (revokeCmd) Help() string {
	return `A token is refused from the next request on, by every replica. Tokens that others mint under --api-public-key are revoked by their jti likewise.

Examples:
  adapter token list
  adapter token revoke 4KXBZ2JQ6RHT5VWY7P3MNCDE2A --reason "laptop stolen"`
}

// Run revokes the token.
func (c revokeCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) (err error) {
	if c.ID == "" || len(c.ID) > 255 || strings.Count(c.ID, ".") == 2 {
		return refuse([]error{errors.New("id: want the token's id, as token list shows it, not the token itself")})
	}
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	err = by.act(ctx, st, "token/"+c.ID, c.Reason, func(ctx context.Context) error {
		return st.RevokeToken(ctx, adapter.Token{ID: c.ID, RevokedAt: time.Now(), Reason: c.Reason})
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, "revoked", c.ID); err != nil {
		return err
	}
	known, err := st.Tokens(ctx)
	if err != nil {
		return err
	}
	for _, k := range known {
		if k.ID == c.ID && k.MintedAt.IsZero() { // somebody else's, or misspelt while the real one goes on
			_, err = fmt.Fprintln(out, "no token of this id was minted here: is it one of --api-public-key? adapter token list shows ours")
		}
	}
	return err
}

type masterKeyCmd struct{}

// Run prints the key.
func (masterKeyCmd) Run(out io.Writer) error {
	_, err := fmt.Fprintln(out, vault.NewKey())
	return err
}
