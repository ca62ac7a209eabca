package integra

import "net/http"

// HTTP is the client's own, so that tests can put another transport under it.
func (c *Client) HTTP() *http.Client { return c.caller.HTTP() }

// Form and ReadForm show the parser of queries and bodies to its tests.
type Form struct{ ID, Amount, Hash, Token string }

// ReadForm reads one query under the default names.
func ReadForm(raw string) (Form, error) {
	var f form
	err := f.read(raw, &Names{"id", "amount", "hash", "token"})
	return Form{f.id, f.amount, f.hash, f.token}, err
}
