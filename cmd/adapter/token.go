package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/token"
	"github.com/partnerkit/partnerkit/adapter/vault"
)

type tokenCmd struct {
	Mint      mintCmd      `cmd:"" help:"Mint an API token, or with --user a notify token."`
	MasterKey masterKeyCmd `cmd:"" help:"Print a new random master key for --master-key-file."`
}

type mintCmd struct {
	databaseFlags
	keyFlags
	Name  string        `placeholder:"NAME" help:"API token: the program or person that holds it."`
	Scope []string      `placeholder:"SCOPE" help:"API token: what it may do; several are joined by commas."`
	User  string        `placeholder:"HASH" help:"Notify token: the user that notifications may be about."`
	Age   time.Duration `placeholder:"TIME" help:"Notify token: as if minted so long ago, to see what an expired one gets."`
	TTL   time.Duration `name:"ttl" default:"168h" placeholder:"TIME" help:"How long it is good. Default: ${default}."`
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
	text, err := c.mint(keys)
	if err == nil {
		err = c.record(ctx, log, by)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

// record puts the minting into the audit log, if there is a database yet.
func (c mintCmd) record(ctx context.Context, log *slog.Logger, by operator) (err error) {
	if c.isNew() {
		log.WarnContext(ctx, "minted without a line in the audit log: there is no database yet")
		return nil
	}
	st, err := openStore(ctx, c.databaseFlags, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	on, detail := "token/"+c.Name, fmt.Sprintf("scopes %s, good for %s", strings.Join(c.Scope, ","), c.TTL)
	if c.User != "" {
		on, detail = "user/"+c.User, fmt.Sprintf("notify token, good for %s", c.TTL)
	}
	return by.act(ctx, st, on, detail, func(context.Context) error { return nil })
}

func (c mintCmd) mint(keys *vault.Vault) (string, error) {
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
	return tokens.Mint(token.Grant{ID: rand.Text(), Name: c.Name, Scopes: c.Scope, Expires: time.Now().Add(c.TTL)})
}

type masterKeyCmd struct{}

// Run prints the key.
func (masterKeyCmd) Run(out io.Writer) error {
	_, err := fmt.Fprintln(out, vault.NewKey())
	return err
}
