package integration

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// buildBinary builds a Caddy with Weir and returns its path.
func buildBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "caddy")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/weirproxy/weir/internal/testcaddy").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return binary
}

// binarySite is a configuration for the real binary: a site, and an ai option with the
// provider openai and what else it is to have.
type binarySite struct {
	dir, config, addr, admin string
}

func newBinarySite(t *testing.T, up *weirtest.Upstream, ai string) *binarySite {
	t.Helper()
	s := &binarySite{dir: t.TempDir(), addr: weirtest.FreeAddr(t), admin: weirtest.FreeAddr(t)}
	s.config = filepath.Join(s.dir, "Caddyfile")
	err := os.WriteFile(s.config, fmt.Appendf(nil, `{
	admin %s
	auto_https off
	ai {
		provider openai {
			base_url %s/v1
			api_key {env.UPSTREAM_KEY}
		}
		%s
	}
}
http://%s {
	ai_health
	ai_gateway
}
`, s.admin, up.URL, ai, s.addr), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run starts the binary with the site.
func (s *binarySite) run(t *testing.T, binary string, env ...string) *exec.Cmd {
	t.Helper()
	return runBinary(t, binary, s.config, s.addr, append(env, "UPSTREAM_KEY=sk-upstream", "XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir)...)
}

// runBinary runs the binary with a Caddyfile, whose site at addr has ai_health,
// and returns when that answers. The test's end kills the process.
func runBinary(t *testing.T, binary, config, addr string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary, "run", "--config", config, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), env...)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	eventually(t, "the gateway", func() bool {
		res, err := http.Get("http://" + addr + "/health/live")
		if err == nil {
			res.Body.Close()
		}
		return err == nil && res.StatusCode == 200
	})
	return cmd
}
