package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	adapterintegra "github.com/partnerkit/partnerkit/adapter/integra"
	"github.com/partnerkit/partnerkit/adapter/vault"
	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/money"
)

// currency is the one that Integra's API knows (spec/integra.md §6).
var currency = money.RUB

// Flags are defined in groups; a command embeds those that it needs. The same names serve as
// environment (ADAPTER_…) and as keys of the YAML file. What kong cannot judge, each group's
// faults does, all of it at once.

// databaseFlags say where the payments are kept.
type databaseFlags struct {
	Database string `group:"Database" default:"sqlite:adapter.db" placeholder:"URL" help:"Where payments and the ledger are kept: sqlite:FILE, or postgres://… to share them among replicas. Default: ${default}."`
}

func (f databaseFlags) faults() (faults []error) {
	switch {
	case strings.HasPrefix(f.Database, "sqlite:") && len(f.Database) > len("sqlite:"):
	case strings.HasPrefix(f.Database, "postgres://"), strings.HasPrefix(f.Database, "postgresql://"):
	default:
		faults = append(faults, errors.New("--database: must be sqlite:FILE or postgres://…"))
	}
	return faults
}

// sqliteFile is the file of an embedded database; "" for another.
func (f databaseFlags) sqliteFile() string {
	file, ok := strings.CutPrefix(f.Database, "sqlite:")
	if !ok {
		return ""
	}
	return file
}

// isNew reports whether the embedded database does not exist yet: there is nothing to spoil,
// so it is set up without asking.
func (f databaseFlags) isNew() bool {
	file := f.sqliteFile()
	if file == "" {
		return false
	}
	_, err := os.Stat(file)
	return errors.Is(err, os.ErrNotExist)
}

// keyFlags give the master key, from which all of the adapter's own secrets come.
type keyFlags struct {
	MasterKey     secret `group:"Keys" placeholder:"KEY" help:"Master key, 32 bytes in base64 or hex (openssl rand -base64 32). It seals the users' crypt keys and signs tokens. Prefer --master-key-file, or the environment."`
	MasterKeyFile string `group:"Keys" placeholder:"FILE" type:"path" help:"File with the master key; more lines are older keys that still open. Default with SQLite: DATABASE.key, made at the first start."`
}

// keyFile is the file to read the master key from; "" if it is given itself.
func (f keyFlags) keyFile(db databaseFlags) string {
	switch {
	case f.MasterKey != "":
		return ""
	case f.MasterKeyFile != "":
		return f.MasterKeyFile
	case db.sqliteFile() != "":
		return db.sqliteFile() + ".key"
	}
	return ""
}

func (f keyFlags) faults(db databaseFlags) (faults []error) {
	switch {
	case f.MasterKey != "" && f.MasterKeyFile != "":
		faults = append(faults, errors.New("--master-key and --master-key-file: give one of them"))
	case f.MasterKey != "":
		if _, err := vault.ParseKey(string(f.MasterKey)); err != nil {
			faults = append(faults, fmt.Errorf("--master-key: %w", err))
		}
	case f.keyFile(db) == "":
		faults = append(faults, errors.New("--master-key or --master-key-file: one is needed with PostgreSQL, since every replica must have the same"))
	}
	return faults
}

