package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"petrel"
)

// Masked is what stands in place of a secret.
const Masked = "********"

// keySalt is put before a key when it is hashed. It is StackStorm's, so that
// keys exported from there can be loaded by their hash. A key has 256 random
// bits, which is why a salt for each would add nothing.
// st2: st2common/st2common/util/hash.py
const keySalt = "saltnpepper"

// keyAlphabets are the pairs that stand for the last two digits of base64 in
// a key. st2: st2common/st2common/util/auth.py
var keyAlphabets = []string{"rA", "aZ", "gQ", "hH", "hG", "aR", "DD"}

// HashAPIKey is what is stored of a key's text: StackStorm's salted SHA-512.
func HashAPIKey(text string) string {
	sum := sha512.Sum512([]byte(keySalt + text))
	return hex.EncodeToString(sum[:])
}

// newKeyText draws the text of a key in StackStorm's form: 86 letters and
// digits, base64 of the hexadecimal SHA-256 of random bytes.
func newKeyText() string {
	var seed [257]byte
	if _, err := rand.Read(seed[:]); err != nil {
		panic("auth: the system has no random numbers: " + err.Error())
	}
	sum := sha256.Sum256(seed[:256])
	pair := keyAlphabets[int(seed[256])%len(keyAlphabets)]
	text := base64.RawStdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:])))
	return strings.NewReplacer("+", pair[:1], "/", pair[1:]).Replace(text)
}

// APIKeyRequest asks for a key.
type APIKeyRequest struct {
	ID       petrel.ID // of a key that is loaded; empty for a new one
	User     string
	Hash     string // of a key that is loaded; empty for a new one
	Metadata petrel.JSON
	Enabled  bool
}

// CreateAPIKey stores a key and makes its user when there is none. It answers
// with the key and its text, which is not stored; the text is empty for a key
// that was given by its hash.
// st2: st2api/st2api/controllers/v1/auth.py
func (s *Service) CreateAPIKey(ctx context.Context, r APIKeyRequest) (petrel.APIKey, string, error) {
	if _, err := s.ensureUser(ctx, r.User); err != nil {
		return petrel.APIKey{}, "", err
	}
	text, hash := "", r.Hash
	if hash == "" {
		text = newKeyText()
		hash = HashAPIKey(text)
	}
	now := petrel.Micros(s.cfg.Now())
	key := petrel.APIKey{
		ID: r.ID, UID: "api_key:" + hash, User: r.User, Hash: hash,
		Metadata: r.Metadata, Enabled: r.Enabled, CreatedAt: now,
	}
	if key.ID == "" {
		key.ID = petrel.NewID(now)
	}
	if len(key.Metadata) == 0 {
		key.Metadata = petrel.JSON("{}")
	}
	if err := s.store.CreateAPIKey(ctx, key); err != nil {
		return petrel.APIKey{}, "", err
	}
	return key, text, nil
}

// APIKey finds a key by its id or its text. NotFound.
func (s *Service) APIKey(ctx context.Context, idOrText string) (petrel.APIKey, error) {
	if petrel.ID(idOrText).Valid() {
		key, err := s.store.APIKey(ctx, idOrText)
		if !petrel.Is(err, petrel.NotFound) {
			return key, err
		}
	}
	if len(idOrText) > maxCredential {
		return petrel.APIKey{}, petrel.Errorf(petrel.NotFound, "the key is longer than %d characters", maxCredential)
	}
	return s.store.APIKey(ctx, HashAPIKey(idOrText))
}

// UpdateAPIKey changes a key's user, metadata and whether it works. Its hash
// never changes: hash must be empty, Masked or the same.
func (s *Service) UpdateAPIKey(ctx context.Context, old petrel.APIKey, r APIKeyRequest) (petrel.APIKey, error) {
	if r.Hash != "" && r.Hash != Masked && subtle.ConstantTimeCompare([]byte(r.Hash), []byte(old.Hash)) != 1 {
		return petrel.APIKey{}, petrel.Errorf(petrel.Invalid, "Update of key_hash is not allowed.")
	}
	if _, err := s.ensureUser(ctx, r.User); err != nil {
		return petrel.APIKey{}, err
	}
	key := old
	key.User, key.Enabled, key.Metadata = r.User, r.Enabled, r.Metadata
	if len(key.Metadata) == 0 {
		key.Metadata = petrel.JSON("{}")
	}
	return key, s.store.UpdateAPIKey(ctx, key)
}

// Key answers who a key's text stands for. Unauthorized, with StackStorm's
// text, when it stands for nobody.
func (s *Service) Key(ctx context.Context, text string, where Location) (Principal, error) {
	if len(text) > maxCredential {
		return Principal{}, petrel.Errorf(petrel.Unauthorized, textToken)
	}
	hash := HashAPIKey(text)
	key, err := s.store.APIKey(ctx, hash)
	if petrel.Is(err, petrel.NotFound) {
		return Principal{}, petrel.Errorf(petrel.Unauthorized, textKey, hash)
	}
	if err != nil {
		return Principal{}, err
	}
	if !key.Enabled {
		return Principal{}, petrel.Errorf(petrel.Unauthorized, textKeyOff)
	}
	return s.withUser(ctx, Principal{User: key.User, Method: MethodAPIKey, Location: where})
}
