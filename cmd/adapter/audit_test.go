package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/partnerkit/partnerkit/adapter/api"
	"github.com/partnerkit/partnerkit/cmd/internal/program"
)

// A misspelt id must not look like a token that is good no more.
func TestRevokeTellsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	db := "sqlite:" + filepath.Join(t.TempDir(), "a.db")
	adapterRun(t, "migrate", "--database", db)
	adapterRun(t, "token", "mint", "--name", "panel", "--scope", "payments:read", "--database", db)
	_, list, _ := adapterRun(t, "token", "list", "--json", "--database", db)
	var minted []struct{ ID string }
	if err := json.Unmarshal([]byte(list), &minted); err != nil || len(minted) != 1 {
		t.Fatalf("%v: %s", err, list)
	}
	for id, known := range map[string]bool{minted[0].ID: true, minted[0].ID + "X": false} {
		code, out, _ := adapterRun(t, "token", "revoke", id, "--database", db)
		if code != program.ExitOK || !strings.Contains(out, "revoked "+id) || strings.Contains(out, "no token of this id") == known {
			t.Errorf("revoke %s: %d %s", id, code, out)
		}
	}
}

func TestCommandsAreAudited(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "a.db")
	user := strings.Repeat("u", 32)
	for _, tt := range []struct {
		args []string
		code int
	}{
		{[]string{"migrate"}, program.ExitOK},
		{[]string{"migrate"}, program.ExitOK}, // nothing left to do is no action
		{[]string{"ledger", "deposit", user, "10", "--key", "k7"}, program.ExitFailed},
		{[]string{"ledger", "balance", user}, program.ExitFailed}, // a look is none either
		{[]string{"token", "mint", "--name", "panel", "--scope", "payins:read", "--as", "bob"}, program.ExitOK},
		{[]string{"token", "mint", "--user", user}, program.ExitOK},
		{[]string{"payments", "resolve", "4711", "--decline", "--reason", "ticket 7"}, program.ExitFailed},
		{[]string{"payments", "retry", "4711"}, program.ExitFailed},
		{[]string{"payments", "retry", "4711", "--dry-run"}, program.ExitFailed},
	} {
		args := append(tt.args, "--database", db)
		if code, _, stderr := adapterRun(t, append([]string{"--as", "alice"}, args...)...); code != tt.code {
			t.Fatalf("%v: exit code %d: %s", args, code, stderr)
		}
	}
	_, out, _ := adapterRun(t, "audit", "list", "--json", "--database", db)
	var got []api.Action
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for i := range got {
		if got[i].At == "" {
			t.Errorf("line %d has no time", got[i].Num)
		}
		got[i].At = ""
		got[i].Detail, _, _ = strings.Cut(got[i].Detail, ":")
	}
	want := []api.Action{
		{Num: 6, Who: "alice", Via: "cli", What: "payments retry", On: "payment/4711", Result: "refused", Detail: "payment 4711"},
		{Num: 5, Who: "alice", Via: "cli", What: "payments resolve", On: "payment/4711", Result: "refused", Detail: "decline"},
		{Num: 4, Who: "alice", Via: "cli", What: "token mint", On: "user/" + user, Result: "done", Detail: "notify token, good for 168h0m0s"},
		{Num: 3, Who: "bob", Via: "cli", What: "token mint", On: "token/panel", Result: "done", Detail: "scopes payins"},
		{Num: 2, Who: "alice", Via: "cli", What: "ledger deposit", On: "user/" + user, Result: "refused", Detail: "10.00 RUB, key k7"},
		{Num: 1, Who: "alice", Via: "cli", What: "migrate apply", Result: "done"},
	}
	want[5].Detail = got[len(got)-1].Detail // the names of the steps, whichever there are
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
	if _, out, _ := adapterRun(t, "audit", "list", "--database", db, "--who", "bob"); strings.Count(out, "\n") != 2 || !strings.Contains(out, "token/panel") {
		t.Errorf("only bob's:\n%s", out)
	}
	if code, _, stderr := adapterRun(t, "audit", "list", "--database", db, "--via", "door"); code != program.ExitUsage || !strings.Contains(stderr, "--via") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
