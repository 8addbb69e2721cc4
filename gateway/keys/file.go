package keys

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// File is a JSON file of keys: {"version": 1, "keys": [{"id": …, "name": …,
// "hash": …}]}. It is a [Source] that notices changes of other processes and
// a [Store] that changes it. It is safe for concurrent use.
type File struct {
	path   string
	hasher *Hasher
	now    func() time.Time
	random io.Reader

	mu     sync.Mutex
	stat   fs.FileInfo // of the last reading; nil before the first
	digest [sha256.Size]byte
	read   time.Time
}

const (
	fileVersion = 1

	// maxFile bounds what is read: room for more than 100,000 keys.
	maxFile = 256 << 20

	// racy is how long after a file's own time a second change may hide
	// behind the same time: file systems' clocks are coarse, some count in
	// seconds.
	racy = 2 * time.Second
)

// content is the file's form.
type content struct {
	Version int   `json:"version"`
	Keys    []Key `json:"keys"`
}

// NewFile returns the file at path. now and random are the clock and the
// source of secrets: time.Now and crypto/rand.Reader. Nothing is read yet.
func NewFile(path string, h *Hasher, now func() time.Time, random io.Reader) *File {
	return &File{path: path, hasher: h, now: now, random: random}
}

// Name implements [Source].
func (f *File) Name() string { return "file " + f.path }

// Load implements [Source]. A file that is missing, empty or broken is an
// error: a keys file that went away must not be taken for one without keys.
// The file counts as changed when its bytes did.
func (f *File) Load(context.Context) (list []Key, changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		f.stat = nil
		return nil, false, fmt.Errorf("reading %s: %w", f.path, err)
	}
	if f.unchanged(info) {
		return nil, false, nil
	}
	now := f.now()
	data, info, err := readFile(f.path)
	if err != nil {
		f.stat = nil
		return nil, false, err
	}
	digest := sha256.Sum256(data)
	if f.digest == digest && f.read != (time.Time{}) {
		f.stat, f.read = info, now
		return nil, false, nil
	}
	list, err = f.decode(data)
	if err != nil {
		f.stat = nil
		return nil, false, err
	}
	f.stat, f.read, f.digest = info, now, digest
	return list, true, nil
}

// unchanged reports whether the file is the one that was read: the same
// inode, size and time, and read so long after that time that no later change
// can bear it too.
func (f *File) unchanged(info fs.FileInfo) bool {
	return f.stat != nil && os.SameFile(f.stat, info) && f.stat.Size() == info.Size() &&
		f.stat.ModTime().Equal(info.ModTime()) && f.read.Sub(info.ModTime()) > racy
}

// readFile reads the file and describes what it read.
func readFile(path string) ([]byte, fs.FileInfo, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the keys file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("opening the keys file: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("reading the keys file: %w", err)
	case len(data) > maxFile:
		return nil, nil, fmt.Errorf("reading %s: more than %d bytes", path, maxFile)
	}
	return data, info, nil
}

// decode reads a file's content and checks every key in it.
func (f *File) decode(data []byte) ([]Key, error) {
	var c content
	if err := decodeStrict(data, &c); err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.path, err)
	}
	if c.Version != fileVersion {
		return nil, fmt.Errorf("reading %s: version %d, want %d", f.path, c.Version, fileVersion)
	}
	for i := range c.Keys {
		c.Keys[i].Source = ""
	}
	// A set of its own finds what is wrong with the keys and duplicates.
	if err := NewSet(f.hasher).Replace(f.Name(), c.Keys); err != nil {
		return nil, err
	}
	return c.Keys, nil
}

// decodeStrict reads one JSON value, all of whose members must be known: a
// mistyped "models" would otherwise allow all of them.
func decodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n")), err)
		}
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON value")
	}
	return nil
}
