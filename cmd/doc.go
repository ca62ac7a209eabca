// Package cmd holds the programs, one folder each, and in its tests the place where they
// meet: the real binaries, started, killed and compared with each other over loopback.
package cmd
