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
	return database(t, started(t, cluster))
}

var cluster = sync.OnceValues(pgcluster.Start)

// PostgresAlone is like Postgres, but the cluster is the test's own, and may be crashed.
func PostgresAlone(t testing.TB) (url string, c *pgcluster.Cluster) {
	t.Helper()
	c = started(t, pgcluster.Start)
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return database(t, c), c
}

func started(t testing.TB, start func() (*pgcluster.Cluster, error)) *pgcluster.Cluster {
	t.Helper()
	c, err := start()
	if errors.Is(err, pgcluster.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("start a private PostgreSQL: %v", err)
	}
	return c
}

func database(t testing.TB, c *pgcluster.Cluster) string {
	t.Helper()
	url, err := c.NewDatabase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return url
}
