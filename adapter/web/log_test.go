package web_test

import (
	"bytes"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/partnerkit/partnerkit/adapter/web"
)

func TestLogsKeepSecrets(t *testing.T) {
	t.Parallel()
	const secret = "s3cret"
	for _, format := range []string{"json", "text"} {
		for _, name := range []string{
			"k", "K", "key", "Key", "crypt_key", "cryptKey", "partner-key", "keys", "token", "notifyToken", "TOKEN", "tokens",
			"secret", "clientSecret", "password", "Authorization", "cookie", "Set-Cookie", "jwt",
		} {
			var out bytes.Buffer
			log, err := web.NewLogger(&out, format, slog.LevelInfo)
			if err != nil {
				t.Fatal(err)
			}
			log.Info("plain", name, secret)
			log.Info("any", name, []string{secret})
			log.With(name, secret).Info("with")
			log.WithGroup(name).Info("group", "value", secret)
			log.Info("nested", slog.Group("outer", slog.Group(name, slog.String("value", secret))))
			if strings.Contains(out.String(), secret) || strings.Count(out.String(), "(redacted)") != 5 {
				t.Errorf("%s: %q is not hidden:\n%s", format, name, out.String())
			}
		}
	}
}

func TestLogsShowTheRest(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		"json": `^{"time":"[^"]+","level":"WARN","msg":"notification","payment":"integra/1","task":1,"market":"x","reason":"y","mark":true}\n$`,
		"text": `^time=\S+ level=WARN msg=notification payment=integra/1 task=1 market=x reason=y mark=true\n$`,
	} {
		var out bytes.Buffer
		log, err := web.NewLogger(&out, format, slog.LevelWarn)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("too quiet")
		log.Warn("notification", "payment", "integra/1", "task", 1, "market", "x", "reason", "y", "mark", true)
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("%s: logged %s\nwant %s", format, out.String(), want)
		}
	}
	if _, err := web.NewLogger(nil, "xml", slog.LevelInfo); err == nil || !strings.Contains(err.Error(), "json and text") {
		t.Errorf("an unknown format: %v; want an error that says what is possible", err)
	}
}

// BenchmarkLog is the line of a notification.
func BenchmarkLog(b *testing.B) {
	log, err := web.NewLogger(new(nothing), "json", slog.LevelInfo)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		log.LogAttrs(b.Context(), slog.LevelInfo, "notification",
			slog.String("outcome", "stored"), slog.Int("status", 200), slog.String("payment", "integra/202cb962ac59075b964b07152d234b70"),
			slog.String("user", "0123456789abcdef0123456789abcdef"), slog.String("amount", "100.50 RUB"), slog.Duration("took", 1234567))
	}
}

type nothing struct{}

func (*nothing) Write(p []byte) (int, error) { return len(p), nil }
