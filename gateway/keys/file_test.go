package keys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirproxy/weir/internal/clocktest"
)

// files are two views of one file, as two processes have them.
func files(t *testing.T) (here, there *File, path string, at *clocktest.Clock) {
	path = filepath.Join(t.TempDir(), "keys.json")
	h, at := NewHasher(nil), clocktest.New(start)
	return NewFile(path, h, at.Now, seeded(11)), NewFile(path, h, at.Now, seeded(12)), path, at
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func TestFileLifeOfAKey(t *testing.T) {
	here, there, path, at := files(t)
	ctx := context.Background()
	set := NewSet(there.hasher)
	watcher := NewWatcher(set, there)
	accepted := func(what, secret string, want error) {
		t.Helper()
		if err := watcher.Sync(ctx); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if _, err := set.Find(secret, at.Now()); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
	}

	key, first, err := here.Create(ctx, Draft{Name: "ci", Models: []string{"chat"}, Limits: [][]string{{"requests", "60", "1m"}}, Team: "platform"})
	if err != nil {
		t.Fatal(err)
	}
	if key.Hash != "" || key.Team != "platform" || !key.Created.Equal(start) {
		t.Errorf("got %+v", key)
	}
	if info := must[fs.FileInfo](t)(os.Stat(path)); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	data := must[[]byte](t)(os.ReadFile(path))
	if strings.Contains(string(data), first) || strings.Contains(string(data), first[secretStart:]) {
		t.Error("the file holds the secret")
	}
	accepted("created", first, nil)
	if _, _, err := here.Create(ctx, Draft{Name: "ci"}); !errors.Is(err, ErrExists) {
		t.Errorf("the name again: %v", err)
	}

	rotated, second, err := here.Rotate(ctx, key.ID, time.Hour)
	if err != nil || rotated.ID != key.ID || second == first {
		t.Fatalf("rotate: %+v, %v", rotated, err)
	}
	accepted("replaced, within the overlap", first, nil)
	accepted("rotated", second, nil)
	at.Add(time.Hour)
	accepted("replaced, after the overlap", first, ErrUnknown)

	_, third, err := here.Rotate(ctx, "ci", 0)
	if err != nil {
		t.Fatal(err)
	}
	accepted("rotated without overlap", second, ErrUnknown)
	accepted("third", third, nil)

	if _, err := here.Update(ctx, "ci", Change{Disabled: Some(true)}); err != nil {
		t.Fatal(err)
	}
	accepted("disabled", third, ErrDisabled)
	changed, err := here.Update(ctx, "ci", Change{Disabled: Some(false), Models: Some[[]string](nil)})
	if err != nil || changed.Models != nil || changed.Team != "platform" {
		t.Fatalf("update: %+v, %v", changed, err)
	}
	accepted("enabled", third, nil)
	if changed, err = here.Update(ctx, "ci", Change{Priority: Some("batch")}); err != nil || changed.Priority != "batch" {
		t.Fatalf("update: %+v, %v", changed, err)
	}
	var invalid *Invalid
	if _, err := here.Update(ctx, "ci", Change{Priority: Some("bach")}); !errors.As(err, &invalid) || !strings.Contains(err.Error(), "did you mean 'batch'?") {
		t.Fatal(err)
	}

	if err := here.Revoke(ctx, "ci"); err != nil {
		t.Fatal(err)
	}
	accepted("revoked", third, ErrUnknown)
	if err := here.Revoke(ctx, "ci"); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
}

func TestFileRotateKeepsTwo(t *testing.T) {
	here, _, _, at := files(t)
	ctx := context.Background()
	if _, _, err := here.Create(ctx, Draft{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	rotate := func(overlap time.Duration) error {
		_, _, err := here.Rotate(ctx, "a", overlap)
		return err
	}
	var invalid *Invalid
	for i, ok := range []bool{true, true, false} {
		if err := rotate(time.Hour); (err == nil) != ok || (!ok && !errors.As(err, &invalid)) {
			t.Errorf("rotation %d: %v", i, err)
		}
	}
	if err := rotate(-1); !errors.As(err, &invalid) {
		t.Errorf("negative overlap: %v", err)
	}
	at.Add(time.Hour)
	if err := rotate(time.Hour); err != nil {
		t.Errorf("after the overlaps: %v", err)
	}
}

func TestFileKeepsLastGood(t *testing.T) {
	here, there, path, _ := files(t)
	ctx := context.Background()
	_, secret, err := here.Create(ctx, Draft{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	good := must[[]byte](t)(os.ReadFile(path))
	set := NewSet(there.hasher)
	watcher := NewWatcher(set, there)
	if err := watcher.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"empty":        "",
		"torn":         string(good[:len(good)/2]),
		"unknown word": strings.Replace(string(good), `"name"`, `"nam"`, 1),
		"version":      `{"version":2,"keys":[]}`,
		"bad hash":     strings.Replace(string(good), "hmac-sha256:", "sha256:", 1),
		"duplicate":    `{"version":1,"keys":[{"name":"a","hash":"` + here.hasher.Hash("x") + `"},{"name":"a","hash":"` + here.hasher.Hash("y") + `"}]}`,
		"trailing":     string(good) + "{}",
		"no such unit": strings.Replace(string(good), `"name"`, `"limits": [["request", "60", "1m"]], "name"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := watcher.Sync(ctx); err == nil {
					t.Error("no error")
				}
			}
			if _, err := set.Find(secret, start); err != nil {
				t.Errorf("the last good key: %v", err)
			}
			if _, _, err := here.Create(ctx, Draft{Name: "b"}); err == nil {
				t.Error("a broken file was overwritten")
			}
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := watcher.Sync(ctx); err != nil {
				t.Errorf("mended: %v", err)
			}
		})
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := watcher.Sync(ctx); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := set.Find(secret, start); err != nil {
		t.Errorf("the last good key: %v", err)
	}
	if err := os.WriteFile(path, []byte(`{"version":1,"keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := watcher.Sync(ctx); err != nil || set.Len() != 0 {
		t.Errorf("a file without keys: %d keys, %v", set.Len(), err)
	}
}

// TestFileSameTime changes a file to one of the same size and time, as two
// changes within a tick of the file system's clock are.
func TestFileSameTime(t *testing.T) {
	_, there, path, at := files(t)
	hash := there.hasher.Hash("x")
	write := func(name string, mtime time.Time) {
		t.Helper()
		data := fmt.Sprintf(`{"version":1,"keys":[{"name":%q,"hash":%q}]}`, name, hash)
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, mtime, mtime); err != nil {
			t.Fatal(err)
		}
	}
	load := func(want bool) {
		t.Helper()
		if _, changed, err := there.Load(context.Background()); err != nil || changed != want {
			t.Fatalf("changed %v, %v, want %v", changed, err, want)
		}
	}
	write("a", start)
	load(true)
	load(false)
	write("b", start)
	load(true)
	at.Add(time.Minute)
	load(false)
	write("c", start.Add(time.Minute))
	load(true)
	load(false)
}

func TestWatcherReportsOnce(t *testing.T) {
	here, there, _, _ := files(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	set := NewSet(there.hasher)
	ticks, reports := make(chan time.Time), make(chan string, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		NewWatcher(set, there).Run(ctx, ticks, func(err error) { reports <- fmt.Sprint(err) })
	}()
	tick := func(n int) {
		for range n {
			ticks <- start
		}
	}
	tick(3) // missing
	if _, _, err := here.Create(ctx, Draft{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	tick(3)
	// The configuration takes the name of the next key.
	other, _ := issue(t, set.Hasher(), seeded(13), Key{Name: "b"})
	if err := set.Replace("the configuration", []Key{other}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := here.Create(ctx, Draft{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	tick(3)
	if err := set.Replace("the configuration", nil); err != nil {
		t.Fatal(err)
	}
	tick(2)
	cancel()
	<-done
	close(reports)
	for _, want := range []string{"no such file", "<nil>", "name 'b'", "<nil>"} {
		if got := <-reports; !strings.Contains(got, want) {
			t.Errorf("report %q, want %q", got, want)
		}
	}
	if got, more := <-reports; more {
		t.Errorf("another report: %s", got)
	}
	if set.Len() != 2 {
		t.Errorf("%d keys", set.Len())
	}
}

// TestFileConcurrentWriters holds that no change of another process is lost.
func TestFileConcurrentWriters(t *testing.T) {
	here, there, path, _ := files(t)
	ctx := context.Background()
	var wg sync.WaitGroup
	for i := range 20 {
		file := here
		random := &locked{random: seeded(byte(100 + i))}
		file = NewFile(path, there.hasher, file.now, random)
		wg.Go(func() {
			if _, _, err := file.Create(ctx, Draft{Name: fmt.Sprint("k", i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	list := must[[]Key](t)(there.List(ctx))
	if len(list) != 20 {
		t.Errorf("%d keys", len(list))
	}
	for _, key := range list {
		if key.Hash != "" {
			t.Errorf("key '%s' is shown with its hash", key.Name)
		}
	}
	entries := must[[]os.DirEntry](t)(os.ReadDir(filepath.Dir(path)))
	if len(entries) != 2 { // the file and its lock
		t.Errorf("left behind: %v", entries)
	}
}

func TestFileBehindALink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.json"), filepath.Join(dir, "link.json")
	if err := os.WriteFile(real, []byte(`{"version":1,"keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Skip(err)
	}
	file := NewFile(link, NewHasher(nil), time.Now, seeded(14))
	if _, _, err := file.Create(context.Background(), Draft{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if info := must[fs.FileInfo](t)(os.Lstat(link)); info.Mode()&fs.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
}

// locked makes a test's source of randomness fit for several goroutines.
type locked struct {
	mu     sync.Mutex
	random interface{ Read([]byte) (int, error) }
}

func (l *locked) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.Read(p)
}
