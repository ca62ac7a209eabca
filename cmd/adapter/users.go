package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/partnerkit/partnerkit/adapter"
	wire "github.com/partnerkit/partnerkit/contract/integra"
)

type usersCmd struct {
	Register registerCmd  `cmd:"" help:"Create a user at the platform and keep its crypt key, sealed."`
	List     listUsersCmd `cmd:"" help:"List users."`
}

type registerCmd struct {
	databaseFlags
	keyFlags
	platformFlags
	notifyFlags
	outputFlags
	Login         string `required:"" placeholder:"LOGIN" help:"The user's login, unique at the platform."`
	Email         string `placeholder:"EMAIL" help:"The user's e-mail address."`
	Phone         string `placeholder:"PHONE" help:"The user's phone, international: +79551234567."`
	SuggestedSite string `placeholder:"DOMAIN" help:"The site to promote, without scheme."`
	InviterID     string `placeholder:"ID" help:"Your own id of whoever invited the user."`
}

// Run registers the user and prints its hash.
func (c registerCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) (err error) {
	p, err := openPartner(ctx, c.databaseFlags, c.keyFlags, c.platformFlags, c.notifyFlags, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	var u adapter.User
	err = by.act(ctx, p.store, "login/"+c.Login, "", func(ctx context.Context) error {
		u, err = p.users.Register(ctx, adapter.Registration{
			Login: c.Login, Email: c.Email, Phone: c.Phone, SuggestedDomain: c.SuggestedSite, InviterID: c.InviterID,
		})
		return err
	})
	if err != nil {
		return err
	}
	return c.print(out, userRow(u), u.Hash)
}

type listUsersCmd struct {
	databaseFlags
	outputFlags
	After string `placeholder:"HASH" help:"Go on after this user."`
	Limit int    `default:"50" placeholder:"N" help:"How many at most. Default: ${default}."`
}

// Run lists users in the order of their hashes.
func (c listUsersCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	users, err := st.Users(ctx, adapter.UserFilter{After: c.After, Limit: c.Limit})
	if err != nil {
		return err
	}
	t := table{head: []string{"HASH", "LOGIN", "CREATED"}}
	rows := make([]userJSON, len(users))
	for i, u := range users {
		rows[i] = userRow(u)
		t.add(u.Hash, u.Login, stamp(u.CreatedAt))
	}
	return c.print(out, rows, t.String())
}

// userJSON is a user as commands print it.
type userJSON struct {
	Hash      string `json:"hash"`
	Login     string `json:"login"`
	CreatedAt string `json:"created_at"`
}

func userRow(u adapter.User) userJSON { return userJSON{u.Hash, u.Login, stamp(u.CreatedAt)} }

type loginLinkCmd struct {
	databaseFlags
	keyFlags
	platformFlags
	notifyFlags
	User   string `arg:"" help:"The user's hash."`
	Screen string `name:"r" placeholder:"SCREEN" help:"Screen to open: go/payment, go/support or go/help."`
}

// Run prints the link alone, so that it can be piped.
func (c loginLinkCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) (err error) {
	if c.Screen != "" {
		if _, err := wire.ParseDeeplink(c.Screen); err != nil {
			return refuse([]error{fmt.Errorf("--r: %w", err)})
		}
	}
	p, err := openPartner(ctx, c.databaseFlags, c.keyFlags, c.platformFlags, c.notifyFlags, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	var login adapter.Login
	err = by.act(ctx, p.store, "user/"+c.User, "", func(ctx context.Context) error {
		login, err = p.users.Login(ctx, c.User, c.Screen)
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, login.URL)
	return err
}
