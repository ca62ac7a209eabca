// Package dice is the stand-in's only source of chance. Everything it gives follows from
// one seed and the order of the calls, so that a run can be repeated from the seed that it
// printed. It serves imitation: nothing here is fit to protect a real secret.
package dice

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync"
)

// KeyLen is the length of a crypt key: 51 characters in every sample known
// (spec/integra.md §2; the platform's documents say 52).
const KeyLen = 51

// Dice is a seeded source of chance, safe for concurrent use.
type Dice struct {
	seed uint64

	mu  sync.Mutex // guards what follows
	src *rand.ChaCha8
	rnd *rand.Rand // of src
}

// New returns dice for a seed; equal seeds give equal values.
func New(seed uint64) *Dice {
	d := &Dice{seed: seed}
	d.Reset()
	return d
}

// Seed is the number that everything follows from.
func (d *Dice) Seed() uint64 { return d.seed }

// Reset starts over from the seed.
func (d *Dice) Reset() {
	var key [32]byte
	copy(key[:], "partnerkit stand-in dice")
	binary.LittleEndian.PutUint64(key[24:], d.seed)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.src = rand.NewChaCha8(key)
	d.rnd = rand.New(d.src) //nolint:gosec // repeatable on purpose
}

// Save returns how far the dice have come, for Load.
func (d *Dice) Save() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.src.MarshalBinary()
}

// Load goes on where Save was; Reset starts over from the seed all the same. When text is
// none of Save's, nothing is changed.
func (d *Dice) Load(text []byte) error {
	src := rand.NewChaCha8([32]byte{})
	if err := src.UnmarshalBinary(text); err != nil {
		return fmt.Errorf("state of the dice: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.src = src
	d.rnd = rand.New(src) //nolint:gosec // repeatable on purpose
	return nil
}

// ID returns 32 lower-case hex characters: a hash, or the external id of a payment.
func (d *Dice) ID() string {
	var b [16]byte
	d.mu.Lock()
	binary.BigEndian.PutUint64(b[:8], d.rnd.Uint64())
	binary.BigEndian.PutUint64(b[8:], d.rnd.Uint64())
	d.mu.Unlock()
	return hex.EncodeToString(b[:])
}

// Key returns a crypt key: KeyLen lower-case base-36 characters.
func (d *Dice) Key() string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	b := make([]byte, KeyLen)
	d.mu.Lock()
	for i := range b {
		b[i] = digits[d.rnd.IntN(len(digits))]
	}
	d.mu.Unlock()
	return string(b)
}

// Fill fills b with chance, for what a protocol makes of bytes.
func (d *Dice) Fill(b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var word [8]byte
	for len(b) > 0 {
		binary.LittleEndian.PutUint64(word[:], d.rnd.Uint64())
		b = b[copy(b, word[:]):]
	}
}

// N returns a number from 0 to n-1; n must be positive.
func (d *Dice) N(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.IntN(n)
}
