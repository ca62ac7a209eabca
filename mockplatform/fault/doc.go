// Package fault is the stand-in's deliberate misbehaviour: rules that choose an exchange and
// say what goes wrong with it.
//
// A Rule matches exchanges by what they are about (protocol, method, direction, partner,
// user, payment) and picks among those that fit: the nth, every nth, or each with a
// probability, and at most count of them. Every rule counts every exchange that fits it; of
// the rules that are due at the same exchange, the one that was armed first acts, and the
// turn of the others passes. A rule that names no method leaves the pages of users alone, so
// that a browser can still be used while programs suffer.
//
// Chance follows from the seed and from the number of the rule alone: an exchange that fits
// no rule changes nothing for the others, and equal runs meet equal faults.
//
// # Time
//
// What waits before a call to the stand-in is carried out or answered waits in real time,
// because the caller has a time limit of its own there. What waits before the stand-in sends
// something waits in virtual time, as all its schedules do, and so is run by an advance of
// the clock. Act.Clock chooses the other one. An answer that waits in virtual time comes only
// as the clock moves on; an advance does not wait for it. Hanging and dripping are always
// real: they last until the caller, or the stand-in's own time limit, gives up.
//
// # Cost
//
// Rules stand in groups of equal matches, and each group knows at which of its exchanges the
// next of its rules is due. An exchange asks only the groups that it fits: a thousand rules
// cost what one does.
package fault
