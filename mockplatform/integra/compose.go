package integra

import (
	"net/url"

	wire "github.com/partnerkit/partnerkit/contract/integra"
)

// Compose returns the address, without scheme and host, of a request as a partner would make
// it: the arguments, a JSON object, sealed with the key that the method asks for. hash is the
// partner's or the user's, as the method wants it (wire.Method.HashOwner). The error is a
// *FieldError.
func (p *Platform) Compose(m wire.Method, hash string, args []byte, query url.Values) (string, error) {
	p.world.RLock()
	defer p.world.RUnlock()
	partnerHash, key := hash, ""
	switch m.HashOwner() {
	case wire.OwnerPartner:
	case wire.OwnerUser:
		u := p.users.get(hash)
		if u == nil {
			return "", &FieldError{Field: "hash", Why: "no user has it"}
		}
		partnerHash, key = u.partner, u.key
	default:
		return "", &FieldError{Field: "method", Why: "is not a method of this API"}
	}
	partner := p.partner(partnerHash)
	if partner == nil {
		return "", &FieldError{Field: "hash", Why: "no partner has it"}
	}
	if m.KeyOwner() == wire.OwnerPartner {
		key = partner.Key
	}
	k, err := wire.SealText(partner.cipher, wire.Credentials{Hash: hash, Key: key}, args)
	if err != nil {
		return "", &FieldError{Field: "args", Why: err.Error()}
	}
	const nowhere = "http://platform"
	address, err := wire.RequestURL(nowhere, partner.Path, m, k, query)
	if err != nil {
		return "", &FieldError{Field: "query", Why: err.Error()}
	}
	return address[len(nowhere):], nil
}
