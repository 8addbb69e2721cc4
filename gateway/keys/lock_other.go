//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package keys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// lockFile makes path, which must not exist. Where there is no flock, the lock
// of a process that died stays: one older than lockStale is taken over.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	err = tryFor(ctx, lockPatience, func() (bool, error) {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		switch {
		case err == nil:
			return true, file.Close()
		case !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrPermission):
			return false, err
		}
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > lockStale {
			_ = os.Remove(path)
		}
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return func() { _ = os.Remove(path) }, nil
}

// syncDir does nothing: renames are durable on Windows when they return.
func syncDir(string) error { return nil }

const (
	lockPatience = 15 * time.Second
	lockStale    = 10 * time.Second
)
