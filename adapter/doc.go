// Package adapter is the domain of the partner's side: payments, their states, the steps
// between them and the rules that keep money from being lost or spent twice.
//
// Nothing here talks to a network, a database or a clock. A payment is a value; a Step
// carries the copy before and after it together with the money it moves and the line of
// history that explains it, and the store writes all of that in one transaction or none.
// Around this package stand the technologies, one package each, strangers to each other
// and joined in cmd/adapter.
package adapter
