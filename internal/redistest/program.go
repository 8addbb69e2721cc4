package redistest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/weirproxy/weir/internal/needtest"
)

// Program is a server's program.
type Program struct{ Name, Path string }

// All returns the machine's own server, and those that scripts/redis-servers
// fetches: the oldest Redis that is supported, and Valkey. What is missing
// skips the test; in CI it fails.
func All(tb testing.TB) []Program {
	tb.Helper()
	found := []Program{usual(tb)}
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(file), "..", "..", ".cache", "redis-servers")
	for _, name := range []string{"redis-6.2-server", "valkey-server"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			path = ""
		}
		found = append(found, Program{name, needtest.Program(tb, name+" (see scripts/redis-servers)", path)})
	}
	return found
}

// usual is the machine's own server.
func usual(tb testing.TB) Program {
	tb.Helper()
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return Program{name, path}
		}
	}
	return Program{"redis-server", needtest.Program(tb, "redis-server or valkey-server", "")}
}
