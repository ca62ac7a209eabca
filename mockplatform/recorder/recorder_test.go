package recorder_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/recording"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/recorder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tape is a recorder in a test.
type tape struct {
	*recorder.Recorder
	t      *testing.T
	file   string
	client *http.Client
	stop   func() error
}

// record starts a recorder in front of an address.
func record(t *testing.T, upstream string, options ...func(*recorder.Config)) *tape {
	t.Helper()
	to, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	cfg := recorder.Config{Upstream: to, Out: filepath.Join(t.TempDir(), "journal.jsonl"), Keys: recorder.Keys{
		Partners: map[string]string{mockplatform.DemoPartner.Hash: mockplatform.DemoPartner.Key},
	}}
	for _, option := range options {
		option(&cfg)
	}
	r, err := recorder.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	tape := &tape{Recorder: r, t: t, file: cfg.Out, client: &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	running := true
	tape.stop = func() error {
		if !running {
			return nil
		}
		running = false
		tape.client.CloseIdleConnections()
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := tape.stop(); err != nil {
			t.Error(err)
		}
	})
	return tape
}

// lines reads what is recorded, also while it goes on.
func (r *tape) lines() []*recording.Exchange {
	r.t.Helper()
	text, err := os.ReadFile(r.file)
	if err != nil {
		r.t.Fatal(err)
	}
	exchanges, whole, err := recording.Read(bytes.NewReader(text))
	if err != nil || whole != int64(len(text)) {
		r.t.Fatalf("%d of %d bytes: %v", whole, len(text), err)
	}
	return exchanges
}

// await returns what is recorded once it is so many lines: what the caller cannot see, such as
// that it hung up itself, is recorded a moment later.
func (r *tape) await(n int) []*recording.Exchange {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if r.Lines() >= n {
			return r.lines()
		}
	}
	r.t.Fatalf("%d lines; want %d", r.Lines(), n)
	return nil
}

func (r *tape) do(verb, path, body string, header ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), verb, r.URL()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, string(answer)
}

// serve is a platform of the test's own.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// Calls and answers pass as they are, byte for byte.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(`{"status":{"code":0},"error":false,"data":{"cryptKey":"kkkkkkkkkkkkkkkkkkkk"}}`))
	_ = w.Close()
	echo := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Echo", fmt.Sprintf("%s %s %s %q %d", r.Method, r.RequestURI, r.Header, body, r.ContentLength))
		if r.Header.Get("Accept-Encoding") == "gzip" {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write(packed.Bytes())
			return
		}
		http.Redirect(w, r, "https://elsewhere.example/?token=ssssssss", http.StatusFound)
	}
	upstream := serve(t, echo)
	r := record(t, upstream)
	for _, tt := range []struct {
		verb, path, body string
		header           []string
	}{
		{"GET", "/a%2Fb//c/?x=%zz;y&k=zaa&k=%20+", "", []string{"X-Forwarded-For", "10.0.0.1", "User-Agent", "one"}},
		{"POST", "/partners/acme/createUser?k=zaa", `{"a":1}`, []string{"Accept-Encoding", "gzip", "Content-Type", "application/json", "User-Agent", ""}},
		{"PUT", "/", strings.Repeat("x", 70_000), []string{"Cookie", "a=b"}},
		{"HEAD", "/?", "", nil},
	} {
		got, answer := r.do(tt.verb, tt.path, tt.body, tt.header...)
		req, err := http.NewRequestWithContext(t.Context(), tt.verb, upstream+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(tt.header); i += 2 {
			req.Header.Set(tt.header[i], tt.header[i+1])
		}
		want, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(want.Body)
		_ = want.Body.Close()
		got.Header.Del("Date")
		want.Header.Del("Date")
		if got.StatusCode != want.StatusCode || answer != string(body) || !cmp.Equal(got.Header, want.Header) {
			t.Errorf("%s %s: %d %q; want %d %q (-want +got):\n%s", tt.verb, tt.path, got.StatusCode, answer, want.StatusCode, body, cmp.Diff(want.Header, got.Header))
		}
	}
	for _, x := range r.lines() {
		if text := x.Request + x.Response; strings.Contains(text, "kkkkkkkk") || strings.Contains(text, "ssssssss") || strings.Contains(x.Request, "a=b") {
			t.Errorf("a secret in %.2000s", text)
		}
	}
	if packed := r.lines()[1]; !strings.Contains(packed.Response, `"cryptKey":"***"`) {
		t.Errorf("a packed answer is not readable: %+v", packed)
	}
}

