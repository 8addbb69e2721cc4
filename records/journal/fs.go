package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// FS is what the journal needs of a file system, so that tests can take it
// away. Paths are absolute.
type FS interface {
	// MkdirAll makes a directory that only its owner can enter.
	MkdirAll(dir string) error

	// Create makes a file that is not there yet, for appending.
	Create(name string) (File, error)

	// Open opens a file for reading.
	Open(name string) (File, error)

	// List are the names in a directory, in any order; none where there is no
	// directory.
	List(dir string) ([]string, error)

	Rename(from, to string) error
	Remove(name string) error

	// SyncDir makes what was created, renamed and removed in dir durable.
	SyncDir(dir string) error

	// Lock takes the lock of that name, which ends with the process, or fails
	// with ErrLocked.
	Lock(name string) (io.Closer, error)
}

// File is an open file. Writes go to its end.
type File interface {
	io.ReaderAt
	io.Writer
	io.Closer
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
}

// ErrLocked says that another process has the lock.
var ErrLocked = errors.New("locked by another process")

// osFS is the system's.
type osFS struct{}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (osFS) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

func (osFS) Create(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Open(name string) (File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }

func (osFS) Remove(name string) error { return os.Remove(name) }

func (osFS) SyncDir(dir string) error { return syncDir(dir) }

func (osFS) Lock(name string) (io.Closer, error) { return lock(name) }

// replaceFile writes a small file so that a crash leaves the old one or the
// new one, never a part.
func replaceFile(fs FS, name string, content []byte) error {
	temp := name + ".tmp"
	if err := fs.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	f, err := fs.Create(temp)
	if err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = fs.Rename(temp, name)
	}
	if err == nil {
		err = fs.SyncDir(filepath.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	return nil
}
