package keys

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestSecretGolden(t *testing.T) {
	// A change of the format would lock every client out: this secret and
	// hash, which were computed with Python's hmac, must be valid for ever.
	const (
		secret = "sk-weir-" + "0123456789" + "-" + "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg" + "06fJyQ"
		hash   = "hmac-sha256:e62287a86faa15e6bb1323a6bd95180082b6308171e0dc8aa8768972ce75fc93"
	)
	token := []byte(secret)
	putChecksum(token)
	if string(token) != secret {
		t.Errorf("checksum: got %s", token[sumStart:])
	}
	if got := NewHasher(nil).Hash(secret); got != hash {
		t.Errorf("hash: got %s", got)
	}
	const foreignHash = "hmac-sha256:d58719280c8005dd530ce9d0fe1fe7934523eba49d4b5c7ff64082e6847296f4"
	if got := NewHasher(nil).Hash("ci-key-of-another-system"); got != foreignHash {
		t.Errorf("hash of a foreign secret: got %s", got)
	}
}

func TestNewSecret(t *testing.T) {
	random := seeded(1)
	seen := map[string]bool{}
	for range 500 {
		id, err := NewID(random)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := NewSecret(random, id)
		if err != nil {
			t.Fatal(err)
		}
		got, ok, err := ParseID(secret)
		if err != nil || !ok || got != id || len(secret) != tokenLength || seen[secret] {
			t.Fatalf("%s: id %s, ok %v, error %v", secret, got, ok, err)
		}
		seen[secret] = true
	}
	if _, err := NewSecret(random, "no id"); err == nil {
		t.Error("want an error for a wrong id")
	}
	if _, err := NewID(bytes.NewReader(nil)); !errors.Is(err, io.EOF) {
		t.Errorf("no randomness: got %v", err)
	}
}

// TestDrawIsEven draws from every byte value equally often: each character
// must come up equally often too, and bytes that would favour some not at all.
func TestDrawIsEven(t *testing.T) {
	all := bytes.Repeat([]byte{255}, 64)
	for i := range 256 {
		all = append(all, byte(i))
	}
	into := make([]byte, 256/len(base62)*len(base62))
	if err := draw(bytes.NewReader(all), into, base62); err != nil {
		t.Fatal(err)
	}
	for _, c := range base62 {
		if got := strings.Count(string(into), string(c)); got != 256/len(base62) {
			t.Errorf("%c: %d times", c, got)
		}
	}
	into = make([]byte, 256)
	if err := draw(bytes.NewReader(all[64:]), into, base32); err != nil {
		t.Fatal(err)
	}
	for _, c := range base32 {
		if got := strings.Count(string(into), string(c)); got != 256/len(base32) {
			t.Errorf("%c: %d times", c, got)
		}
	}
}

func TestDamagedSecrets(t *testing.T) {
	secret, err := NewSecret(seeded(2), "0123456789")
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(name, credential string) {
		t.Helper()
		if _, ok, err := ParseID(credential); ok || !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: ok %v, error %v", name, ok, err)
		}
	}
	for i := len(Prefix); i < len(secret); i++ {
		damaged("truncated", secret[:i])
		b := []byte(secret)
		if b[i]++; b[i] == secret[i] {
			continue
		}
		damaged("one character off", string(b))
		if i+1 < len(secret) && secret[i] != secret[i+1] {
			b = []byte(secret)
			b[i], b[i+1] = b[i+1], b[i]
			damaged("two characters swapped", string(b))
		}
	}
	damaged("longer", secret+"x")
	damaged("prefix only", Prefix)
	damaged("upper-case id", strings.Replace(secret, "0123456789", "012345678A", 1))
	for _, foreign := range []string{"", "sk-", "sk-proj-abc", "SK-WEIR-x", "Bearer " + secret, " " + secret} {
		if _, ok, err := ParseID(foreign); ok || err != nil {
			t.Errorf("%q: ok %v, error %v; want a foreign one", foreign, ok, err)
		}
	}
}
