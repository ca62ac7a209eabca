package cmd_test

import (
	"database/sql"
	"net/http"
	"strings"
	"testing"

	"github.com/go-resty/resty/v2"
	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	_ "modernc.org/sqlite"             // driver "sqlite"

	"github.com/partnerkit/partnerkit/internal/stage"
)

// The adapter dies when it has done what was asked for and cannot say so: the next one finds the
// effect, does nothing twice, and answers as it should have been, from then on alike.
func TestKilledBetweenEffectAndAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		w := newWorld(t, database)
		doubt := w.doubtful("100")
		token := w.run("token", "mint", "--name", "panel", "--scope", "admin")
		users := len(w.users())
		post := func(path, key, body string) (*resty.Response, error) {
			return resty.New().SetBaseURL(w.adapter.URL).SetAuthToken(token).R().
				SetHeaders(map[string]string{"Idempotency-Key": key, "Content-Type": "application/json"}).SetBody(body).Post("/v1/" + path)
		}
		requests := map[string]struct {
			path, body string
			status     int
		}{
			"resolve":  {"payments/" + doubt + "/resolve", `{"outcome":"declined","reason":"it is not there"}`, http.StatusOK},
			"register": {"users", `{"login":"carl"}`, http.StatusCreated},
			"deposit":  {"accounts/" + w.user + "/deposits", `{"amount":"10"}`, http.StatusCreated},
		}
		noAnswers, answers := withoutAnswers(database)
		execute(t, database, noAnswers...)
		for key, r := range requests {
			res, err := post(r.path, key, r.body)
			must(t, err)
			if res.StatusCode() != http.StatusServiceUnavailable {
				t.Errorf("%s without a stored answer: %d %s", key, res.StatusCode(), res.Body())
			}
		}
		w.await(doubt, "declined") // it is done
		w.kill()
		execute(t, database, answers...)
		w.start()
		for key, r := range requests {
			first, err := stage.Until(testContext(t), func() (*resty.Response, bool, error) { // its death may have to be noticed yet
				res, err := post(r.path, key, r.body)
				return res, err == nil && res.StatusCode() != http.StatusConflict, err
			})
			must(t, err)
			again, err := post(r.path, key, r.body)
			must(t, err)
			if first.StatusCode() != r.status || again.StatusCode() != r.status || first.String() != again.String() || again.Header().Get("Idempotency-Replayed") != "true" {
				t.Errorf("%s: %d %s\nand again %d %s; want %d twice", key, first.StatusCode(), first, again.StatusCode(), again, r.status)
			}
		}
		if n := len(w.users()); n != users+1 {
			t.Errorf("%d users were registered, want one", n-users)
		}
		w.books(w.user, "1010.00", "0.00", w.credited(w.user))
	})
}

func (w *world) users() (list []struct{ Hash string }) {
	w.t.Helper()
	w.runJSON(&list, "users", "list")
	return list
}

// withoutAnswers is what keeps a database from storing answers, and what lets it again.
func withoutAnswers(database string) (keep, let []string) {
	if strings.HasPrefix(database, "sqlite:") {
		return []string{`CREATE TRIGGER no_answers BEFORE UPDATE OF status ON requests WHEN NEW.status <> 0 BEGIN SELECT RAISE(ABORT, 'not now'); END`},
			[]string{`DROP TRIGGER no_answers`}
	}
	return []string{
		`CREATE FUNCTION no_answers() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$`,
		`CREATE TRIGGER no_answers BEFORE UPDATE ON requests FOR EACH ROW WHEN (NEW.status <> 0) EXECUTE FUNCTION no_answers()`,
	}, []string{`DROP TRIGGER no_answers ON requests`, `DROP FUNCTION no_answers`}
}

// execute runs statements in the adapter's database.
func execute(t *testing.T, database string, statements ...string) {
	t.Helper()
	driver, source := "pgx", database
	if file, ok := strings.CutPrefix(database, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+file+"?_pragma=busy_timeout(15000)"
	}
	db, err := sql.Open(driver, source)
	must(t, err)
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
