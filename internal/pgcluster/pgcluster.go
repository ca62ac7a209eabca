// Package pgcluster runs a private PostgreSQL cluster for tests and benchmarks: real, synced
// to the disk as in production, in a folder of its own, gone with the process.
package pgcluster

import (
	"bufio"
	"context"
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
	"sync/atomic"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// ErrMissing says that PostgreSQL's programs are not installed, and how to get them.
var ErrMissing = errors.New("PostgreSQL's programs initdb, pg_ctl and postgres were not found in the PATH " +
	"or in /usr/lib/postgresql/*/bin (Debian and Ubuntu: apt-get install postgresql)")

// Cluster is a running server that listens on a socket in a folder of its own only. It is
// safe for concurrent use, but for Crash and Recover, which take turns.
type Cluster struct {
	dir       string
	stdin     io.WriteCloser // kept: the server stops when it is closed, also by the garbage collector
	stdout    *bufio.Reader
	databases atomic.Int64
}

func (c *Cluster) url(database string) string {
	return fmt.Sprintf("postgres://postgres@/%s?host=%s&sslmode=disable", database, c.dir)
}

// Stop ends the server and deletes its databases; the end of the process does that as well.
func (c *Cluster) Stop() error { return c.stdin.Close() }

// PID is the server's process; those of its connections are children of it.
func (c *Cluster) PID() (int, error) {
	raw, err := os.ReadFile(filepath.Join(c.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	return strconv.Atoi(first)
}

// Crash ends the server at once, as a power cut does, and returns when it is gone. What was
// committed is there again after Recover.
func (c *Cluster) Crash() error { return c.order("crash", "gone") }

// Recover starts a crashed server and returns when it takes connections.
func (c *Cluster) Recover() error { return c.order("recover", "ready") }

// order tells the supervisor what to do and waits for its word that it is done.
func (c *Cluster) order(what, done string) error {
	if _, err := io.WriteString(c.stdin, what+"\n"); err != nil {
		return fmt.Errorf("%s the server: %w", what, err)
	}
	line, err := c.stdout.ReadString('\n')
	if err == nil && line != done+"\n" {
		err = fmt.Errorf("answered %q", line)
	}
	if err != nil {
		return fmt.Errorf("%s the server: %w", what, err)
	}
	return nil
}

// NewDatabase makes an empty database and returns its URL.
func (c *Cluster) NewDatabase(ctx context.Context) (url string, err error) {
	name := fmt.Sprintf("test_%d", c.databases.Add(1))
	conn, err := pgx.Connect(ctx, c.url("postgres"))
	if err == nil {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+name)
		err = errors.Join(err, conn.Close(ctx))
	}
	if err != nil {
		return "", fmt.Errorf("create database: %w", err)
	}
	return c.url(name), nil
}

// supervise runs the server until its input ends, which happens when this process exits
// or is killed, and then removes everything. The server syncs to the disk as in production:
// what tests measure and crash is the real thing.
const supervise = `
trap '' INT TERM
trap 'rm -rf "$dir"' EXIT
start() {
	"$bin/pg_ctl" start --wait --silent --pgdata="$dir/data" --log="$dir/log" \
		--options="-h '' -k '$dir' -c max_connections=300" >"$dir/start" 2>&1 </dev/null
}
stop() {
	"$bin/pg_ctl" stop --silent --pgdata="$dir/data" --mode=immediate
}
"$bin/initdb" --auth=trust --username=postgres --encoding=UTF8 --locale=C --no-sync --pgdata="$dir/data" >"$dir/log" 2>&1 && start
if [ $? -ne 0 ]; then
	cat "$dir/start" "$dir/log" >&2
	exit 1
fi
echo ready
while read -r order; do
	case $order in
		crash) stop && echo gone ;;
		recover) start && echo ready ;;
	esac || exit 1
done
stop
`

// Start starts a cluster. It is stopped and deleted with all its databases when this process
// ends, however it ends. The server's programs are taken from the PATH or from Debian's usual
// folder; without them the error is ErrMissing.
func Start() (*Cluster, error) {
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
	defer func() { _ = errors.Join(errs.Close(), os.Remove(errs.Name())) }()
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stdout := bufio.NewReader(out)
	if line, _ := stdout.ReadString('\n'); line != "ready\n" {
		_ = cmd.Wait()
		if _, err := errs.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		said, _ := io.ReadAll(errs)
		return nil, fmt.Errorf("the server did not start: %s", said)
	}
	return &Cluster{dir: dir, stdin: stdin, stdout: stdout}, nil
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
	return "", ErrMissing
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