// What is long passes, and is left out of the file.
func TestBigBodies(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB
	r := record(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	if _, answer := r.do("POST", "/", big); answer != big {
		t.Errorf("%d bytes came back of %d", len(answer), len(big))
	}
	x := r.lines()[0]
	if want := "request: 4194304 bytes: longer than 1048576; response: 4194304 bytes: longer than 1048576"; x.LeftOut != want || len(x.Request) > 1000 {
		t.Errorf("left out %q; want %q, in %d bytes", x.LeftOut, want, len(x.Request))
	}
}

// What comes slowly is passed on as it comes; and is in the file before the caller has all of it.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	more := make(chan bool)
	r := record(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"a":`)
		_ = http.NewResponseController(w).Flush()
		<-more
		_, _ = io.WriteString(w, "1}")
	}))
	res, err := r.client.Get(r.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	first := make([]byte, 5)
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != `{"a":` {
		t.Fatalf("%q %v", first, err)
	}
	if n := r.Lines(); n != 0 {
		t.Errorf("%d lines before the end", n)
	}
	more <- true
	if rest, err := io.ReadAll(res.Body); err != nil || string(rest) != "1}" {
		t.Errorf("%q %v", rest, err)
	}
	if x := r.lines(); len(x) != 1 || !strings.HasSuffix(x[0].Response, "\r\n\r\n{\"a\":1}") || x[0].Verdict.Detail != "" {
		t.Errorf("%+v", x)
	}
}

// A caller that hangs up, a platform that hangs up or is not there, and one that never answers
// leave a line each, without an answer.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	came := make(chan bool, 2)
	hang := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server would not notice who is gone
		came <- true
		<-r.Context().Done()
	})
	abort := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	half := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"a":1}`)
	})
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for _, tt := range []struct {
		name, upstream string
		wait           time.Duration // of the recorder
		hangUp         bool
		status         int // that the caller sees; 0 for a broken connection
		want           string
	}{
		{"the caller hangs up", hang, 0, true, 0, "no answer: the caller hung up"},
		{"the platform hangs up", abort, 0, false, 502, "no answer: EOF"},
		{"the answer is cut off", half, 0, false, 0, "no answer: the answer was cut off"},
		{"nobody is there", "http://" + gone.Addr().String(), 0, false, 502, "no answer: dial tcp " + gone.Addr().String() + ": connect: connection refused"},
		{"it takes too long", hang, 50 * time.Millisecond, false, 502, "no answer: net/http: timeout awaiting response headers"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := record(t, tt.upstream, func(cfg *recorder.Config) { cfg.Timeout = tt.wait })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.hangUp {
				go func() {
					<-came
					cancel()
				}()
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL()+"/partners/acme/doPayment?k=zaa", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			res, err := r.client.Do(req)
			if err == nil {
				_, err = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
			if (err == nil) != (tt.status != 0) || err == nil && res.StatusCode != tt.status {
				t.Errorf("the caller got %v, %v; want %d", res, err, tt.status)
			}
			x := r.await(1)[0]
			if x.Verdict.Detail != tt.want || x.Status != 0 || x.Response != "" || x.Method != "doPayment" {
				t.Errorf("%+v; want %s", x, tt.want)
			}
			select { // for the case that did not hang up itself
			case <-came:
			default:
			}
		})
	}
}

