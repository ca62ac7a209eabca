package adaptertest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres returns the URL of a fresh database on a private PostgreSQL cluster. The cluster
// is started the first time a test binary asks for one, and is stopped and deleted with all
// its databases when the test binary ends, however it ends.
//
// The server's programs are taken from the PATH or from Debian's usual folder. Without them
// the test is skipped, with a text that says how to get them; where CI=true it fails.
func Postgres(t testing.TB) string {
	t.Helper()
	c, err := theCluster()
	if errors.Is(err, errNoPostgres) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("start a private PostgreSQL: %v", err)
	}
	name := fmt.Sprintf("test_%d", c.databases.Add(1))
	conn, err := pgx.Connect(t.Context(), c.url("postgres"))
	if err == nil {
		_, err = conn.Exec(t.Context(), "CREATE DATABASE "+name)
		err = errors.Join(err, conn.Close(t.Context()))
	}
	if err != nil {
		t.Fatalf("create database: %v", err)
	}
	return c.url(name)
}

var errNoPostgres = errors.New("PostgreSQL's programs initdb, pg_ctl and postgres were not found in the PATH " +
	"or in /usr/lib/postgresql/*/bin (Debian and Ubuntu: apt-get install postgresql)")

// cluster is a running server that listens on a socket in a folder of its own only.
type cluster struct {
	dir       string
	stdin     io.Closer // kept: the server stops when it is closed, also by the garbage collector
	databases atomic.Int64
}

var theCluster = sync.OnceValues(startCluster)

func (c *cluster) url(database string) string {
	return fmt.Sprintf("postgres://postgres@/%s?host=%s&sslmode=disable", database, c.dir)
}

// supervise runs the server until its input ends, which happens when the test binary exits
// or is killed, and then removes everything. The server syncs to the disk as in production:
// what tests measure and crash is the real thing.
const supervise = `
trap '' INT TERM
trap 'rm -rf "$dir"' EXIT
"$bin/initdb" --auth=trust --username=postgres --encoding=UTF8 --locale=C --no-sync --pgdata="$dir/data" >"$dir/log" 2>&1 &&
"$bin/pg_ctl" start --wait --silent --pgdata="$dir/data" --log="$dir/log" \
	--options="-h '' -k '$dir' -c max_connections=300" >"$dir/start" 2>&1 </dev/null
if [ $? -ne 0 ]; then
	cat "$dir/start" "$dir/log" >&2
	exit 1
fi
echo ready
read -r _
"$bin/pg_ctl" stop --silent --pgdata="$dir/data" --mode=immediate
`

func startCluster() (*cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "partnerkit-pg-")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", supervise) // #nosec G204 -- a constant
	cmd.Env = append(os.Environ(), "bin="+bin, "dir="+dir)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ^C is for the tests; the end of the input stops the server
	if os.Getuid() == 0 {                                 // the server refuses to run as root
		who, err := servant()
		if err != nil {
			return nil, err
		}
		cmd.SysProcAttr.Credential = who
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			return nil, err
		}
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	errs, err := os.CreateTemp("", "partnerkit-pg-errors-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(errs.Name())
	defer errs.Close()
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		_ = cmd.Wait()
		if _, err := errs.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		said, _ := io.ReadAll(errs)
		return nil, fmt.Errorf("the server did not start: %s", said)
	}
	return &cluster{dir: dir, stdin: stdin}, nil
}

// programs returns the folder with the server's programs.
func programs() (string, error) {
	var dirs []string
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err == nil {
			dirs = append(dirs, filepath.Dir(initdb))
		}
	}
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(debian, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range append(dirs, debian...) {
		if !slices.ContainsFunc([]string{"initdb", "pg_ctl", "postgres"}, func(name string) bool {
			_, err := exec.LookPath(filepath.Join(dir, name))
			return err != nil
		}) {
			return dir, nil
		}
	}
	return "", errNoPostgres
}

// version is the number in /usr/lib/postgresql/15/bin.
func version(dir string) int {
	n, _ := strconv.Atoi(strings.Split(filepath.ToSlash(dir), "/")[4])
	return n
}

// servant is whom the server runs as when we are root.
func servant() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("we are root, and there is no user postgres or nobody to run the server as")
}
