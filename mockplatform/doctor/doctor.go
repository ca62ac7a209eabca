// Package doctor finds out how a wrong signature came about: it tries what people are known
// to do, one mistake at a time and then two at once, until one of the ways leads to the
// signature that was sent.
//
// A protocol lists the ways, the right one first: keys that may have been taken, texts that
// may have been signed, and what may have been made of both. The doctor knows no protocol.
package doctor

import (
	"encoding/hex"
	"strings"

	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// Mask stands for a key wherever a text is shown.
const Mask = "***"

// A Way is one way to do a step. The right one has neither cause nor hint.
type Way struct {
	Cause journal.Cause
	Hint  string // what was done, for people: "the values are in the order of the request"
}

// A Key is one that may have been taken.
type Key struct {
	Way
	Value string
}

// A Base is a text that may have been signed. Protocols without a key inside ignore key.
type Base struct {
	Way
	Text func(key string) string
}

// A Sum is what may have been made of key and text.
type Sum struct {
	Way
	Of func(key, text string) string
}

// Bounds of what is tried: mistakes at once, and bytes of a text.
const (
	most    = 2
	maxText = 8 << 10
)

// Diagnose says how the signature came about; of one in hex the case does not matter. The first of each list is the right one; with
// lists that are empty the cause is unknown.
func Diagnose(signature string, keys []Key, bases []Base, sums []Sum) *journal.Diagnosis {
	d := &journal.Diagnosis{Cause: journal.CauseUnknown, Hint: "no known mistake leads to this signature: compare key and signed text"}
	if len(keys) == 0 || len(bases) == 0 || len(sums) == 0 {
		return d
	}
	d.Want = bases[0].Text(Mask)
	if len(d.Want) > maxText {
		d.Hint, d.Want = "the signed text is too long to look for the mistake", d.Want[:maxText]
		return d
	}
	if _, err := hex.DecodeString(signature); err == nil {
		signature = strings.ToLower(signature)
	}
	for mistakes := range most + 1 {
		for _, b := range bases {
			for _, k := range keys {
				text := b.Text(k.Value)
				for _, s := range sums {
					ways := wrong(b.Way, k.Way, s.Way)
					if len(ways) != mistakes || s.Of(k.Value, text) != signature {
						continue
					}
					d.Got = b.Text(Mask)
					if mistakes == 0 { // then something else was refused
						d.Cause, d.Hint = journal.CauseUnknown, "the signature is right"
						return d
					}
					d.Cause = ways[0].Cause
					hints := make([]string, len(ways))
					for i, w := range ways {
						hints[i] = w.Hint
					}
					d.Hint = strings.Join(hints, "; and ")
					return d
				}
			}
		}
	}
	return d
}

func wrong(ways ...Way) (found []Way) {
	for _, w := range ways {
		if w.Cause != "" {
			found = append(found, w)
		}
	}
	return found
}
