// Package targets starts what is compared, each as a process of its own with
// the configuration in conf.
package targets

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed conf
var configs embed.FS

// Features are what Weir has switched on.
type Features struct {
	Keys      bool // key auth
	Limits    bool // four limits, on requests and concurrency
	Count     bool // two of them on tokens and dollars, which need the prompt's tokens
	Exact     bool // that on tokens may send calls to another model, so that each prompt is counted
	Metrics   bool
	Journal   bool // usage journal and SQLite
	AccessLog bool
	Cache     bool
	Small     bool // the cache: it is full soon, and what leaks shows beside it
	Redis     bool
	Leased    bool
}

// Spec is a target.
type Spec struct {
	Name  string
	Title string
	Kind  string // direct, caddy, respond, weir, nginx, portkey, litellm, bifrost
	Features
}

// Full is what "full" means.
var Full = Features{Keys: true, Limits: true, Count: true, Metrics: true}

func with(change func(*Features)) Features {
	f := Full
	change(&f)
	return f
}

// All are the targets, in the order in which they take turns.
var All = []Spec{
	{Name: "direct", Title: "no gateway", Kind: "direct"},
	{Name: "caddy", Title: "Caddy reverse_proxy", Kind: "caddy"},
	{Name: "nginx", Title: "nginx", Kind: "nginx"},
	{Name: "respond", Title: "Caddy respond", Kind: "respond"},
	{Name: "respond-metrics", Title: "Caddy respond + metrics", Kind: "respond", Features: Features{Metrics: true}},
	{Name: "weir-proxy", Title: "Weir, proxy only", Kind: "weir"},
	{Name: "weir-keys", Title: "… + keys", Kind: "weir", Features: Features{Keys: true}},
	{Name: "weir-limits", Title: "… + four limits", Kind: "weir", Features: Features{Keys: true, Limits: true}},
	{Name: "weir-count", Title: "… + counting tokens and money", Kind: "weir", Features: Features{Keys: true, Limits: true, Count: true}},
	{Name: "weir-exact", Title: "… each prompt counted exactly", Kind: "weir", Features: Features{Keys: true, Limits: true, Count: true, Exact: true}},
	{Name: "weir", Title: "Weir, full (… + metrics)", Kind: "weir", Features: Full},
	{Name: "weir-cache", Title: "full + cache", Kind: "weir", Features: with(func(f *Features) { f.Cache = true })},
	{Name: "weir-journal", Title: "full + journal", Kind: "weir", Features: with(func(f *Features) { f.Journal = true })},
	{Name: "weir-log", Title: "full + access log", Kind: "weir", Features: with(func(f *Features) { f.AccessLog = true })},
	{Name: "weir-records", Title: "full + journal + access log", Kind: "weir", Features: with(func(f *Features) { f.Journal, f.AccessLog = true, true })},
	{Name: "weir-redis", Title: "full, limits in Redis", Kind: "weir", Features: with(func(f *Features) { f.Redis = true })},
	{Name: "weir-leased", Title: "full, limits leased from Redis", Kind: "weir", Features: with(func(f *Features) { f.Redis, f.Leased = true, true })},
	{Name: "weir-soak", Title: "full + small cache", Kind: "weir", Features: with(func(f *Features) { f.Cache, f.Small = true, true })},
	{Name: "bifrost", Title: "Bifrost", Kind: "bifrost"},
	{Name: "portkey", Title: "Portkey", Kind: "portkey"},
	{Name: "litellm", Title: "LiteLLM", Kind: "litellm"},
}

// Find returns the target of that name.
func Find(name string) (Spec, bool) {
	for _, s := range All {
		if s.Name == name {
			return s, true
		}
	}
	return Spec{}, false
}

// The keys of the benchmark; no secrets.
const (
	Key         = "sk-bench-0123456789abcdef0123456789abcdef"
	SpentKey    = "sk-bench-spent-0123456789abcdef01234567"
	BadKey      = "sk-bench-bad-00000000000000000000000000"
	upstreamKey = "sk-upstream-0123456789abcdef"
)

// Env is where targets find what they need.
type Env struct {
	Dir      string // for their files; each gets a folder
	Upstream string // address
	Redis    string // address, if there is one
	Caddy    string // a Caddy without modules
	Weir     string // a Caddy with Weir
	Peers    string // where bench/peers installs
	CPU      int    // that targets are pinned to; below 0: none
}

// ErrAbsent is that a target is not installed.
var ErrAbsent = errors.New("not installed")

// values fill the templates in conf.
type values struct {
	Features
	Port, Admin   int
	Dir, Upstream string
}

func render(name string, v values) ([]byte, error) {
	raw, err := configs.ReadFile("conf/" + name)
	if err != nil {
		return nil, err
	}
	t, err := template.New(name).Parse(string(raw))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("filling the configuration: %w", err)
	}
	return []byte(b.String()), nil
}

// command is how a target is started: with the file conf, if it has one,
// written to its folder.
func (e *Env) command(s Spec, v values) (args []string, conf string, err error) {
	file := func(name string) string { return filepath.Join(v.Dir, name) }
	present := func(path string) (string, error) {
		found, err := exec.LookPath(path)
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, ErrAbsent)
		}
		return found, nil
	}
	var bin string
	switch s.Kind {
	case "caddy", "respond", "weir":
		if s.Redis && e.Redis == "" {
			return nil, "", fmt.Errorf("redis-server: %w", ErrAbsent)
		}
		bin = e.Caddy
		if s.Kind == "weir" {
			bin = e.Weir
		}
		bin, err = present(bin)
		conf := s.Kind + ".Caddyfile"
		return []string{bin, "run", "--adapter", "caddyfile", "--config", file(conf)}, conf, err
	case "nginx":
		bin, err = present("nginx")
		if err != nil {
			bin, err = present("/usr/sbin/nginx")
		}
		return []string{bin, "-p", v.Dir, "-c", file("nginx.conf")}, "nginx.conf", err
	case "portkey":
		script := filepath.Join(e.Peers, "node_modules/@portkey-ai/gateway/build/start-server.js")
		if _, err := os.Stat(script); err != nil {
			return nil, "", fmt.Errorf("@portkey-ai/gateway: %w", ErrAbsent)
		}
		bin, err = present("node")
		return []string{bin, script, "--headless", fmt.Sprintf("--port=%d", v.Port)}, "", err
	case "litellm":
		bin, err = present(filepath.Join(e.Peers, "litellm/bin/litellm"))
		return []string{bin, "--config", file("litellm.yaml"), "--host", "127.0.0.1", "--port", fmt.Sprint(v.Port), "--num_workers", "1"}, "litellm.yaml", err
	case "bifrost":
		bin, err = present("bifrost-http")
		return []string{bin, "-app-dir", v.Dir, "-host", "127.0.0.1", "-port", fmt.Sprint(v.Port), "-log-level", "error"}, "bifrost.json", err
	}
	return nil, "", fmt.Errorf("no such kind of target: %s", s.Kind)
}
