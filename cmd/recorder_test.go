package cmd_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/contract"
	"github.com/partnerkit/partnerkit/contract/recording"
	"github.com/partnerkit/partnerkit/internal/stage"
)

// The real adapter, which knows nothing of it, tops up by way of the real recorder, which is
// killed in between and loses nothing; another stand-in then says the same.
func TestRecorder(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	platform := func() *stage.Platform {
		p, err := stage.StartPlatform(ctx, binaries, nil, "--seed", "1")
		must(t, err)
		t.Cleanup(func() { _ = p.Stop(time.Minute) })
		return p
	}
	sandbox, folder := platform(), t.TempDir()
	file, keys := filepath.Join(folder, "journal.jsonl"), filepath.Join(folder, "keys.yaml")
	must(t, os.WriteFile(keys, []byte("partners: {"+sandbox.PartnerHash+": '${PARTNER_KEY}'}\n"), 0o600))
	addresses := make([]string, 3)
	for i := range addresses {
		var err error
		addresses[i], err = stage.FreeAddr()
		must(t, err)
	}
	record := func() *stage.Recorder {
		r, err := stage.StartRecorder(ctx, binaries, nil, sandbox.URL, "http://"+addresses[2], file, []string{"PARTNER_KEY=" + sandbox.PartnerKey},
			"--keys", keys, "--learned", filepath.Join(folder, "learned.yaml"), "--listen", addresses[0], "--notify-listen", addresses[1])
		must(t, err)
		t.Cleanup(func() { _ = r.Kill() })
		return r
	}
	r := record()
	behind := *sandbox
	behind.URL = r.URL
	w := &world{t: t, platform: sandbox, partner: stage.NewPartner(binaries, &behind, addresses[2], folder, sqlite(t), "ADAPTER_NOTIFY_URL_BASE="+r.Notify, "ADAPTER_RETRY_FIRST=20ms", "ADAPTER_RETRY_MAX=200ms")}
	must(t, w.partner.MakeKey(ctx, folder))
	w.run("migrate")
	w.user = w.register("user")
	w.start()
	w.await(w.topUp(w.user, "100"), "confirmed")
	must(t, r.Kill())

	read := func() (exchanges []*recording.Exchange, text []byte) {
		text, err := os.ReadFile(file)
		must(t, err)
		exchanges, whole, err := recording.Read(bytes.NewReader(text))
		if err != nil || whole != int64(len(text)) {
			t.Fatalf("%d of %d bytes: %v", whole, len(text), err)
		}
		return exchanges, text
	}
	confirmed := func(exchanges []*recording.Exchange) (n int) {
		for _, x := range exchanges {
			if x.Method == "confirmPayment" && x.Verdict.OK {
				n++
			}
		}
		return n
	}
	if before, _ := read(); confirmed(before) != 1 {
		t.Errorf("%d confirmations after the kill; want the one that was answered", confirmed(before))
	}

	r = record()
	w.await(w.topUp(w.user, "5000"), "declined")
	w.await(w.topUp(w.user, "50.5"), "confirmed")
	must(t, w.adapter.Stop(time.Minute))
	must(t, r.Stop(time.Minute))
	exchanges, text := read()
	if confirmed(exchanges) != 2 || !strings.Contains(r.Log(), `"msg":"stopped"`) {
		t.Errorf("%d confirmations; log:\n%s", confirmed(exchanges), r.Log())
	}
	// Every key is 51 of these characters, and a token's last part is 43 of them.
	for _, found := range regexp.MustCompile(`[0-9A-Za-z_-]{43,}\b`).FindAll(text, -1) {
		if !bytes.HasPrefix(found, []byte("eyJ")) {
			t.Errorf("a secret? %s", found)
		}
	}
	if bytes.Contains(text, []byte(sandbox.PartnerKey)) || strings.Contains(r.Log(), sandbox.PartnerKey) {
		t.Error("the partner's key is in the file, or in the log")
	}
	other := platform()
	report, err := contract.Drift(ctx, exchanges, contract.StandIn{URL: other.URL, Control: other.Control}, contract.DriftOptions{Seed: 1})
	must(t, err)
	if len(report.Differences) > 0 || report.Compared < 8 {
		t.Errorf("%+v", report)
	}
}
