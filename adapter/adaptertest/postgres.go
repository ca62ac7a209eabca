package adaptertest

import (
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/partnerkit/partnerkit/internal/pgcluster"
)

// Postgres returns the URL of a fresh database on a private PostgreSQL cluster. The cluster
// is started the first time a test binary asks for one, and is gone with the test binary.
// Without PostgreSQL's programs the test is skipped, with a text that says how to get them;
// where CI=true it fails.
func Postgres(t testing.TB) string {
	t.Helper()
	c, err := cluster()
	if errors.Is(err, pgcluster.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("start a private PostgreSQL: %v", err)
	}
	url, err := c.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return url
}

var cluster = sync.OnceValues(pgcluster.Start)