// A recorder that is stopped lets what is in progress end.
func TestStop(t *testing.T) {
	t.Parallel()
	came, more := make(chan bool), make(chan bool)
	r := record(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		close(came)
		<-more
		_, _ = io.WriteString(w, "late")
	}))
	answer := make(chan string)
	go func() {
		res, err := r.client.Get(r.URL())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer func() { _ = res.Body.Close() }()
		body, _ := io.ReadAll(res.Body)
		answer <- string(body)
	}()
	<-came
	stopped := make(chan error)
	go func() { stopped <- r.stop() }()
	close(more)
	if got := <-answer; got != "late" {
		t.Errorf("answer %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if len(r.lines()) != 1 {
		t.Errorf("%d lines", len(r.lines()))
	}
}

// A caller who never finishes holds up neither others nor the end.
func TestHangingCaller(t *testing.T) {
	t.Parallel()
	came := make(chan bool)
	r := record(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 100 {
			close(came)
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		_, _ = io.WriteString(w, "ok")
	}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "POST /iframe/hello?k=zaa HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"); err != nil {
		t.Fatal(err)
	}
	<-came
	if _, answer := r.do("GET", "/", ""); answer != "ok" {
		t.Errorf("another caller got %q", answer)
	}
	began := time.Now()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the end took %s", took)
	}
	x := r.lines()
	if last := x[len(x)-1]; len(x) != 2 || last.Method != "hello" || last.Status != 0 || !strings.HasPrefix(last.Verdict.Detail, "no answer: ") {
		t.Errorf("%+v", last)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	platform := mockplatform.Start(t, func(cfg *mockplatform.Config) { cfg.TLSListen = "127.0.0.1:0" })
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(platform.Authority().Certificate())
	r := record(t, platform.TLSURL(), func(cfg *recorder.Config) { cfg.RootCAs = trusted })
	address, err := integra.Seal(integra.Simple, integra.Credentials{Hash: mockplatform.DemoPartner.Hash, Key: mockplatform.DemoPartner.Key}, integra.HelloArgs{Name: "TLS"})
	if err != nil {
		t.Fatal(err)
	}
	if _, answer := r.do("GET", "/iframe/hello?k="+url.QueryEscape(address), ""); !strings.Contains(answer, "Hello, TLS!") {
		t.Errorf("answer %s", answer)
	}
	if x := r.lines()[0]; x.Args != `{"name":"TLS"}` || x.Sealed == nil || x.Sealed.Key != recording.KeyPartner {
		t.Errorf("%+v", x)
	}
	stranger := record(t, platform.TLSURL())
	if res, answer := stranger.do("GET", "/", ""); res.StatusCode != http.StatusBadGateway || !strings.Contains(answer, "certificate") {
		t.Errorf("an authority that nobody trusts: %d %s", res.StatusCode, answer)
	}
}

