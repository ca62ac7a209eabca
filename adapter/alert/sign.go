package alert

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Key signs alerts.
type Key []byte

// ParseKeys reads the secrets that receivers verify with, as Standard Webhooks writes them:
// whsec_ and 24 to 64 bytes in base64. Several, separated by spaces, sign side by side, so that
// a receiver can change to a new one at its leisure. The error never repeats them.
func ParseKeys(text string) ([]Key, error) {
	var keys []Key
	for _, word := range strings.Fields(text) {
		encoded, ok := strings.CutPrefix(word, "whsec_")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(raw) < 24 || len(raw) > 64 {
			return nil, errors.New("must be whsec_ and 24 to 64 bytes in base64 (echo whsec_$(openssl rand -base64 32))")
		}
		keys = append(keys, raw)
	}
	if len(keys) == 0 {
		return nil, errors.New("is missing")
	}
	return keys, nil
}

// sign returns the headers of a message, signed at the time of its sending:
// HMAC-SHA256 over "id.timestamp.body", the timestamp in Unix seconds, in base64 behind "v1,".
//
// Source: the Standard Webhooks specification, "Signature scheme"; alert_test.go has its vector.
func sign(keys []Key, id string, at time.Time, body []byte) map[string]string {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	var signatures []string
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		_, _ = fmt.Fprintf(mac, "%s.%s.", id, timestamp) // a hash takes everything
		_, _ = mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return map[string]string{"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": strings.Join(signatures, " ")}
}
