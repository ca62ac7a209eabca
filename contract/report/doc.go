// Package report writes what a run of the contract suite found: for people on a terminal and
// as one HTML page, for machines as JUnit XML, JSON and annotations of GitHub.
//
// A report shows what it was given, from which package contract has taken the secrets. What
// strangers have sent is shown so that it steers neither a browser nor a terminal.
package report
