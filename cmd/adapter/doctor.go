package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/outcall"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/adapter/vault"
)

type doctorCmd struct {
	serveCmd
	outputFlags
}

// Help is shown by adapter doctor --help.
func (doctorCmd) Help() string {
	return `Takes what adapter serve takes and looks whether it can run here: settings, keys, certificate, database and its form, disk, port, the platform and the clock. It changes nothing; the platform is asked for a greeting (hello). The exit code is 0 when nothing is broken.

Examples:
  adapter doctor --config adapter.yaml
  adapter doctor --json`
}

// How a thing is.
const (
	healthy = "ok"
	worry   = "warn"
	broken  = "fail"
	skipped = "skip" // what it stands on is broken
)

// finding is one thing that the doctor looked at.
type finding struct {
	Name   string `json:"name"`
	Health string `json:"health"`
	Detail string `json:"detail"`
	ToDo   string `json:"todo,omitempty"`
}

// errIll makes the exit code tell.
var errIll = errors.New("something is broken: see what to do above")

// Run looks at everything.
func (c doctorCmd) Run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	findings := c.findings(ctx, log)
	ill := false
	t := table{head: []string{"", "WHAT", "FOUND"}}
	for _, f := range findings {
		ill = ill || f.Health == broken
		t.add(f.Health, f.Name, f.Detail)
		if f.ToDo != "" {
			t.add("", "", "→ "+f.ToDo)
		}
	}
	if err := c.print(out, findings, t.String()); err != nil {
		return err
	}
	if ill {
		return errIll
	}
	return nil
}

func (c doctorCmd) findings(ctx context.Context, log *slog.Logger) []finding {
	var all []finding
	for _, fault := range c.faults() {
		all = append(all, finding{"settings", broken, fault.Error(), ""})
	}
	if all == nil {
		all = append(all, finding{"settings", healthy, "complete and in range", ""})
	} else {
		all[len(all)-1].ToDo = "mend these first; adapter check-config shows what is set"
	}
	keys, f := c.lookAtKeys(log)
	all = append(all, f)
	if c.TLSCert != "" {
		all = append(all, c.lookAtCertificate(time.Now()))
	}
	all = append(all, c.lookAtDatabase(ctx, keys, log)...)
	if file := c.sqliteFile(); file != "" {
		all = append(all, lookAtDisk(filepath.Dir(file)))
	}
	all = append(all, c.lookAtPort(ctx))
	return append(all, c.lookAtPlatform(ctx, keys, log)...)
}

func (c doctorCmd) lookAtKeys(log *slog.Logger) (*vault.Vault, finding) {
	file := c.keyFile(c.databaseFlags)
	if file != "" && c.MasterKeyFile == "" {
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			if c.isNew() {
				return nil, finding{"master key", healthy, file + " will be made at the first start", ""}
			}
			return nil, finding{"master key", broken, file + " is not there, but the database is", "restore the key from its backup: a new one cannot open the users' crypt keys"}
		}
	}
	keys, err := c.keyFlags.open(c.databaseFlags, log)
	if err != nil {
		return nil, finding{"master key", broken, err.Error(), "make one with adapter token master-key, and give it by --master-key-file"}
	}
	if info, err := os.Stat(file); file != "" && err == nil && info.Mode().Perm()&0o007 != 0 {
		return keys, finding{"master key", worry, fmt.Sprintf("%s can be read by everybody (mode %v)", file, info.Mode().Perm()), "chmod o= " + file}
	}
	return keys, finding{"master key", healthy, "is there", ""}
}

func (c doctorCmd) lookAtCertificate(now time.Time) finding {
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return finding{"certificate", broken, err.Error(), "give the certificate with its chain and the key that belongs to it, both in PEM"}
	}
	until := pair.Leaf.NotAfter
	detail := fmt.Sprintf("for %v, good until %s", append(pair.Leaf.DNSNames, ipTexts(pair.Leaf.IPAddresses)...), stamp(until))
	switch {
	case now.Before(pair.Leaf.NotBefore):
		return finding{"certificate", broken, detail + ", not before " + stamp(pair.Leaf.NotBefore), "look at this machine's clock, or wait"}
	case now.After(until):
		return finding{"certificate", broken, detail, "renew it; the running service takes the new files by itself"}
	case until.Sub(now) < 14*24*time.Hour:
		return finding{"certificate", worry, detail, "renew it; the running service takes the new files by itself"}
	}
	return finding{"certificate", healthy, detail, ""}
}

func ipTexts(ips []net.IP) (texts []string) {
	for _, ip := range ips {
		texts = append(texts, ip.String())
	}
	return texts
}

