package anymoney

import "net/http"

// HTTP is the client's own, so that tests can put another transport under it.
func (c *Client) HTTP() *http.Client { return c.caller.HTTP() }
