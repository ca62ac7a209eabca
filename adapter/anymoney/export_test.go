package anymoney

import (
	"context"
	"net/http"
)

// HTTP is the client's own, so that tests can put another transport under it.
func (c *Client) HTTP() *http.Client { return c.caller.HTTP() }

// Round makes one round of Run.
func (s *Payins) Round(ctx context.Context) int { return s.round(ctx) }

// ReadOrder turns the platform's order into ours.
var ReadOrder = readOrder
