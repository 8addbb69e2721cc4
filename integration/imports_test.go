package integration

import (
	"os/exec"
	"sort"
	"strings"
	"testing"
)

const modulePath = "github.com/weirproxy/weir"

// pure are the packages that never import Caddy, not even through others.
var pure = []string{"/gateway/...", "/wire/...", "/cache/...", "/tokenizer", "/internal/sse", "/internal/jsonscan", "/internal/jsonw", "/internal/eventstream", "/internal/typo", "/internal/breaker", "/internal/http1", "/internal/inflight", "/internal/lifetime", "/internal/replay", "/internal/seam", "/internal/simulator"}

// layers say which of the module's own packages a package may import; the
// first pattern that fits holds. A `*` at the end stands for what follows.
var layers = []struct {
	packages string
	may      []string
}{
	{"/internal/jsonscan", nil},
	{"/internal/sse", nil},
	{"/internal/jsonw", []string{"/internal/jsonscan"}},
	{"/internal/eventstream", []string{"/internal/jsonscan", "/internal/sse"}},
	{"/internal/typo", nil},
	{"/internal/adminapi", nil},
	{"/internal/leaktest", nil},
	{"/internal/clocktest", nil},
	{"/internal/waittest", nil},
	{"/internal/scripttest", []string{"/internal/waittest"}},
	{"/internal/inflight", nil},
	{"/internal/replay", nil},
	{"/internal/seam", nil},
	{"/internal/lifetime", nil},
	{"/internal/http1", []string{"/internal/lifetime"}},
	{"/internal/words", []string{"/internal/typo"}},
	{"/internal/secret", nil},
	{"/internal/breaker", nil},
	{"/internal/pg", []string{"/internal/secret"}},
	{"/tokenizer*", []string{"/tokenizer*", "/internal/jsonscan"}},
	{"/wire/wiretest*", []string{"/wire*", "/internal/sse", "/internal/eventstream"}},
	{"/wire*", []string{"/wire*", "/internal/jsonscan", "/internal/jsonw", "/internal/sse"}},
	{"/gateway", []string{"/gateway/*", "/wire", "/internal/typo"}},
	{"/gateway/batch", []string{"/gateway", "/wire*"}},
	{"/gateway/balance", nil},
	{"/gateway/health", []string{"/internal/adminapi"}},
	{"/gateway/overload", []string{"/gateway/queue"}},
	{"/gateway/capacity", []string{"/gateway/queue"}},
	{"/gateway/keys", []string{"/gateway/limits", "/gateway/queue", "/internal/adminapi"}},
	{"/gateway/queue", []string{"/internal/typo"}},
	{"/gateway/prices", []string{"/wire", "/internal/typo"}},
	{"/gateway/limits*", []string{"/gateway/limits*", "/internal/typo"}},
	{"/cache/cachetest", []string{"/cache", "/wire", "/internal/waittest"}},
	{"/cache*", []string{"/cache*", "/wire*", "/internal/adminapi", "/internal/jsonscan", "/internal/jsonw", "/internal/sse", "/internal/typo"}},
	{"/internal/needtest", nil},
	{"/internal/redistest", []string{"/internal/needtest"}},
	{"/internal/tokens", []string{"/gateway", "/wire*", "/tokenizer", "/internal/jsonscan"}},
	{"/internal/accesslog", []string{"/internal/jsonscan"}},
	{"/internal/telemetry", []string{"/gateway*", "/wire", "/tokenizer"}},
	{"/internal/simulator", []string{"/internal/jsonscan"}},
	{"/internal/upstream", []string{"/gateway", "/gateway/capacity", "/internal/http1", "/internal/jsonscan", "/wire", "/internal/secret", "/internal/typo", "/internal/words"}},
	{"/internal/cli", []string{"/cache", "/records/ledger", "/gateway/health", "/gateway/keys", "/gateway/prices", "/gateway/queue", "/tokenizer", "/internal/typo"}},
	// Guests know the domain, the dialects and helpers, never each other.
	{"/providers/*", []string{"/gateway", "/wire*", "/internal/*"}},
	{"/policies", []string{"/gateway/balance", "/internal/*"}},
	{"/stores/*", []string{"/gateway/limits*", "/cache*", "/internal/*"}},
	{"/records/*", []string{"/records/ledger*", "/gateway*", "/wire", "/internal/*"}},
	{"/internal/pgtest", []string{"/internal/needtest"}},
	{"/handlers", []string{"/gateway*", "/cache*", "/wire*", "/tokenizer", "/internal/*"}},
	// The root puts the house together.
	{"", []string{"/*"}},
	{"/internal/testcaddy", []string{""}},
	{"/integration*", []string{"", "/*"}},
}

func fits(pattern, pkg string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(pkg, prefix)
	}
	return pattern == pkg
}

// goList runs `go list` on the module and returns the lines of its output.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// TestImportDirection holds that imports go in one direction: root, handlers,
// gateway, wire, the standard library.
func TestImportDirection(t *testing.T) {
	lines := goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, modulePath+"/...")
	for _, line := range lines {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], modulePath)
		may, known := mayImport(pkg)
		if !known {
			t.Errorf("%s has no place in the layers", fields[0])
		}
		for _, path := range fields[1:] {
			imported, own := strings.CutPrefix(path, modulePath)
			if !own || anyFits(may, imported) {
				continue
			}
			t.Errorf("%s imports %s", fields[0], path)
		}
	}
}

func mayImport(pkg string) (may []string, known bool) {
	for _, l := range layers {
		if fits(l.packages, pkg) {
			return l.may, true
		}
	}
	return nil, false
}

func anyFits(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if fits(p, pkg) {
			return true
		}
	}
	return false
}

// TestPureCore holds that the core can be used, tested and reasoned about
// without Caddy.
func TestPureCore(t *testing.T) {
	args := []string{"-deps"}
	for _, pkg := range pure {
		args = append(args, modulePath+pkg)
	}
	deps := goList(t, args...)
	sort.Strings(deps)
	for _, dep := range deps {
		if strings.Contains(dep, "caddyserver/") {
			t.Errorf("the core imports %s", dep)
		}
	}
}
