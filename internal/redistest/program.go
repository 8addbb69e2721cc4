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
	for _, name := range []string{"redis-6.2-server", "valkey-server"} {
		found = append(found, Program{name, fetched(tb, name)})
	}
	return found
}

// StartSearch runs a server that has FT.SEARCH: Valkey with the module
// RediSearch.
func StartSearch(tb testing.TB, args ...string) *Server {
	tb.Helper()
	server, module := fetched(tb, "valkey-server"), fetched(tb, "redisearch.so")
	return Program{"valkey-server with redisearch", server}.Start(tb, append([]string{"--loadmodule", module}, args...)...)
}

// fetched is a file of scripts/redis-servers.
func fetched(tb testing.TB, name string) string {
	tb.Helper()
	_, file, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(file), "..", "..", ".cache", "redis-servers", name)
	if _, err := os.Stat(path); err != nil {
		path = ""
	}
	return needtest.Program(tb, name+" (see scripts/redis-servers)", path)
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