// A file is added to after a kill; one that is no recording is left alone.
func TestFile(t *testing.T) {
	t.Parallel()
	upstream := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	first := record(t, upstream)
	first.do("GET", "/", "")
	to, _ := url.Parse(upstream)
	if _, err := recorder.New(recorder.Config{Upstream: to, Out: first.file}); err == nil || !strings.Contains(err.Error(), "another recorder") {
		t.Errorf("a second recorder: %v", err)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(first.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(first.file, append(whole, `{"v":1,"se`...), 0o600); err != nil {
		t.Fatal(err)
	}
	second := record(t, upstream, func(cfg *recorder.Config) { cfg.Out = first.file })
	second.do("GET", "/", "")
	if x := second.lines(); len(x) != 2 || x[1].Seq != 2 || !bytes.HasPrefix([]byte(x[0].Request), []byte("GET / ")) {
		t.Errorf("%+v", x)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("dear diary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := recorder.New(recorder.Config{Upstream: to, Out: other}); err == nil || !strings.Contains(err.Error(), "out: "+other+": line 1: line: is not JSON") {
		t.Errorf("not a recording: %v", err)
	}
	if text, _ := os.ReadFile(other); string(text) != "dear diary\n" {
		t.Errorf("it is now %q", text)
	}
	if info, err := os.Stat(first.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// Keys that were learned are there at the next start, and what is broken is said by its line.
func TestLearned(t *testing.T) {
	t.Parallel()
	const user = "12345678901234567890123456789012"
	learned := filepath.Join(t.TempDir(), "learned.yaml")
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "createUser") {
			_, _ = w.Write(integra.Success(integra.CreateUserResult{CryptKey: "the-key-of-the-user"}).Encode())
		}
	})
	ask := func(r *tape, m integra.Method, cred integra.Credentials, args any) *recording.Exchange {
		k, err := integra.Seal(integra.Simple, cred, args)
		if err != nil {
			t.Fatal(err)
		}
		r.do("POST", "/iframe/"+string(m)+"?k="+url.QueryEscape(k), "")
		return r.lines()[len(r.lines())-1]
	}
	keep := func(cfg *recorder.Config) { cfg.Learned = learned }
	for range 2 {
		r := record(t, upstream, keep)
		ask(r, integra.CreateUser, integra.Credentials{Hash: mockplatform.DemoPartner.Hash, Key: mockplatform.DemoPartner.Key}, integra.CreateUserArgs{Username: "u", Hash: user})
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(learned)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(learned, append(text, "cut o"...), 0o600); err != nil {
		t.Fatal(err)
	}
	x := ask(record(t, upstream, keep), integra.ChangeURL, integra.Credentials{Hash: user, Key: "the-key-of-the-user"}, integra.ChangeURLArgs{URL: "https://the-key-of-the-user.example"})
	if x.Sealed == nil || x.Sealed.Key != recording.KeyUser || x.Args != `{"url":"https://***.example"}` {
		t.Errorf("%+v", x)
	}
	if err := os.WriteFile(learned, []byte("a: b\n- x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	to, _ := url.Parse(upstream)
	if _, err := recorder.New(recorder.Config{Upstream: to, Out: filepath.Join(t.TempDir(), "out"), Learned: learned}); err == nil || !strings.Contains(err.Error(), "learned.yaml: line 2 is not HASH: KEY") {
		t.Errorf("a broken file: %v", err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	const hash = "c9cb3d6a7f7b802f170ca8a166c1375e"
	env := func(name string) (string, bool) { return "from the environment", name == "KEY" }
	keys, err := recorder.ParseKeys([]byte("cipher: base64\npartners: {"+hash+": '${KEY}'}\nusers: {"+hash+": secret-of-a-user}\nsecrets: [password]\n"), env)
	want := recorder.Keys{Cipher: "base64", Partners: map[string]string{hash: "from the environment"}, Users: map[string]string{hash: "secret-of-a-user"}, Secrets: []string{"password"}}
	if err != nil || !cmp.Equal(keys, want) {
		t.Errorf("keys differ, %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", keys, keys, keys, keys); strings.Contains(text, "secret") || strings.Contains(text, hash) {
		t.Errorf("printed: %s", text)
	}
	for _, tt := range []struct{ text, want string }{
		{"cipher: rot13\n", `cipher: cipher "rot13" is unknown: possible are simple and base64`},
		{"partners: {short: long-enough}\n", `partners: "short" is no hash of 32 letters or digits`},
		{"users: {" + hash + ": hush}\n", "users." + hash + ": has fewer than 6 characters, so that it could not be found in the traffic"},
		{"secrets: ['${NOPE}']\n", "secrets[0]: the environment has no variable NOPE"},
		{"partner: {}\n", "unmarshal errors:\n  line 1: field partner not found"},
		{"secrets: my-password\n", "unmarshal errors:\n  line 1: cannot unmarshal !!str a value into []string"},
	} {
		if _, err := recorder.ParseKeys([]byte(tt.text), env); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v; want %s", tt.text, err, tt.want)
		}
	}
}
