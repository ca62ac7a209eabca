package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/vault"
)

type keysCmd struct {
	Rotate rotateCmd `cmd:"" help:"Seal every crypt key anew under the first master key."`
}

type rotateCmd struct {
	databaseFlags
	keyFlags
	outputFlags
	DryRun bool `help:"Only count what would be sealed anew; a key that does not open fails here as well."`
}

// Help is shown by adapter keys rotate --help.
func (rotateCmd) Help() string {
	return `To replace the master key without losing anything, while the service runs:

  1. adapter token master-key >> FILE       the new key as the last line: it opens, the old one still seals
  2. restart every replica
  3. move the new line to the top of FILE   now the new key seals and signs
  4. restart every replica
  5. adapter keys rotate                    crypt keys are sealed anew; may be cut short and run again
  6. a week later, take the old line out    links handed out before step 4 (--notify-token-ttl) and API tokens still verify until then

With one replica steps 1 to 4 are one: put the new line on top, restart.

Examples:
  adapter keys rotate --dry-run
  adapter keys rotate`
}

// rotation is the result as the command prints it.
type rotation struct {
	Users  int  `json:"users"`
	Anew   int  `json:"sealed_anew"`
	DryRun bool `json:"dry_run,omitempty"`
}

// Run seals anew.
func (c rotateCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger, by operator) (err error) {
	if err := refuse(c.databaseFlags.faults(), c.keyFlags.faults(c.databaseFlags)); err != nil {
		return err
	}
	keys, err := c.keyFlags.open(c.databaseFlags, log)
	if err != nil {
		return err
	}
	st, err := openStore(ctx, c.databaseFlags, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	r := rotation{DryRun: c.DryRun}
	if c.DryRun {
		err = r.run(ctx, st, keys)
	} else {
		err = by.act(ctx, st, "", "", func(ctx context.Context) error { return r.run(ctx, st, keys) })
	}
	if err != nil {
		return err
	}
	text := fmt.Sprintf("sealed %d of %d crypt keys anew; all of them are under the first master key now", r.Anew, r.Users)
	if c.DryRun {
		text = fmt.Sprintf("%d of %d crypt keys are under older master keys", r.Anew, r.Users)
	}
	return c.print(out, r, text)
}

func (r *rotation) run(ctx context.Context, st *store.Store, keys *vault.Vault) error {
	old := 0
	changed, err := st.SealAnew(ctx, func(user string, sealed []byte) ([]byte, error) {
		r.Users++
		anew, err := keys.SealAnew(user, sealed)
		if err == nil && string(anew) != string(sealed) {
			old++
			if r.DryRun {
				return sealed, nil
			}
		}
		return anew, err
	})
	r.Anew = changed
	if r.DryRun {
		r.Anew = old
	}
	if err != nil {
		return fmt.Errorf("after %d crypt keys: %w", r.Anew, err)
	}
	return nil
}
