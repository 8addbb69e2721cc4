package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// update changes the file under its lock: what other processes wrote is read
// first, and is not lost.
func (f *File) update(ctx context.Context, change func(list []Key) ([]Key, error)) error {
	path, err := resolve(f.path)
	if err != nil {
		return fmt.Errorf("changing the keys file: %w", err)
	}
	unlock, err := lockFile(ctx, path+".lock")
	if err != nil {
		return fmt.Errorf("locking the keys file: %w", err)
	}
	defer unlock()

	var list []Key
	data, _, err := readFile(path)
	switch {
	case err == nil:
		if list, err = f.decode(data); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if list, err = change(list); err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b Key) int { return strings.Compare(a.Name, b.Name) })
	if data, err = json.MarshalIndent(content{fileVersion, list}, "", "\t"); err != nil {
		return fmt.Errorf("encoding keys: %w", err)
	}
	data = append(data, '\n')
	// What is written must be what a Load will take.
	if _, err := f.decode(data); err != nil {
		return err
	}
	if err := replaceFile(path, data); err != nil {
		return fmt.Errorf("writing the keys file: %w", err)
	}
	return nil
}

// resolve follows links, so that the file and not a link to it is replaced.
func resolve(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return real, err
}

// replaceFile writes data to a new file beside path and renames it: readers
// see the old content or the new one, also after a crash.
func replaceFile(path string, data []byte) (err error) {
	// CreateTemp makes files of mode 0600.
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(data); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
