package main

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/adapter/adaptertest"
	"github.com/partnerkit/partnerkit/adapter/store"
	"github.com/partnerkit/partnerkit/cmd/internal/program"
)

func TestArchiveCommand(t *testing.T) {
	database, long := adaptertest.SQLite(t), time.Now().Add(-100*24*time.Hour)
	s := adaptertest.Open(t, database, func(c *store.Config) { c.Now = func() time.Time { return long } })
	user := adaptertest.AddUser(t, s, 1, 1000_00)
	var nums []int64
	for range 3 {
		p := adaptertest.TopUp(t, user, 10_00, long)
		p.Owner, p.NextAt = s.Owner(), long.Add(time.Hour)
		p, _, err := s.Accept(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		nums = append(nums, p.Num)
		for !p.State.Final() {
			step, err := p.Decide(adaptertest.Policy, long)
			if p.State != adapter.Received {
				step, err = p.Answered(adapter.Outcome{Verdict: adapter.Accepted}, adaptertest.Policy, long)
			}
			if err != nil {
				t.Fatal(err)
			}
			if p, err = s.Apply(t.Context(), step); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "old.jsonl.gz")
	day := func(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.DateOnly) }
	archive := func(before, out string) (int, string, string) {
		return adapterRun(t, "payments", "archive", "--database", database, "--before", before, "--out", out)
	}
	for name, tt := range map[string]struct{ before, out, says string }{
		"too young":            {day(5 * 24 * time.Hour), file, "30 days"},
		"no day":               {"yesterday", file, "--before"},
		"a file that is there": {day(40 * 24 * time.Hour), strings.TrimPrefix(database, "sqlite:"), "there already"},
	} {
		if code, _, stderr := archive(tt.before, tt.out); code != program.ExitUsage || !strings.Contains(stderr, tt.says) {
			t.Errorf("%s: exit code %d, %s", name, code, stderr)
		}
	}
	if code, out, stderr := archive(day(40*24*time.Hour), file); code != program.ExitOK || !strings.HasPrefix(out, "3 payments in ") {
		t.Fatalf("exit code %d, %s%s", code, out, stderr)
	}
	rows := unpack(t, file)
	if len(rows) != 3 || len(rows[0].History) != 2 || len(rows[0].Transfers) != 2 || rows[0].State != "confirmed" || rows[0].Transfers[1].Move != "capture" {
		t.Errorf("the file holds %+v", rows)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); err != nil || len(left) != 1 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want it private", info, err)
	}
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"ledger", "verify"}, "clean"},
		{[]string{"ledger", "balance", user}, "available 970.00 RUB"},
		{[]string{"payments", "show", strconv.FormatInt(nums[0], 10)}, "moved to " + file},
		{[]string{"audit", "list", "--what", "payments archive"}, "3 payments that ended before"},
	} {
		if code, out, stderr := adapterRun(t, append(tt.args, "--database", database)...); code != program.ExitOK || !strings.Contains(out, tt.says) {
			t.Errorf("%v: exit code %d, %s%s; want %q", tt.args, code, out, stderr, tt.says)
		}
	}
	second := file + ".second"
	if code, out, _ := archive(day(40*24*time.Hour), second); code != program.ExitOK || !strings.Contains(out, "nothing to archive") {
		t.Errorf("a second time: exit code %d, %s", code, out)
	}
	if _, err := os.Stat(second); err == nil {
		t.Error("a file without payments was written")
	}
}

func unpack(t *testing.T, file string) (rows []archived) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	packed, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		rows = append(rows, archived{})
		if err := json.Unmarshal([]byte(line), &rows[len(rows)-1]); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}