// open returns the vault, making the default key file beside a SQLite database if there is
// none yet.
func (f keyFlags) open(db databaseFlags, log *slog.Logger) (*vault.Vault, error) {
	text := string(f.MasterKey)
	if file := f.keyFile(db); file != "" {
		raw, err := os.ReadFile(file) //nolint:gosec // the operator names the file
		if errors.Is(err, os.ErrNotExist) && f.MasterKeyFile == "" {
			raw, err = newKeyFile(file)
			log.Warn("made a master key: keep a copy of it, without it the users' crypt keys cannot be read", "file", file)
		}
		if err != nil {
			return nil, fmt.Errorf("master key: %w", err)
		}
		text = string(raw)
	}
	var keys []vault.Key
	for i, line := range strings.Fields(text) {
		key, err := vault.ParseKey(line)
		if err != nil {
			return nil, fmt.Errorf("master key, line %d: %w", i+1, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("master key: %w: none given", vault.ErrKey)
	}
	return vault.New(keys[0], keys[1:]...)
}

// newKeyFile writes a fresh key where there is none; of two processes one wins, and both
// read what it wrote.
func newKeyFile(file string) ([]byte, error) {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".key-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.WriteString(vault.NewKey() + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), file); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	return os.ReadFile(file) //nolint:gosec // the operator names the file
}

// platformFlags say how to reach Integra and who we are there.
type platformFlags struct {
	PlatformURL        string        `group:"Platform" placeholder:"URL" help:"Integra's address, for example https://api.promopult.org."`
	PartnerPath        string        `group:"Platform" default:"iframe" placeholder:"PATH" help:"The partner's path there. Default: ${default}."`
	PartnerHash        string        `group:"Platform" placeholder:"HASH" help:"The partner's hash, 32 characters."`
	PartnerKey         secret        `group:"Platform" placeholder:"KEY" help:"The partner's crypt key, or file:NAME of a file with it. Not for the command line."`
	PartnerKeyPrevious secret        `group:"Platform" placeholder:"KEY" help:"The key that --partner-key replaces, given likewise: taken for as long as the platform still asks for it."`
	Cipher             string        `group:"Platform" default:"simple" placeholder:"NAME" help:"The cipher of k=: simple or base64. Default: ${default}."`
	CallTimeout        time.Duration `group:"Platform" default:"5s" placeholder:"TIME" help:"How long one call to the platform may take. Default: ${default}."`
	PanelLink          string        `group:"Panel" placeholder:"URL" help:"Address in your panel that shows a screen of the platform's page; {r} stands for the screen, for example https://panel.example.com/promo?r={r}. It goes into the platform's messages."`
	PanelResizer       string        `group:"Panel" default:"/js/iframeResizer.min.js" placeholder:"URL" help:"Where your panel has its copy of iframeResizer, for the snippet that embeds the page. Default: ${default}."`
}

func (f platformFlags) faults() (faults []error) {
	if err := checkURL(f.PlatformURL); err != nil {
		faults = append(faults, fmt.Errorf("--platform-url: %w", err))
	}
	if f.PartnerPath == "" || strings.ContainsAny(f.PartnerPath, "?# ") {
		faults = append(faults, errors.New("--partner-path: must be a path such as iframe or partners/acme"))
	}
	if !integra.ValidHash(f.PartnerHash) {
		faults = append(faults, errors.New("--partner-hash: must be 32 letters or digits"))
	}
	if f.PartnerKey == "" {
		faults = append(faults, errors.New("--partner-key: is missing"))
	}
	if _, err := integra.CipherByName(f.Cipher); err != nil {
		faults = append(faults, fmt.Errorf("--cipher: %w", err))
	}
	if f.PartnerKeyPrevious != "" && f.PartnerKeyPrevious == f.PartnerKey {
		faults = append(faults, errors.New("--partner-key-previous: is the same as --partner-key"))
	}
	if err := adapterintegra.CheckPanelLink(f.PanelLink); err != nil {
		faults = append(faults, fmt.Errorf("--panel-link: %w", err))
	}
	if f.CallTimeout < 100*time.Millisecond {
		faults = append(faults, errors.New("--call-timeout: must be at least 100ms"))
	}
	return faults
}

// notifyFlags say how notifications reach us and what vouches for them.
type notifyFlags struct {
	NotifyURLBase        string        `group:"Notifications" placeholder:"URL" help:"Where the platform reaches this adapter, for example https://pay.example.com. It goes into the links that are handed out."`
	NotifyAuth           string        `group:"Notifications" default:"token" placeholder:"MODE" help:"What vouches for a notification: token (signed, for one user), secret (a path segment), none (behind an allow-list). Default: ${default}."`
	NotifySecretPrevious secret        `group:"Notifications" placeholder:"TEXT" help:"The secret that --notify-secret replaces, given likewise: links handed out with it stay good."`
	NotifySecret         secret        `group:"Notifications" placeholder:"TEXT" help:"The path segment of --notify-auth=secret, or file:NAME of a file with it."`
	NotifyTokenTTL       time.Duration `group:"Notifications" default:"168h" placeholder:"TIME" help:"How long a handed-out link's token is good. Default: ${default}."`
	ParamID              string        `group:"Notifications" default:"id" placeholder:"NAME" help:"Name of the parameter with the payment's id. Default: ${default}."`
	ParamAmount          string        `group:"Notifications" default:"amount" placeholder:"NAME" help:"Name of the parameter with the amount. Default: ${default}."`
	ParamHash            string        `group:"Notifications" default:"hash" placeholder:"NAME" help:"Name of the parameter with the user's hash. Default: ${default}."`
	ParamToken           string        `group:"Notifications" default:"token" placeholder:"NAME" help:"Name of the parameter with the token. Default: ${default}."`
}

func (f notifyFlags) faults() (faults []error) {
	if err := checkURL(f.NotifyURLBase); err != nil {
		faults = append(faults, fmt.Errorf("--notify-url-base: %w", err))
	}
	switch f.NotifyAuth {
	case "token", "none":
		if f.NotifySecret != "" || f.NotifySecretPrevious != "" {
			faults = append(faults, fmt.Errorf("--notify-secret: has no use with --notify-auth=%s", f.NotifyAuth))
		}
	case "secret":
		if len(f.NotifySecret) < 16 || url.PathEscape(string(f.NotifySecret)) != string(f.NotifySecret) {
			faults = append(faults, errors.New("--notify-secret: must be at least 16 characters that need no escaping in a path"))
		}
		if p := string(f.NotifySecretPrevious); p != "" && (len(p) < 16 || url.PathEscape(p) != p || p == string(f.NotifySecret)) {
			faults = append(faults, errors.New("--notify-secret-previous: must be like --notify-secret, and another one"))
		}
	default:
		faults = append(faults, errors.New("--notify-auth: must be token, secret or none"))
	}
	if f.NotifyTokenTTL < time.Minute {
		faults = append(faults, errors.New("--notify-token-ttl: must be at least 1m"))
	}
	names := []string{f.ParamID, f.ParamAmount, f.ParamHash, f.ParamToken}
	for i, name := range names {
		if name == "" || url.QueryEscape(name) != name || slices.Contains(names[:i], name) {
			faults = append(faults, fmt.Errorf("--param-…: %q must be a plain name, used once", name))
		}
	}
	return faults
}

// checkURL takes an absolute http(s) address without query.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return errors.New("is missing")
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return errors.New("must be an address such as https://pay.example.com")
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return errors.New("must have no query, fragment or password")
	}
	return nil
}

