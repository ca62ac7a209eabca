package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/api"
	wire "github.com/partnerkit/partnerkit/contract/integra"
)

type usersCmd struct {
	Register  registerCmd  `cmd:"" help:"Create a user at the platform and keep its crypt key, sealed."`
	Import    importCmd    `cmd:"" help:"Take over users that the platform knows already, from CSV."`
	List      listUsersCmd `cmd:"" help:"List users." example:"adapter users list"`
	Show      showUserCmd  `cmd:"" help:"Show a user with the balance here and the live balance at the platform." example:"adapter users show HASH"`
	Archive   archiveCmd   `cmd:"" help:"Archive a user at the platform and here."`
	Unarchive unarchiveCmd `cmd:"" help:"Take a user out of the archive." example:"adapter users unarchive HASH"`
	Messages  messagesCmd  `cmd:"" help:"Print the platform's unread messages to a user, or to all, and mark them as read."`
}

// partnerFlags are those of the commands that speak with the platform.
type partnerFlags struct {
	databaseFlags
	keyFlags
	platformFlags
	notifyFlags
	outputFlags
}

// use opens what the commands need for the time of do.
func (f partnerFlags) use(ctx context.Context, log *slog.Logger, do func(*partner) error) (err error) {
	p, err := openPartner(ctx, f.databaseFlags, f.keyFlags, f.platformFlags, f.notifyFlags, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	return do(p)
}

type registerCmd struct {
	partnerFlags
	Login         string `required:"" placeholder:"LOGIN" help:"The user's login, unique at the platform."`
	Email         string `placeholder:"EMAIL" help:"The user's e-mail address."`
	Phone         string `placeholder:"PHONE" help:"The user's phone, international: +79551234567."`
	SuggestedSite string `placeholder:"DOMAIN" help:"The site to promote, without scheme."`
	InviterID     string `placeholder:"ID" help:"Your own id of whoever invited the user."`
}

// Help is shown by adapter users register --help.
func (registerCmd) Help() string {
	return `The platform shows a user's crypt key only once, and it is kept here, sealed.

Examples:
  adapter users register --login alice
  adapter users register --login alice --email alice@example.com --phone +79551234567 --suggested-site alice.example`
}

// Run registers the user and prints its hash.
func (c registerCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	return c.use(ctx, log, func(p *partner) error {
		var u adapter.User
		err := by.act(ctx, p.store, "login/"+c.Login, "", func(ctx context.Context) (err error) {
			u, err = p.users.Register(ctx, adapter.Registration{
				Login: c.Login, Email: c.Email, Phone: c.Phone, SuggestedDomain: c.SuggestedSite, InviterID: c.InviterID,
			})
			return err
		})
		if err != nil {
			return err
		}
		return c.print(out, api.ShowUser(u), u.Hash)
	})
}

type importCmd struct {
	partnerFlags
	File string `arg:"" type:"existingfile" help:"CSV in UTF-8; the first line names the columns hash, login and crypt_key."`
}

// Help is shown by adapter users import --help.
func (importCmd) Help() string {
	return `All of the file is imported, or nothing: an error names each line and column at fault. Users who are here with the same login and key are passed over, so an import can be repeated. Columns are parted by commas or semicolons. No call is made to the platform.

Examples:
  printf 'hash,login,crypt_key\n0123456789abcdef0123456789abcdef,alice,q8w1dm0ra5x2k9z7\n' > users.csv
  adapter users import users.csv`
}

// Run imports the file.
func (c importCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	return c.use(ctx, log, func(p *partner) (err error) {
		file, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		var added, known int
		err = by.act(ctx, p.store, "file/"+filepath.Base(c.File), "", func(ctx context.Context) (err error) {
			added, known, err = p.users.Import(ctx, file)
			return err
		})
		if err != nil {
			return fmt.Errorf("nothing was imported from %s:\n%w", c.File, err)
		}
		return c.print(out, map[string]int{"added": added, "known": known}, fmt.Sprintf("added %d users; %d were here already", added, known))
	})
}

type showUserCmd struct {
	partnerFlags
	User string `arg:"" help:"The user's hash."`
}

// Run shows the user. A platform that does not answer leaves its half out and fails the command.
func (c showUserCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	return c.use(ctx, log, func(p *partner) error {
		u, err := p.store.User(ctx, c.User)
		if err != nil {
			return err
		}
		b, err := p.store.Balance(ctx, c.User)
		if err != nil {
			return err
		}
		live, liveErr := p.users.Live(ctx, c.User)
		account := api.ShowAccount(u.Hash, b)
		v := api.WholeUser{User: api.ShowUser(u), Account: &account}
		text := fmt.Sprintf("%s, %s\ncreated     %s", u.Hash, u.Login, stamp(u.CreatedAt))
		if v.ArchivedAt != "" {
			text += "\narchived    " + v.ArchivedAt
		}
		text += fmt.Sprintf("\navailable   %s\nreserved    %s", b.Available, b.Reserved)
		if liveErr != nil {
			v.PlatformError = liveErr.Error()
		} else {
			v.Platform = api.ShowPlatformUser(live)
			text += fmt.Sprintf("\nplatform    %s, %s %s, %d unread messages", live.Balance, live.Status, live.Progress, live.Unread)
		}
		return errors.Join(c.print(out, v, text), liveErr)
	})
}

type archiveCmd struct {
	partnerFlags
	User string `arg:"" help:"The user's hash."`
}

// Help is shown by adapter users archive --help.
func (archiveCmd) Help() string {
	return `Top-ups and direct payments of an archived user are declined, and there are no login links; what is under way is finished, money can be withdrawn.

Examples:
  adapter users archive 0123456789abcdef0123456789abcdef
  adapter users unarchive 0123456789abcdef0123456789abcdef`
}

// Run archives the user.
func (c archiveCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	return c.use(ctx, log, func(p *partner) error {
		var last string
		err := by.act(ctx, p.store, "user/"+c.User, "", func(ctx context.Context) (err error) {
			last, err = p.users.Archive(ctx, c.User)
			return err
		})
		if err != nil {
			return err
		}
		return c.print(out, map[string]string{"hash": c.User, "last_billing_date": last}, "archived; the platform charges up to "+last)
	})
}

type unarchiveCmd struct {
	partnerFlags
	User string `arg:"" help:"The user's hash."`
}

// Run takes the user out of the archive.
func (c unarchiveCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	return c.use(ctx, log, func(p *partner) error {
		err := by.act(ctx, p.store, "user/"+c.User, "", func(ctx context.Context) error { return p.users.Unarchive(ctx, c.User) })
		if err != nil {
			return err
		}
		return c.print(out, map[string]string{"hash": c.User}, "archived no more")
	})
}

type messagesCmd struct {
	partnerFlags
	User string  `arg:"" optional:"" help:"The user's hash; without, messages to all users."`
	Read []int64 `placeholder:"ID" help:"Mark these as read instead of printing any; several are joined by commas."`
}

// Help is shown by adapter users messages --help.
func (messagesCmd) Help() string {
	return `Links in the messages lead to your panel if --panel-link says where.

Examples:
  adapter users messages --panel-link 'https://panel.example.com/promo?r={r}'
  adapter users messages 0123456789abcdef0123456789abcdef --json
  adapter users messages --read 17,18`
}

// Run prints messages, or marks them as read.
func (c messagesCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) error {
	return c.use(ctx, log, func(p *partner) error {
		if len(c.Read) > 0 {
			marked := 0
			err := by.act(ctx, p.store, "messages", fmt.Sprint(c.Read), func(ctx context.Context) (err error) {
				marked, err = p.users.ReadMessages(ctx, c.Read)
				return err
			})
			if err != nil {
				return err
			}
			return c.print(out, api.Marked{Marked: marked}, fmt.Sprintf("marked %d as read", marked))
		}
		list, err := p.users.Messages(ctx, c.User)
		if err != nil {
			return err
		}
		rows := make([]api.Message, len(list))
		t := table{head: []string{"ID", "LOGIN", "TYPE", "TITLE", "TEXT"}}
		for i, m := range list {
			rows[i] = api.ShowMessage(m)
			t.add(m.ID, m.Login, m.Type, m.Title, strings.Join(strings.Fields(m.Text), " "))
		}
		return c.print(out, rows, t.String())
	})
}

type listUsersCmd struct {
	databaseFlags
	outputFlags
	Login    string `placeholder:"LOGIN" help:"Only the one with this login."`
	Archived bool   `negatable:"" xor:"archived" help:"Only those who are archived."`
	Active   bool   `xor:"archived" help:"Only those who are not."`
	After    string `placeholder:"HASH" help:"Go on after this user."`
	Limit    int    `default:"50" placeholder:"N" help:"How many at most. Default: ${default}."`
}

// Run lists users in the order of their hashes.
func (c listUsersCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) (err error) {
	st, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	f := adapter.UserFilter{Login: c.Login, After: c.After, Limit: c.Limit}
	if c.Archived || c.Active {
		f.Archived = &c.Archived
	}
	users, err := st.Users(ctx, f)
	if err != nil {
		return err
	}
	t := table{head: []string{"HASH", "LOGIN", "CREATED", "ARCHIVED"}}
	rows := make([]api.User, len(users))
	for i, u := range users {
		rows[i] = api.ShowUser(u)
		t.add(u.Hash, u.Login, stamp(u.CreatedAt), stamp(u.ArchivedAt))
	}
	return c.print(out, rows, t.String())
}

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
