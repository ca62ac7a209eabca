// Package traffic is the way of every exchange in and out of a platform: one place that
// reads requests within limits, lets the armed faults do their work, records what happened in
// the journal, and answers.
//
// A protocol serves a call in two steps: it looks at the outside of the request as far as is
// needed to know what it is about, and hands the rest to Desk.Serve as a function. What it
// has to tell a partner it writes when a Courier asks for it. In both, the fault.Plan comes
// along for the two things that only the protocol can spoil: a signature and an amount.
package traffic
