package journal

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

var (
	errCrashed = errors.New("the machine is off")
	errFull    = errors.New("no space left on device")
)

// fakeFS is a file system that forgets what was not synced, tears writes, and
// has a quota.
type fakeFS struct {
	mu      sync.Mutex
	names   map[string]*inode // as the process sees them
	durable map[string]*inode // as they are after a crash
	locks   map[string]bool

	ops     int
	last    string        // what was being done when the machine went off
	crashAt int           // the operation at which the machine goes off; 0: never
	off     chan struct{} // closed then
	quota   int           // bytes; 0: none
	fault   func(op, name string) error
	gate    func(op string) // where writes and syncs may be held up; set at the start
}

// pass goes through the gate, without the lock.
func (fs *fakeFS) pass(op string) {
	if fs.gate != nil {
		fs.gate(op)
	}
}

type inode struct {
	data   []byte
	synced []byte

	// bad is the part that a failed fsync dropped: the kernel calls it clean
	// and the next fsync says nothing of it.
	badFrom, badTo int
}

func newFakeFS() *fakeFS {
	return &fakeFS{names: map[string]*inode{}, durable: map[string]*inode{}, locks: map[string]bool{}, off: make(chan struct{})}
}

// op counts an operation; the lock is held.
func (fs *fakeFS) op(op, name string) error {
	select {
	case <-fs.off:
		return errCrashed
	default:
	}
	fs.ops++
	if fs.crashAt > 0 && fs.ops >= fs.crashAt {
		fs.last = op
		close(fs.off)
		return errCrashed
	}
	if fs.fault != nil {
		return fs.fault(op, name)
	}
	return nil
}

// reboot is the file system after the crash: of what was not synced anything
// may be there, and the last write may be torn or garbage. After a mere kill
// of the process everything is there that was written.
func (fs *fakeFS) reboot(rng *rand.Rand, power bool) *fakeFS {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	after := newFakeFS()
	all := map[string]bool{}
	for name := range fs.names {
		all[name] = true
	}
	for name := range fs.durable {
		all[name] = true
	}
	for name := range all {
		node, was := fs.names[name], fs.durable[name]
		if power && node != was && rng.IntN(2) == 0 {
			node = was
		}
		if node == nil {
			continue
		}
		data := append([]byte(nil), node.data...)
		if power {
			data = append([]byte(nil), node.synced...)
			if n := len(node.data); n > len(data) {
				tail := append([]byte(nil), node.data[len(data):len(data)+rng.IntN(n-len(data)+1)]...)
				if len(tail) > 0 && rng.IntN(3) == 0 {
					tail[rng.IntN(len(tail))] ^= byte(1 + rng.IntN(255))
				}
				data = append(data, tail...)
			}
			for i := node.badFrom; i < min(node.badTo, len(data)); i++ {
				data[i] = 0
			}
		}
		copied := &inode{data: data, synced: append([]byte(nil), data...)}
		after.names[name], after.durable[name] = copied, copied
	}
	return after
}

func (fs *fakeFS) used() (n int) {
	for _, node := range fs.names {
		n += len(node.data)
	}
	return n
}

// text is what a file holds.
func (fs *fakeFS) text(name string) string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return string(fs.names[name].data)
}

func (fs *fakeFS) do(op, name string, f func() error) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if err := fs.op(op, name); err != nil {
		return err
	}
	return f()
}

func (fs *fakeFS) MkdirAll(dir string) error {
	return fs.do("mkdir", dir, func() error { return nil })
}

func (fs *fakeFS) Create(name string) (file File, err error) {
	err = fs.do("create", name, func() error {
		if fs.names[name] != nil {
			return os.ErrExist
		}
		node := &inode{}
		fs.names[name] = node
		file = &fakeFile{fs, name, node}
		return nil
	})
	return file, err
}

func (fs *fakeFS) Open(name string) (file File, err error) {
	err = fs.do("open", name, func() error {
		node := fs.names[name]
		if node == nil {
			return os.ErrNotExist
		}
		file = &fakeFile{fs, name, node}
		return nil
	})
	return file, err
}

func (fs *fakeFS) List(dir string) (list []string, err error) {
	err = fs.do("list", dir, func() error {
		seen := map[string]bool{}
		for name := range fs.names {
			for ; len(name) > len(dir); name = filepath.Dir(name) {
				if base := filepath.Base(name); filepath.Dir(name) == dir && !seen[base] {
					seen[base] = true
					list = append(list, base)
				}
			}
		}
		return nil
	})
	return list, err
}

