package recorder

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/partnerkit/partnerkit/contract/integra"
)

// Keys are the secrets that a recorder knows from the start: what opens Integra's k, and what
// else must never be in the file. Formatted they show nothing of themselves.
type Keys struct {
	Cipher   string            `yaml:"cipher"`   // of all partners; simple if ""
	Partners map[string]string `yaml:"partners"` // crypt keys by hash
	Users    map[string]string `yaml:"users"`    // likewise; those that createUser answers are learned
	Secrets  []string          `yaml:"secrets"`  // passwords, tokens, whatever
}

// Format hides all of it.
func (Keys) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "(keys hidden)") }

// shortestSecret is the shortest text that is looked for wherever it may stand. What is
// shorter stands in other words too.
const shortestSecret = 6

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// ParseKeys reads a file of keys. ${NAME} in it is the environment's variable. The error names
// every field that is wrong, and shows no value.
func ParseKeys(text []byte, env func(string) (string, bool)) (Keys, error) {
	var keys Keys
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&keys); err != nil {
		return Keys{}, hidden(err)
	}
	var faults []error
	add := func(field, why string) { faults = append(faults, errors.New(field+": "+why)) }
	fill := func(field, value string) string {
		filled := variable.ReplaceAllStringFunc(value, func(found string) string {
			name := found[2 : len(found)-1]
			value, ok := env(name)
			if !ok {
				add(field, "the environment has no variable "+name)
				return found
			}
			return value
		})
		if len(filled) < shortestSecret {
			add(field, fmt.Sprintf("has fewer than %d characters, so that it could not be found in the traffic", shortestSecret))
		}
		return filled
	}
	if _, err := integra.CipherByName(keys.cipher()); err != nil {
		add("cipher", err.Error())
	}
	for name, byHash := range map[string]map[string]string{"partners": keys.Partners, "users": keys.Users} {
		for _, hash := range slices.Sorted(maps.Keys(byHash)) {
			if !integra.ValidHash(hash) {
				add(name, fmt.Sprintf("%.40q is no hash of 32 letters or digits", hash))
			}
			byHash[hash] = fill(name+"."+hash, byHash[hash])
		}
	}
	for i, secret := range keys.Secrets {
		keys.Secrets[i] = fill(fmt.Sprintf("secrets[%d]", i), secret)
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return keys, errors.Join(faults...)
}

var quotedValue = regexp.MustCompile("`[^`]*`")

// hidden is an error of the decoder without the values that it quotes.
func hidden(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	return errors.New(quotedValue.ReplaceAllString(strings.ReplaceAll(text, " in type recorder.Keys", ""), "a value"))
}

func (k *Keys) cipher() string {
	if k.Cipher == "" {
		return integra.Simple.Name()
	}
	return k.Cipher
}

// keyring is Keys with what was learned on the way. It is safe for concurrent use.
type keyring struct {
	cipher   integra.Cipher
	partners []integra.Credentials // in the order of their hashes

	mu      sync.Mutex
	keys    map[string]string // of partners and users, by hash
	secrets map[string]bool
	about   map[string]operation // by OpKey, and by the id of a refund
	learned *os.File             // keeps users' keys for the next start; nil for nowhere
}

func newKeyring(k Keys) (*keyring, error) {
	cipher, err := integra.CipherByName(k.cipher())
	if err != nil {
		return nil, fmt.Errorf("cipher: %w", err)
	}
	r := &keyring{cipher: cipher, keys: map[string]string{}, secrets: map[string]bool{}, about: map[string]operation{}}
	for _, hash := range slices.Sorted(maps.Keys(k.Partners)) {
		r.partners = append(r.partners, integra.Credentials{Hash: hash, Key: k.Partners[hash]})
		r.learnKey(hash, k.Partners[hash])
	}
	for hash, key := range k.Users {
		r.learnKey(hash, key)
	}
	r.learn(k.Secrets...)
	return r, nil
}

// learn remembers secrets that may show up again elsewhere.
func (r *keyring) learn(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, secret := range secrets {
		if len(secret) >= shortestSecret {
			r.secrets[secret] = true
		}
	}
}

func (r *keyring) learnKey(hash, key string) {
	r.learn(key)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[hash] = key
}

// learnUser is learnKey for the key of a new user, which the next start wants to know too.
func (r *keyring) learnUser(hash, key string) error {
	r.learnKey(hash, key)
	if r.learned == nil || !integra.ValidHash(hash) {
		return nil
	}
	line, err := yaml.Marshal(map[string]string{hash: key})
	if err == nil {
		_, err = r.learned.Write(line) // a line, since a file may be cut off between two
	}
	return err
}

// openLearned reads the keys that earlier runs have learned, and keeps more of them there.
func (r *keyring) openLearned(path string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if at := bytes.LastIndexByte(text, '\n') + 1; at < len(text) {
		text = text[:at] // cut off when its writer was killed
		if err := os.Truncate(path, int64(at)); err != nil {
			return err
		}
	}
	number := 0
	for line := range bytes.Lines(text) { // a user may stand there twice: the later key holds
		var keys map[string]string
		if number++; yaml.Unmarshal(line, &keys) != nil {
			return fmt.Errorf("%s: line %d is not HASH: KEY", path, number)
		}
		for hash, key := range keys {
			r.learnKey(hash, key)
		}
	}
	r.learned, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600) //nolint:gosec // likewise
	return err
}

// close lets go of the file.
func (r *keyring) close() error {
	if r.learned == nil {
		return nil
	}
	return errors.Join(r.learned.Sync(), r.learned.Close())
}

// known returns every secret, the longest first, so that none is hidden by a part of it.
func (r *keyring) known() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Keys(r.secrets), func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
}

// open decrypts an envelope with the key that belongs to its hash, or with that of a partner.
func (r *keyring) open(e integra.Envelope) (plain []byte, partner bool) {
	r.mu.Lock()
	own, isKnown := r.keys[e.Hash]
	r.mu.Unlock()
	if isKnown {
		if plain, err := e.Open(r.cipher, own); err == nil {
			return plain, r.isPartner(e.Hash)
		}
	}
	for _, p := range r.partners {
		if plain, err := e.Open(r.cipher, p.Key); err == nil {
			return plain, true
		}
	}
	return nil, false
}

func (r *keyring) isPartner(hash string) bool {
	return slices.ContainsFunc(r.partners, func(c integra.Credentials) bool { return c.Hash == hash })
}