// serveFlags are those of the service alone.
type serveFlags struct {
	Listen        string        `group:"Service" default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address to listen on. Default: ${default}."`
	Migrate       bool          `group:"Service" help:"Apply pending migrations before serving. A new SQLite file needs no asking."`
	Workers       int           `group:"Service" default:"64" placeholder:"N" help:"Payments worked on at once. Default: ${default}."`
	Queue         int           `group:"Service" default:"64" placeholder:"N" help:"Accepted payments that may wait for a worker in memory; more are claimed from the database. Default: ${default}."`
	ReceiveOnly   bool          `group:"Service" help:"Only store notifications; leave the work to other replicas."`
	Lease         time.Duration `group:"Service" default:"10s" placeholder:"TIME" help:"How long a process may hold a payment without writing. Default: ${default}."`
	RetryFirst    time.Duration `group:"Service" default:"500ms" placeholder:"TIME" help:"Pause after the first call without an answer; it doubles, with jitter. Default: ${default}."`
	RetryMax      time.Duration `group:"Service" default:"10m" placeholder:"TIME" help:"The longest pause. Default: ${default}."`
	MaxWaiting    int           `group:"Service" default:"4096" placeholder:"N" help:"Notifications that may wait to be stored before others are answered 429. Default: ${default}."`
	ShutdownGrace time.Duration `group:"Service" default:"10s" placeholder:"TIME" help:"How long running work may take to finish on SIGTERM. Default: ${default}."`
}

func (f serveFlags) faults(callTimeout time.Duration) (faults []error) {
	if _, _, err := net.SplitHostPort(f.Listen); err != nil {
		faults = append(faults, fmt.Errorf("--listen: %w", err))
	}
	for name, n := range map[string]int{"workers": f.Workers, "queue": f.Queue, "max-waiting": f.MaxWaiting} {
		if n < 1 || n > 100_000 {
			faults = append(faults, fmt.Errorf("--%s: must be from 1 to 100000", name))
		}
	}
	if f.Lease <= callTimeout {
		faults = append(faults, fmt.Errorf("--lease: must be longer than --call-timeout (%s)", callTimeout))
	}
	if f.RetryFirst <= 0 || f.RetryMax < f.RetryFirst {
		faults = append(faults, errors.New("--retry-first, --retry-max: must be positive, the first not above the longest"))
	}
	if f.ShutdownGrace < 0 {
		faults = append(faults, errors.New("--shutdown-grace: must not be negative"))
	}
	return faults
}

// configError lists every fault of a configuration.
type configError struct{ faults []error }

func (e *configError) Error() string {
	text := fmt.Sprintf("configuration: %d to mend:", len(e.faults))
	for _, f := range e.faults {
		text += "\n  " + f.Error()
	}
	return text
}

// refuse turns faults, if any, into one error. Their order is stable.
func refuse(groups ...[]error) error {
	faults := slices.Concat(groups...)
	if len(faults) == 0 {
		return nil
	}
	slices.SortStableFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return &configError{faults}
}

// redacted is the database without its password, for logs.
func (f databaseFlags) redacted() string {
	u, err := url.Parse(f.Database)
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}
