package robokassa

import (
	"crypto"
	"crypto/hmac"
	_ "crypto/md5"    //nolint:gosec // links crypto.MD5, the default of the protocol, not ours
	_ "crypto/sha1"   //nolint:gosec // links crypto.SHA1
	_ "crypto/sha256" // links crypto.SHA256
	_ "crypto/sha512" // links crypto.SHA384 and crypto.SHA512
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	_ "golang.org/x/crypto/ripemd160" //nolint:staticcheck,gosec // links crypto.RIPEMD160, which a shop may choose
)

// ErrSignature is a signature that is not that of the message.
var ErrSignature = errors.New("wrong signature")

// A Password is a secret of a shop: 1 signs what the shop sends and SuccessURL, 2 ResultURL
// and the XML service, 3 refunds. Formatted, logged or marshalled it shows nothing of itself.
type Password string

// Format hides the password, whatever the verb.
func (Password) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(password hidden)")) }

// LogValue hides the password.
func (Password) LogValue() slog.Value { return slog.StringValue("(password hidden)") }

// MarshalText hides the password.
func (Password) MarshalText() ([]byte, error) { return []byte("(password hidden)"), nil }

// An Algorithm is one of the hashes that a shop can choose in its settings.
type Algorithm string

// The algorithms. MD5 is what a shop has that never chose.
const (
	MD5       Algorithm = "MD5"
	RIPEMD160 Algorithm = "RIPEMD160"
	SHA1      Algorithm = "SHA1"
	SHA256    Algorithm = "SHA256"
	SHA384    Algorithm = "SHA384"
	SHA512    Algorithm = "SHA512"
)

// Algorithms lists them all.
func Algorithms() []Algorithm { return []Algorithm{MD5, RIPEMD160, SHA1, SHA256, SHA384, SHA512} }

var hashes = map[Algorithm]crypto.Hash{
	MD5: crypto.MD5, RIPEMD160: crypto.RIPEMD160, SHA1: crypto.SHA1,
	SHA256: crypto.SHA256, SHA384: crypto.SHA384, SHA512: crypto.SHA512,
}

// ParseAlgorithm reads an algorithm's name in any case.
func ParseAlgorithm(text string) (Algorithm, error) {
	a := Algorithm(strings.ToUpper(text))
	if _, ok := hashes[a]; !ok {
		return "", fmt.Errorf("hash %.40q: known are MD5, RIPEMD160, SHA1, SHA256, SHA384 and SHA512", text)
	}
	return a, nil
}

// Sum returns the digest of text in lower-case hex. It panics if a is not one of Algorithms.
func (a Algorithm) Sum(text string) string {
	h := hashes[a].New()
	_, _ = h.Write([]byte(text)) // a hash never fails
	return hex.EncodeToString(h.Sum(nil))
}

// A Base is the text under a signature with a gap for the password.
type Base struct{ before, after string }

// NewBase joins parts by colons; password and Shp_ fields, sorted, follow them.
func NewBase(shp Fields, parts ...string) Base { return newBase(shp.sorted(foldedOrder), parts) }

func newBase(shp Fields, parts []string) Base {
	var after strings.Builder
	for _, f := range shp {
		after.WriteString(":" + f.Name + "=" + f.Value)
	}
	return Base{before: strings.Join(parts, ":") + ":", after: after.String()}
}

// Text is the signed text itself, password included.
func (b Base) Text(p Password) string { return b.before + string(p) + b.after }

// String is the signed text with the password masked.
func (b Base) String() string { return b.before + "***" + b.after }

// Sign returns the signature in lower-case hex; ResultURL carries it in upper case.
func (b Base) Sign(a Algorithm, p Password) string { return a.Sum(b.Text(p)) }

// Verify returns nil if sent, in any case, is the signature, and ErrSignature if not.
func (b Base) Verify(a Algorithm, p Password, sent string) error {
	if !hmac.Equal([]byte(strings.ToLower(sent)), []byte(b.Sign(a, p))) {
		return ErrSignature
	}
	return nil
}

// OpStateBase is signed with password 2 in OpState and OpStateExt.
func OpStateBase(login, invID string) Base { return NewBase(nil, login, invID) }

// CalcOutSummBase is signed with password 1 by those clients that sign CalcOutSumm.
func CalcOutSummBase(login, incSum string) Base { return NewBase(nil, login, incSum) }

// CancelBase is signed with password 1 in Merchant/Payment/Cancel: the slot of the sum stays
// empty, also if a sum is sent.
func CancelBase(login, invID string) Base { return NewBase(nil, login, "", invID) }

// SplitBase is signed with password 1 in Merchant/Payment/CreateV2.
func SplitBase(invoice string) Base { return NewBase(nil, invoice) }

// SMSBase is signed with password 1 at the SMS service.
func SMSBase(login, phone, message string) Base { return NewBase(nil, login, phone, message) }
