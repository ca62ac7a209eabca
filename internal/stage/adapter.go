package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
)

// Partner is an adapter's configuration and files: the service can be started, killed and
// started again on it, and its commands run beside it.
type Partner struct {
	bin    Binaries
	listen string
	env    []string
}

// NewPartner returns a partner of the platform whose adapter listens at listen (host:port) and
// keeps its files in folder; database is as in --database. Settings are further variables,
// such as "ADAPTER_WORKERS=8".
func NewPartner(bin Binaries, platform *Platform, listen, folder, database string, settings ...string) *Partner {
	env := []string{
		"ADAPTER_LISTEN=" + listen,
		"ADAPTER_DATABASE=" + database,
		"ADAPTER_MASTER_KEY_FILE=" + folder + "/master.key",
		"ADAPTER_PLATFORM_URL=" + platform.URL,
		"ADAPTER_PARTNER_PATH=" + platform.PartnerPath,
		"ADAPTER_PARTNER_HASH=" + platform.PartnerHash,
		"ADAPTER_PARTNER_KEY=" + platform.PartnerKey,
		"ADAPTER_NOTIFY_URL_BASE=http://" + listen,
		"ADAPTER_MIGRATE=true",
		"ADAPTER_LOG_FORMAT=json",
	}
	if platform.Merchant != "" {
		env = append(env,
			"ADAPTER_ANYMONEY_URL="+platform.URL+"/anymoney/",
			"ADAPTER_ANYMONEY_MERCHANT="+platform.Merchant,
			"ADAPTER_ANYMONEY_KEY="+platform.MerchantKey,
			"ADAPTER_ANYMONEY_CALLBACK_BASE=http://"+listen,
		)
	}
	return &Partner{bin: bin, listen: listen, env: append(env, settings...)}
}

// With is the same partner with other settings: another replica, say, or fewer workers.
func (p *Partner) With(settings ...string) *Partner {
	c := *p
	c.env = append(append([]string{}, p.env...), settings...)
	for _, s := range settings {
		if listen, ok := strings.CutPrefix(s, "ADAPTER_LISTEN="); ok {
			c.listen = listen
		}
	}
	return &c
}

// MakeKey writes a master key, made by `adapter token master-key`, into the partner's folder.
func (p *Partner) MakeKey(ctx context.Context, folder string) error {
	key, err := p.Run(ctx, "token", "master-key")
	if err != nil {
		return err
	}
	return os.WriteFile(folder+"/master.key", []byte(key), 0o600)
}

// Adapter is a running service.
type Adapter struct {
	*Process
	URL string
}

// Start starts the service and waits until it is ready; tee, if any, gets a copy of its log.
func (p *Partner) Start(ctx context.Context, tee io.Writer) (*Adapter, error) {
	proc, err := start("adapter", p.bin.Adapter, []string{"serve"}, p.env, tee)
	if err != nil {
		return nil, err
	}
	a := &Adapter{Process: proc, URL: "http://" + p.listen}
	return a, a.answers(ctx, a.URL+"/readyz")
}

// Run runs a command of the adapter and returns what it printed.
func (p *Partner) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.bin.Adapter, args...) //nolint:gosec // our own binary
	cmd.Env = append(os.Environ(), p.env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("adapter %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return strings.TrimRight(out.String(), "\n"), nil
}

// RunJSON runs a command with --json and decodes what it printed.
func (p *Partner) RunJSON(ctx context.Context, into any, args ...string) error {
	out, err := p.Run(ctx, append(args, "--json")...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		return fmt.Errorf("adapter %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// FreeAddr is an address of the loopback interface that is free at the moment. Its port is
// below those that systems give to outgoing connections, so that it is still free when a
// killed process comes back to it.
func FreeAddr() (string, error) {
	for tries := 1; ; tries++ {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)) //nolint:gosec // chance, no secret
		l, err := net.Listen("tcp", addr)                             //nolint:noctx // it does not wait
		switch {
		case err == nil:
			return addr, l.Close()
		case tries == 100:
			return "", fmt.Errorf("look for a free port: %w", err)
		}
	}
}

// Environment is the partner's configuration as variables.
func (p *Partner) Environment() []string { return append([]string{}, p.env...) }
