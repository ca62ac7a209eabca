package robokassa

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// The states of a StateNotice.
const (
	NoticeOK   = "OK"
	NoticeHold = "HOLD"
)

// The words of a StateNotice's header.
const (
	noticeType    = "PaymentStateNotification"
	noticeVersion = "1.0.0"
	noticeHeader  = `{"typ":"JWT","alg":"RS256"}`
)

// A StateNotice is the message to ResultUrl2, a JWS under Robokassa's own key.
type StateNotice struct {
	Timestamp     string // Unix seconds
	Shop          string
	OpKey         string
	InvID         string
	PaymentMethod string
	IncSum        string // two decimals
	State         string // NoticeOK or NoticeHold
}

// noticeClaims is the payload. It has none of the registered claims.
type noticeClaims struct {
	jwt.RegisteredClaims `json:"-"`

	Header noticeEnvelope `json:"header"`
	Data   noticeData     `json:"data"`
}

type noticeEnvelope struct {
	Type      string `json:"type"`
	Version   string `json:"version"`
	Timestamp string `json:"timestamp"`
}

type noticeData struct {
	Shop          string `json:"shop"`
	OpKey         string `json:"opKey"`
	InvID         string `json:"invId"`
	PaymentMethod string `json:"paymentMethod"`
	IncSum        string `json:"incSum"`
	State         string `json:"state"`
}

// Sign writes the message under Robokassa's key.
func (n StateNotice) Sign(key *rsa.PrivateKey) (string, error) {
	var payload strings.Builder
	e := json.NewEncoder(&payload)
	e.SetEscapeHTML(false)
	err := e.Encode(noticeClaims{
		Header: noticeEnvelope{noticeType, noticeVersion, n.Timestamp},
		Data:   noticeData{n.Shop, n.OpKey, n.InvID, n.PaymentMethod, n.IncSum, n.State},
	})
	if err != nil {
		return "", fmt.Errorf("state notice: %w", err)
	}
	return sign(jwt.SigningMethodRS256, noticeHeader, strings.TrimSuffix(payload.String(), "\n"), key)
}

// ParseStateNotice reads and verifies the body of a message to ResultUrl2. The error wraps
// ErrSignature, or ErrToken if the text is no such message. Whether Timestamp is fresh is for
// the caller, who has a clock.
func ParseStateNotice(body string, key *rsa.PublicKey) (StateNotice, error) {
	if len(body) > MaxTokenLen {
		return StateNotice{}, fmt.Errorf("%w: it is longer than %d bytes", ErrToken, MaxTokenLen)
	}
	var c noticeClaims
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Name}), jwt.WithoutClaimsValidation())
	_, err := parser.ParseWithClaims(strings.TrimSpace(body), &c, func(*jwt.Token) (any, error) { return key, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return StateNotice{}, ErrSignature
	case err != nil:
		return StateNotice{}, fmt.Errorf("%w: %w", ErrToken, err)
	case c.Header.Type != noticeType || c.Header.Version != noticeVersion:
		return StateNotice{}, fmt.Errorf("%w: type %.40q version %.40q", ErrToken, c.Header.Type, c.Header.Version)
	case c.Data.State != NoticeOK && c.Data.State != NoticeHold:
		return StateNotice{}, fmt.Errorf("%w: state %.40q", ErrToken, c.Data.State)
	case c.Data.Shop == "" || c.Data.InvID == "":
		return StateNotice{}, fmt.Errorf("%w: shop or invId is missing", ErrToken)
	}
	d := c.Data
	return StateNotice{c.Header.Timestamp, d.Shop, d.OpKey, d.InvID, d.PaymentMethod, d.IncSum, d.State}, nil
}

// ParseCertificate reads Robokassa's certificate, DER or PEM, and returns its key.
func ParseCertificate(file []byte) (*rsa.PublicKey, error) {
	if block, _ := pem.Decode(file); block != nil {
		file = block.Bytes
	}
	c, err := x509.ParseCertificate(file)
	if err != nil {
		return nil, fmt.Errorf("certificate of ResultUrl2: %w", err)
	}
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("certificate of ResultUrl2: its key is %T, not RSA", c.PublicKey)
	}
	return key, nil
}
