//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// lock holds a file open that it has just made. Windows does not remove a file
// that is open, so that one which can be removed has lost its holder.
func lock(name string) (io.Closer, error) {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", name, ErrLocked)
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		err = ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return file, nil
}

// syncDir does nothing: names are durable on Windows when the call returns.
func syncDir(string) error { return nil }
