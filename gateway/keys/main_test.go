package keys

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// start is the clock of the tests.
var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// seeded is a source of secrets that is the same in every run.
func seeded(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

// issue makes a key and its secret.
func issue(t testing.TB, h *Hasher, random *rand.ChaCha8, key Key) (Key, string) {
	t.Helper()
	id, err := NewID(random)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := NewSecret(random, id)
	if err != nil {
		t.Fatal(err)
	}
	key.ID, key.Hash = id, h.Hash(secret)
	return key, secret
}
