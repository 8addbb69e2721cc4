package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
)

// DefaultPepper is the HMAC key of configurations that set none. It is no
// secret, so that `caddy ai keys hash` makes a hash on any machine, without
// state, that every Weir accepts. That is safe for Weir's own secrets: nobody
// guesses 256 random bits, whatever the function. It also keeps a hash from
// being any other system's SHA-256 of the same secret. A secret that somebody
// thought up is guessable once its hash is stolen, unless a pepper of one's own
// is kept apart from the hashes.
const DefaultPepper = "weir virtual key v1"

const (
	hashScheme = "hmac-sha256:"

	// maxCredential bounds what is hashed of a credential. JWTs and the keys
	// of other gateways are shorter.
	maxCredential = 4096
)

// Hasher makes and checks hashes under one pepper. It is safe for concurrent
// use.
type Hasher struct {
	// tag tells hashes under different peppers apart; empty for the default.
	tag    string
	states *states
	pool   sync.Pool // of *scratch
}

type scratch struct {
	hmac hash.Hash // with the pepper absorbed, for texts of any length
	own  blocks
	text []byte
	sum  mac
}

// NewHasher returns a hasher; an empty pepper means [DefaultPepper].
func NewHasher(pepper []byte) *Hasher {
	h := &Hasher{}
	if len(pepper) == 0 || string(pepper) == DefaultPepper {
		pepper = []byte(DefaultPepper)
	} else {
		tag := hmac.New(sha256.New, pepper)
		tag.Write([]byte("weir pepper tag"))
		h.tag = hex.EncodeToString(tag.Sum(nil)[:4])
	}
	pepper = append([]byte(nil), pepper...)
	h.states = newStates(pepper)
	h.pool.New = func() any {
		s := &scratch{hmac: hmac.New(sha256.New, pepper), text: make([]byte, 0, 128)}
		s.own.init()
		return s
	}
	return h
}

// Hash returns what may be kept of a secret: "hmac-sha256:" and 64 hexadecimal
// digits; under a pepper of one's own, the pepper's 8 digits stand between.
func (h *Hasher) Hash(secret string) string {
	s := h.take(secret)
	defer h.put(s)
	_, form := parse(s.text)
	h.sum(s, form == own)
	digest := hex.EncodeToString(s.sum[:])
	if h.tag != "" {
		return hashScheme + h.tag + ":" + digest
	}
	return hashScheme + digest
}

// IsHash reports whether text is written like a hash.
func IsHash(text string) bool { return strings.HasPrefix(text, hashScheme) }

// parse reads what Hash wrote.
func (h *Hasher) parse(text string) (sum mac, err error) {
	rest, ok := strings.CutPrefix(text, hashScheme)
	if !ok {
		return sum, errors.New("the hash does not begin with '" + hashScheme + "'; `caddy ai keys hash` makes one")
	}
	tag, digest, tagged := strings.Cut(rest, ":")
	if !tagged {
		tag, digest = "", rest
	}
	if len(digest) != hex.EncodedLen(len(sum)) {
		return sum, fmt.Errorf("the hash has %d digits, want %d", len(digest), hex.EncodedLen(len(sum)))
	}
	if tag != h.tag {
		return sum, errors.New("the hash was made with another pepper than the configured one")
	}
	if _, err := hex.Decode(sum[:], []byte(digest)); err != nil {
		return sum, fmt.Errorf("reading the hash: %w", err)
	}
	return sum, nil
}

// take copies credential, at most maxCredential bytes of it, into a scratch:
// the MAC's interface would make a conversion of the string escape.
func (h *Hasher) take(credential string) *scratch {
	s := h.pool.Get().(*scratch)
	s.text = append(s.text[:0], credential[:min(len(credential), maxCredential)]...)
	return s
}

// sum computes the MAC; own says that the text is of Weir's format.
func (h *Hasher) sum(s *scratch, own bool) {
	message := s.text
	if own {
		message = s.own.message[:ownLength]
		copy(message[1:], s.text[idStart:idStart+idLength])
		copy(message[1+idLength:], s.text[secretStart:sumStart])
		if h.states != nil && h.states.sum(&s.own, &s.sum) {
			return
		}
	}
	s.hmac.Reset()
	s.hmac.Write(message)
	s.hmac.Sum(s.sum[:0])
}

// put wipes the credential before the scratch waits for another.
func (h *Hasher) put(s *scratch) {
	clear(s.text)
	clear(s.own.message[:ownLength])
	h.pool.Put(s)
}
