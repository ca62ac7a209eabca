// Package report writes what a run of the contract suite found: for people on a terminal and
// as one HTML page, for machines as JUnit XML, JSON and annotations of GitHub.
//
// A report shows what it was given. Notification URLs with the tokens of users who were made
// for the run are among that; keys and passwords of the target are not, since they never
// travel.
package report