func (fs *fakeFS) Rename(from, to string) error {
	return fs.do("rename", from, func() error {
		if fs.names[from] == nil {
			return os.ErrNotExist
		}
		fs.names[to] = fs.names[from]
		delete(fs.names, from)
		return nil
	})
}

func (fs *fakeFS) Remove(name string) error {
	return fs.do("remove", name, func() error {
		if fs.names[name] == nil {
			return os.ErrNotExist
		}
		delete(fs.names, name)
		return nil
	})
}

func (fs *fakeFS) SyncDir(dir string) error {
	return fs.do("syncdir", dir, func() error {
		for name := range fs.durable {
			if filepath.Dir(name) == dir && fs.names[name] == nil {
				delete(fs.durable, name)
			}
		}
		for name, node := range fs.names {
			if filepath.Dir(name) == dir {
				fs.durable[name] = node
			}
		}
		return nil
	})
}

type fakeLock struct {
	fs   *fakeFS
	name string
}

func (l fakeLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locks, l.name)
	return nil
}

func (fs *fakeFS) Lock(name string) (lock io.Closer, err error) {
	err = fs.do("lock", name, func() error {
		if fs.locks[name] {
			return ErrLocked
		}
		fs.locks[name] = true
		lock = fakeLock{fs, name}
		return nil
	})
	return lock, err
}

type fakeFile struct {
	fs   *fakeFS
	name string
	node *inode
}

func (f *fakeFile) ReadAt(b []byte, off int64) (n int, err error) {
	err = f.fs.do("read", f.name, func() error {
		if off < int64(len(f.node.data)) {
			n = copy(b, f.node.data[off:])
		}
		if n < len(b) {
			return io.EOF
		}
		return nil
	})
	return n, err
}

func (f *fakeFile) Write(b []byte) (n int, err error) {
	f.fs.pass("write")
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	err = f.fs.op("write", f.name)
	n = len(b)
	if errors.Is(err, errCrashed) {
		n = len(b) / 2 // torn
	} else if left := f.fs.quota - f.fs.used(); f.fs.quota > 0 && n > left {
		n, err = max(left, 0), errFull
	} else if err != nil {
		n = 0
	}
	f.node.data = append(f.node.data, b[:n]...)
	return n, err
}

func (f *fakeFile) Sync() error {
	f.fs.pass("sync")
	err := f.fs.do("sync", f.name, func() error {
		f.node.synced = append([]byte(nil), f.node.data...)
		return nil
	})
	if err != nil && !errors.Is(err, errCrashed) {
		f.fs.mu.Lock()
		defer f.fs.mu.Unlock()
		f.node.badFrom, f.node.badTo = len(f.node.synced), len(f.node.data)
	}
	return err
}

func (f *fakeFile) Truncate(size int64) error {
	return f.fs.do("truncate", f.name, func() error {
		f.node.data = f.node.data[:size]
		f.node.synced = f.node.synced[:min(int(size), len(f.node.synced))]
		return nil
	})
}

func (f *fakeFile) Size() (n int64, err error) {
	err = f.fs.do("size", f.name, func() error {
		n = int64(len(f.node.data))
		return nil
	})
	return n, err
}

func (*fakeFile) Close() error { return nil }

// TestFakeFS holds that the fake forgets as a disk does.
func TestFakeFS(t *testing.T) {
	fs := newFakeFS()
	kept, _ := fs.Create("/d/kept")
	_, _ = kept.Write([]byte("abc"))
	_ = kept.Sync()
	_ = fs.SyncDir("/d")
	_, _ = kept.Write([]byte("defghi"))
	_, _ = fs.Create("/d/new")
	lost, partly := false, false
	for seed := range uint64(32) {
		after := fs.reboot(rand.New(rand.NewPCG(seed, 0)), true)
		data := after.names["/d/kept"].data
		if string(data[:3]) != "abc" {
			t.Fatalf("synced bytes are gone: %q", data)
		}
		lost = lost || after.names["/d/new"] == nil
		partly = partly || len(data) > 3 && len(data) < 9
	}
	if !lost || !partly {
		t.Errorf("a name that is not synced was lost: %v; a tail was torn: %v", lost, partly)
	}
	if after := fs.reboot(rand.New(rand.NewPCG(1, 0)), false); string(after.names["/d/kept"].data) != "abcdefghi" {
		t.Error("a kill of the process loses what was written")
	}
}
