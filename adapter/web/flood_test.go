package web_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter/web"
)

func TestSampleFloods(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	clock := newHandClock()
	log := slog.New(web.SampleFloods(slog.NewTextHandler(&out, nil), clock.Now))
	count := func(text string) int { return strings.Count(out.String(), text) }
	for i := range 1000 {
		log.With("i", i).Warn("turned away")
		log.Info("payment step")
		log.Error("claim failed")
	}
	log.Warn("another")
	if count("turned away") != 50 || count("payment step") != 1000 || count("claim failed") != 1000 || count("another") != 1 || count("left_out") != 0 {
		t.Errorf("%d warnings, %d steps, %d errors, %d others; want 50, 1000, 1000, 1",
			count("turned away"), count("payment step"), count("claim failed"), count("another"))
	}
	clock.advance(time.Second)
	log.WithGroup("g").Warn("turned away")
	log.Warn("turned away")
	if count("turned away") != 52 || count("left_out=950") != 1 {
		t.Errorf("%d warnings; want two more, the first of which tells of 950 that were left out:\n%s", count("turned away"), out.String()[max(0, out.Len()-500):])
	}
}
