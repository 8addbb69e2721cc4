package targets

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// TestFeatures holds that the configuration has what a target's name says, and
// nothing else.
func TestFeatures(t *testing.T) {
	words := map[string]func(Features) bool{
		"key bench":         func(f Features) bool { return f.Keys },
		"limit concurrency": func(f Features) bool { return f.Limits },
		"limit tokens":      func(f Features) bool { return f.Count },
		"limit usd":         func(f Features) bool { return f.Count },
		"metrics":           func(f Features) bool { return f.Metrics },
		"records sqlite":    func(f Features) bool { return f.Journal },
		"records off":       func(f Features) bool { return !f.Journal },
		"output file":       func(f Features) bool { return f.AccessLog },
		"cache exact":       func(f Features) bool { return f.Cache },
		"max_size":          func(f Features) bool { return f.Small },
		"store redis":       func(f Features) bool { return f.Redis },
		"mode leased":       func(f Features) bool { return f.Leased },
	}
	for _, s := range All {
		if s.Kind != "weir" {
			continue
		}
		raw, err := render("weir.Caddyfile", values{Features: s.Features, Port: 1, Admin: 2, Dir: "/d", Upstream: "u:3"})
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		for word, on := range words {
			if got := strings.Contains(text, word); got != on(s.Features) {
				t.Errorf("%s: '%s' is there: %v\n%s", s.Name, word, got, text)
			}
		}
		limits := 0
		for line := range strings.Lines(strings.Split(text, "key spent")[0]) {
			if strings.HasPrefix(strings.TrimSpace(line), "limit ") {
				limits++
			}
		}
		if want := map[bool]int{true: 4}[s.Limits]; limits != want {
			t.Errorf("%s has %d limits, want %d", s.Name, limits, want)
		}
	}
}

func TestAbsent(t *testing.T) {
	e := &Env{Dir: t.TempDir(), Upstream: "127.0.0.1:1", Caddy: "/nowhere/caddy", Weir: "/nowhere/weir", Peers: "/nowhere", CPU: -1}
	for _, name := range []string{"caddy", "respond", "weir", "weir-redis", "portkey", "litellm"} {
		s, ok := Find(name)
		if !ok {
			t.Fatal(name)
		}
		if _, err := e.Start(s); !errors.Is(err, ErrAbsent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A program that ends at once is no target, and says why.
	e.Weir = "/bin/false"
	s, _ := Find("weir")
	if _, err := e.Start(s); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("%v", err)
	}
}

func TestPorts(t *testing.T) {
	ports, err := freePorts(3)
	if err != nil || len(ports) != 3 || ports[0] == ports[1] || ports[1] == ports[2] {
		t.Errorf("%v, %v", ports, err)
	}
}
