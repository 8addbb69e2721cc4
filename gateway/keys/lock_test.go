package keys

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// TestLockWaits holds that a lock is waited for, and by whom who asks no
// longer it is not.
func TestLockWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lockFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lockFile(gone, path); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	never := func() (bool, error) { return false, nil }
	if err := tryFor(t.Context(), time.Millisecond, never); !errors.Is(err, errLocked) {
		t.Errorf("got %v", err)
	}
	got := make(chan error)
	go func() {
		again, err := lockFile(t.Context(), path)
		if err == nil {
			again()
		}
		got <- err
	}()
	unlock()
	if err := <-got; err != nil {
		t.Error(err)
	}
}