// lookAtDatabase looks whether the database answers, has this version's form, and holds crypt
// keys that the master key opens.
func (c doctorCmd) lookAtDatabase(ctx context.Context, keys *vault.Vault, log *slog.Logger) []finding {
	if refuse(c.databaseFlags.faults()) != nil {
		return []finding{{"database", skipped, "the settings are wrong", ""}}
	}
	if c.isNew() {
		return []finding{{"database", healthy, c.redacted() + " will be made at the first start", ""}}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	pending, err := store.Pending(ctx, c.Database)
	switch {
	case errors.Is(err, store.ErrMigrations):
		return []finding{{"database", broken, err.Error(), "run a program of the database's version: this one is older"}}
	case err != nil:
		return []finding{{"database", broken, err.Error(), "look whether it runs and whether the address, account and password are right: " + c.redacted()}}
	case len(pending) > 0:
		return []finding{
			{"database", healthy, "answers", ""},
			{"migrations", broken, fmt.Sprintf("pending: %v", pending), "make a backup, then adapter migrate"},
		}
	}
	st, err := openStore(ctx, c.databaseFlags, log)
	if err != nil {
		return []finding{{"database", broken, err.Error(), "look at what it says"}}
	}
	defer func() { _ = st.Close() }() // nothing was written
	all := []finding{{"database", healthy, "answers", ""}, {"migrations", healthy, "none pending", ""}}
	if keys == nil {
		return append(all, finding{"crypt keys", skipped, "there is no master key to open them with", ""})
	}
	looked, shut, err := lookAtCryptKeys(ctx, st, keys)
	switch {
	case err != nil:
		return append(all, finding{"crypt keys", broken, err.Error(), "look at what it says"})
	case len(shut) > 0:
		return append(all, finding{"crypt keys", broken, fmt.Sprintf("that of user %s does not open", shut[0]), "the master key is another one: give the old one too, on a line of its own below the new one"})
	}
	return append(all, finding{"crypt keys", healthy, fmt.Sprintf("looked at %d, all open", looked), ""})
}

// lookAtCryptKeys tells of how many of some users the crypt key was looked at, and the hashes of
// those whose key the master key does not open.
func lookAtCryptKeys(ctx context.Context, st *store.Store, keys *vault.Vault) (looked int, shut []string, err error) {
	users, err := st.Users(ctx, adapter.UserFilter{Limit: 100})
	for _, u := range users {
		if len(u.SealedKey) == 0 {
			continue
		}
		looked++
		if _, err := keys.Open(u.Hash, u.SealedKey); err != nil {
			shut = append(shut, u.Hash)
		}
	}
	return looked, shut, err
}

const (
	tightDisk = 1 << 30
	fullDisk  = 100 << 20
)

func lookAtDisk(dir string) finding {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return finding{"disk", broken, fmt.Sprintf("%s: %v", dir, err), "make the folder, writable for the service"}
	}
	free := fs.Bavail * uint64(fs.Bsize) //nolint:gosec // a block has a few KiB
	detail := fmt.Sprintf("%d MiB free in %s", free>>20, dir)
	switch {
	case free < fullDisk:
		return finding{"disk", broken, detail, "make room: without it nothing is accepted any more"}
	case free < tightDisk:
		return finding{"disk", worry, detail, "make room soon; adapter payments archive moves old payments to a file"}
	}
	return finding{"disk", healthy, detail, ""}
}

func (c doctorCmd) lookAtPort(ctx context.Context) finding {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err == nil {
		_ = l.Close()
		return finding{"port", healthy, c.Listen + " is free", ""}
	}
	if c.answers(ctx) {
		return finding{"port", healthy, c.Listen + " is taken by a service that is up", ""}
	}
	return finding{"port", broken, err.Error(), "choose another with --listen, or look who has it: ss -ltnp"}
}

// answers reports whether an adapter serves at our own address.
func (c doctorCmd) answers(ctx context.Context) bool {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	res, err := c.ask(ctx, scheme+"://"+net.JoinHostPort(host, port)+"/healthz", &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is asked whether it lives, nothing else
	return err == nil && res.StatusCode == http.StatusOK
}

// ask makes one GET and returns the answer without its body.
func (c doctorCmd) ask(ctx context.Context, url string, trust *tls.Config) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, DisableKeepAlives: true}
	res, err := transport.RoundTrip(req) // without following redirections
	if err != nil {
		return nil, err
	}
	return res, res.Body.Close()
}

// Beyond these the clock is worth a word, or makes tokens fail.
const (
	clockWorry  = 5 * time.Second
	clockBroken = time.Minute
)

// lookAtPlatform asks for a greeting, which shows that address, partner and key are right, and
// compares the clocks.
func (c doctorCmd) lookAtPlatform(ctx context.Context, keys *vault.Vault, log *slog.Logger) []finding {
	if refuse(c.platformFlags.faults()) != nil {
		return []finding{{"platform", skipped, "the settings are wrong", ""}, {"clock", skipped, "is compared with the platform's", ""}}
	}
	var all []finding
	client, err := newClient(c.platformFlags, 1, nil, keys, outcall.Watch{})
	if err != nil {
		return []finding{{"platform", broken, err.Error(), "mend the setting"}}
	}
	defer client.Close()
	if _, err := client.Hello(ctx, "doctor"); err != nil {
		all = append(all, finding{"platform", broken, err.Error(), "look at --platform-url, --partner-path, --partner-hash, --partner-key and --cipher, and whether a firewall lets us out"})
	} else {
		all = append(all, finding{"platform", healthy, c.PlatformURL + " knows us", ""})
	}
	began := time.Now()
	res, err := c.ask(ctx, c.PlatformURL, nil)
	if err != nil {
		return append(all, finding{"clock", skipped, "the platform does not answer", ""})
	}
	theirs, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return append(all, finding{"clock", skipped, "the platform's answers have no Date", ""})
	}
	return append(all, judgeClock(began, time.Now(), theirs))
}

// judgeClock compares our clock, before and after the question, with a Date header, which is
// cut to whole seconds.
func judgeClock(before, after, theirs time.Time) finding {
	off := time.Duration(0)
	switch {
	case theirs.Add(time.Second).Before(before):
		off = before.Sub(theirs.Add(time.Second))
	case theirs.After(after):
		off = after.Sub(theirs)
	}
	detail := fmt.Sprintf("differs from the platform's by %s", off.Abs().Round(time.Millisecond))
	if off == 0 {
		detail = "agrees with the platform's"
	}
	const todo = "set it by NTP (timedatectl set-ntp true): tokens and signatures are only good at the right time"
	switch {
	case off.Abs() >= clockBroken:
		return finding{"clock", broken, detail, todo}
	case off.Abs() >= clockWorry:
		return finding{"clock", worry, detail, todo}
	}
	return finding{"clock", healthy, detail, ""}
}
