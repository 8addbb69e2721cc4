package cli

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/weirproxy/weir/gateway/keys"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// runner runs `caddy ai keys …`.
type runner func(stdin string, args ...string) (out, errs string, err error)

func keysRunner(t *testing.T, always ...string) runner {
	random := rand.NewChaCha8([32]byte{1})
	return func(stdin string, args ...string) (string, string, error) {
		t.Helper()
		var out, errs bytes.Buffer
		cmd := (&keysCLI{now: func() time.Time { return noon }, random: random, request: caddycmd.AdminAPIRequest}).command()
		cmd.SetArgs(append(args, always...))
		cmd.SetIn(strings.NewReader(stdin))
		cmd.SetOut(&out)
		cmd.SetErr(&errs)
		err := cmd.Execute()
		return out.String(), errs.String(), err
	}
}

// adminServer is the admin endpoint of a Caddy whose keys are in path.
func adminServer(t *testing.T, path string) (address string) {
	if err := os.WriteFile(path, []byte(`{"version":1,"keys":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	hasher := keys.NewHasher(nil)
	file := keys.NewFile(path, hasher, func() time.Time { return noon }, rand.NewChaCha8([32]byte{2}))
	set := keys.NewSet(hasher)
	server := httptest.NewServer(keys.AdminHandler(keys.Manage(set, file, file.Name(), keys.NewWatcher(set, file).Sync)))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// TestKeys makes, lists, shows, rotates and revokes a key, on a file and
// through the admin endpoint.
func TestKeys(t *testing.T) {
	for _, where := range []string{"--file", "--address"} {
		t.Run(where, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.json")
			flag := []string{where, path}
			if where == "--address" {
				flag[1] = adminServer(t, path)
			}
			run := keysRunner(t, flag...)
			good := func(args ...string) string {
				t.Helper()
				out, errs, err := run("", args...)
				if err != nil {
					t.Fatalf("%v: %v, %s", args, err, errs)
				}
				return out
			}
			secret := strings.TrimSpace(good("new", "ci", "--model", "chat", "--model", "openai/*", "--limit", "requests 60 1m",
				"--limit", "usd 25 30d", "--expires", "2026-12-25T12:00:00Z", "--user", "ann", "--team", "platform", "--priority", "high", "--tag", "x", "--metadata", "a=b"))
			id, ok, err := keys.ParseID(secret)
			if !ok || err != nil {
				t.Fatalf("secret %q: %v", secret, err)
			}
			list := good("list")
			for _, part := range []string{"ci", id, "active", "platform/ann", "chat, openai/*", "requests 60 1m, usd 25 30d", "2026-12-25 12:00:00"} {
				if !strings.Contains(list, part) {
					t.Errorf("%q is not in the list:\n%s", part, list)
				}
			}
			var key keys.Key
			shown := good("show", id)
			if err := json.Unmarshal([]byte(shown), &key); err != nil || key.Metadata["a"] != "b" || key.Priority != "high" || key.Name != "ci" || strings.Contains(shown, "hmac") {
				t.Errorf("shown: %s, %v", shown, err)
			}
			var issued keys.Issued
			if err := json.Unmarshal([]byte(good("rotate", "ci", "--overlap", "2h", "--json")), &issued); err != nil || issued.Secret == secret || issued.ID != id {
				t.Errorf("rotated: %+v, %v", issued, err)
			}
			if p := issued.Previous; len(p) != 1 || !p[0].Expires.Equal(noon.Add(2*time.Hour)) {
				t.Errorf("previous: %+v", p)
			}
			if _, _, err := run("", "new", "ci"); err == nil || !strings.Contains(err.Error(), "already") {
				t.Errorf("the name again: %v", err)
			}
			if out := good("new", "day", "--expires", "2027-01-31", "--json"); !strings.Contains(out, `"2027-01-31T00:00:00Z"`) {
				t.Errorf("a date: %s", out)
			}
			good("revoke", "day")
			good("revoke", "ci")
			if _, _, err := run("", "show", "ci"); err == nil || !strings.Contains(err.Error(), "no such key") {
				t.Errorf("revoked: %v", err)
			}
			if out := good("list", "--json"); !strings.Contains(out, `"data": []`) {
				t.Errorf("list: %s", out)
			}
		})
	}
}

func TestKeysRefuses(t *testing.T) {
	run := keysRunner(t, "--file", filepath.Join(t.TempDir(), "keys.json"))
	for name, args := range map[string][]string{
		"no name":          {"new"},
		"bad name":         {"new", "a b"},
		"expires":          {"new", "a", "--expires", "soon"},
		"expires at once":  {"new", "a", "--expires", "0s"},
		"expired":          {"new", "a", "--expires", "2020-01-01"},
		"limit":            {"new", "a", "--limit", "requests"},
		"limit mistyped":   {"new", "a", "--limit", "request 60 1m"},
		"limit twice":      {"new", "a", "--limit", "requests 60 1m", "--limit", "requests 90 1m"},
		"model":            {"new", "a", "--model", "*x"},
		"overlap":          {"rotate", "a", "--overlap", "-1h"},
		"nobody":           {"rotate", "a"},
		"both places":      {"list", "--address", "localhost:1"},
		"pepper not there": {"list", "--pepper-file", "/nonexistent/pepper"},
	} {
		if out, _, err := run("", args...); err == nil {
			t.Errorf("%s: no error, %s", name, out)
		}
	}
}

func TestKeysHash(t *testing.T) {
	run := keysRunner(t)
	const secret = "a-secret-of-another-system"
	out, _, err := run(secret+"\n", "hash")
	if want := keys.NewHasher(nil).Hash(secret); err != nil || strings.TrimSpace(out) != want {
		t.Errorf("got %s, %v", out, err)
	}
	out, _, err = run("", "hash", "--new")
	lines := strings.Fields(out)
	if err != nil || len(lines) != 2 || keys.NewHasher(nil).Hash(lines[0]) != lines[1] {
		t.Errorf("new: %s, %v", out, err)
	}
	pepper := filepath.Join(t.TempDir(), "pepper")
	if err := os.WriteFile(pepper, []byte("salt and\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, err = run(secret, "hash", "--pepper-file", pepper)
	if want := keys.NewHasher([]byte("salt and")).Hash(secret); err != nil || strings.TrimSpace(out) != want {
		t.Errorf("pepper: %s, %v", out, err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if isTerminal(null) {
		t.Error("the null device, which a service has for its input, is taken for somebody at a terminal")
	}
	for _, bad := range []string{"", "short", "two words of a secret", "sk-weir-0123456789-abc"} {
		if out, _, err := run(bad, "hash"); err == nil {
			t.Errorf("%q: %s", bad, out)
		} else if bad != "" && strings.Contains(err.Error(), bad) && bad != "short" {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}
