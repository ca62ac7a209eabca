package stage

import (
	"context"
	"io"
)

// Recorder is a running recorder before a platform.
type Recorder struct {
	*Process
	URL    string // for the partner's calls
	Notify string // for the platform's notifications
}

// StartRecorder starts a recorder that passes the partner's calls to upstream and the
// platform's to adapter, and adds both to file. args are added to its flags, env to its
// environment; tee, if any, gets a copy of its log.
func StartRecorder(ctx context.Context, bin Binaries, tee io.Writer, upstream, adapter, file string, env []string, args ...string) (*Recorder, error) {
	args = append([]string{"record", "--log-format", "json", "--upstream", upstream, "--notify", adapter, "--out", file}, args...)
	p, err := start("recorder", bin.Mockplatform, args, env, tee)
	if err != nil {
		return nil, err
	}
	ready, err := p.announced(ctx)
	if err != nil {
		return nil, err
	}
	url, _ := ready["url"].(string)
	notify, _ := ready["notify"].(string)
	return &Recorder{p, url, notify}, nil
}
