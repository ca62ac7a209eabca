// Package contract says whether an adapter or a platform keeps the agreement.
//
// The agreement is a list of Checks: values with an id, the clause that they prove and a
// function. A Target says what is to be judged and how to reach it. Run carries the checks
// out against the target and returns a Report.
//
// An adapter is judged from outside, whatever it is written in: the suite presses "top up"
// at a platform that obeys it, watches what the adapter answers and calls, and compares the
// books of both sides afterwards. Two things only must be there for it: a state hook, by
// which a user gets money and shows it (Hook), and a stand-in, of which the suite knows
// nothing but its control API over HTTP. A platform is judged by calling it as a partner
// does.
//
// # What is promised
//
//   - Each check has users and ids of its own, so checks run side by side. Those that need
//     the platform to behave alike (Scene) run together; those that kill the adapter or move
//     the clock run alone.
//   - After every check of an adapter the money is counted: what the user has left and what
//     the platform has credited must be what was there before.
//   - Whatever is not a verdict about the target is an error of the run: a hook that fails,
//     a stand-in that cannot be reached. It is never a check that passed, failed or was
//     skipped.
//   - What a target does not support is skipped, and the report says which and why.
//   - All chance comes from one seed, which the report names and Options.Seed repeats.
//
// Nothing waits for time to pass: the platform's time is virtual, and what takes real time
// in an adapter (its retries) is waited for by asking again.
//
// The package imports neither an adapter nor a stand-in. cmd/contract starts the stand-in;
// a Go project calls TestAdapter with the address of one.
package contract
