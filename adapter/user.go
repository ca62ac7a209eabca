package adapter

import "time"

// A User is a person of the partner whose account pays.
type User struct {
	Hash       string // 32 letters or digits, the platform's name for the user
	Login      string // unique at the platform
	SealedKey  []byte // the user's crypt key, encrypted at rest (adapter/vault); never logged
	ArchivedAt time.Time
	CreatedAt  time.Time // UTC
}
