package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

// TestStates holds the prepared states to crypto/hmac, whatever the pepper's
// length, and tells when a version of Go has other states: every look-up would
// then be as slow as it is with crypto/hmac.
func TestStates(t *testing.T) {
	random := seeded(11)
	for _, pepper := range []string{"", "p", DefaultPepper, strings.Repeat("x", 64), strings.Repeat("y", 65), strings.Repeat("z", 500)} {
		h := NewHasher([]byte(pepper))
		if h.states == nil {
			t.Fatalf("no states for a pepper of %d bytes", len(pepper))
		}
		if pepper == "" {
			pepper = DefaultPepper
		}
		for range 10 { // the second and later ones come out of used memory
			_, secret := issue(t, h, random, Key{})
			m := hmac.New(sha256.New, []byte(pepper))
			m.Write([]byte("\x00" + secret[idStart:idStart+idLength] + secret[secretStart:sumStart]))
			if got := h.Hash(secret); !strings.HasSuffix(got, hex.EncodeToString(m.Sum(nil))) {
				t.Errorf("pepper of %d bytes: %s", len(pepper), got)
			}
		}
	}
}

// TestOtherStates shows that keys are found where the states cannot be used.
func TestOtherStates(t *testing.T) {
	set, secrets := found(t)
	h := set.Hasher()
	for name, states := range map[string]*states{"none": nil, "strange": {inner: []byte("other"), outer: []byte("other")}} {
		h.states = states
		if key, err := set.Find(secrets["plain"], start); err != nil || key.Name != "plain" {
			t.Errorf("%s: %v, %v", name, key, err)
		}
	}
	strange := &states{inner: append([]byte(nil), newStates([]byte("a")).outer...), outer: newStates([]byte("a")).inner}
	if strange.sound([]byte("a")) {
		t.Error("states that give another MAC are taken for sound")
	}
}
