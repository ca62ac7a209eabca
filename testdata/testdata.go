// Package testdata holds the recorded messages and known answers that the contract suite
// sends to platforms, so that one file serves the tests of this repository and `contract run`
// elsewhere. Each folder's README gives the source of each.
package testdata

import _ "embed" // for the files below

// AnyMoneyCases is anymoney/cases.json: configurations, calls and the answers to them.
//
//go:embed anymoney/cases.json
var AnyMoneyCases []byte

// AnyMoneyOwn is anymoney/own.json: further cases, on the same configuration.
//
//go:embed anymoney/own.json
var AnyMoneyOwn []byte

// RobokassaVectors is robokassa/vectors.json: messages with their signatures.
//
//go:embed robokassa/vectors.json
var RobokassaVectors []byte
