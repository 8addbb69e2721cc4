package keys

import (
	"errors"
	"fmt"
	"strings"
)

// minForeign is the shortest secret of another format that is taken.
const minForeign = 16

// FromSecret completes a key that a configuration gives as a secret, such as
// the value of `{env.CI_KEY}`, or as a hash: it writes Hash, and ID if the
// secret is of Weir's format. Other secrets are found by the MAC of the whole;
// they must have 16 bytes and no spaces, since clients send them in a header.
// Errors never hold the secret.
func FromSecret(h *Hasher, key Key, secret string) (Key, error) {
	wrap := func(err error) (Key, error) { return Key{}, fmt.Errorf("key '%s': %w", key.Name, err) }
	if IsHash(secret) {
		key.Hash = secret
		_, err := h.parse(secret)
		if err != nil {
			return wrap(err)
		}
		return key, nil
	}
	if err := CheckSecret(secret); err != nil {
		return wrap(err)
	}
	key.ID, _, _ = ParseID(secret)
	key.Hash = h.Hash(secret)
	return key, nil
}

// CheckSecret refuses what cannot be a credential, without naming it.
func CheckSecret(secret string) error {
	switch {
	case len(secret) < minForeign:
		return fmt.Errorf("the secret is shorter than %d bytes", minForeign)
	case len(secret) > maxCredential:
		return fmt.Errorf("the secret is longer than %d bytes", maxCredential)
	case strings.IndexFunc(secret, func(r rune) bool { return r <= ' ' || r >= 0x7f }) >= 0:
		return errors.New("the secret has spaces or characters outside ASCII")
	}
	_, _, err := ParseID(secret)
	return err
}
