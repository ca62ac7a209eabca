package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/partnerkit/partnerkit/mockplatform/authority"
	"github.com/partnerkit/partnerkit/mockplatform/hosts"
)

type caCmd struct {
	Out    string `placeholder:"FILE" help:"Where the certificate goes. Default: standard output."`
	CAFile string `placeholder:"FILE" help:"Certificate authority with its key; made where there is none. Default: ca.pem in the user's configuration."`
}

// Run writes the certificate that clients have to trust.
func (c *caCmd) Run(stdout io.Writer) error {
	a, err := openAuthority(c.CAFile)
	if err != nil {
		return err
	}
	if c.Out == "" {
		_, err = stdout.Write(a.Certificate())
		return err
	}
	if c.Out == c.CAFile {
		return fmt.Errorf("%w: --out: %s keeps the authority itself, with its key", errUsage, c.Out)
	}
	return os.WriteFile(c.Out, a.Certificate(), 0o644) //nolint:gosec // a certificate is for everybody
}

type hostsCmd struct {
	IP string `default:"127.0.0.1" help:"Where the names lead. Default: ${default}."`
}

// Run writes the names of the platforms as /etc/hosts has them.
func (c *hostsCmd) Run(stdout io.Writer) error {
	for _, h := range hosts.All() {
		if _, err := fmt.Fprintf(stdout, "%s\t%-26s# %s\n", c.IP, h.Name, h.Of); err != nil {
			return err
		}
	}
	return nil
}

// openAuthority opens the file, or the default one for "".
func openAuthority(file string) (*authority.Authority, error) {
	if file == "" {
		folder, err := os.UserConfigDir()
		if err != nil {
			return nil, fmt.Errorf("%w: --ca-file is needed: %w", errUsage, err)
		}
		file = filepath.Join(folder, "mockplatform", "ca.pem")
	}
	a, err := authority.Open(file, hosts.Domains(), time.Now())
	if errors.Is(err, authority.ErrFile) {
		return nil, fmt.Errorf("%w: --ca-file: %w", errUsage, err)
	} else if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return a, nil
}
