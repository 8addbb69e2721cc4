package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestKilledAtTheUpstream kills the gateway, without a warning, in the moment in
// which the upstream has the request: promise 1 holds for it.
func TestKilledAtTheUpstream(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	var running atomic.Pointer[exec.Cmd]
	up := weirtest.NewUpstream(t, func(_ http.ResponseWriter, r *weirtest.Request) {
		_ = running.Load().Process.Kill()
		<-r.Gone
	})
	dir, binary := t.TempDir(), buildBinary(t)
	addr, admin := weirtest.FreeAddr(t), weirtest.FreeAddr(t)
	config := filepath.Join(dir, "Caddyfile")
	err := os.WriteFile(config, fmt.Appendf(nil, `{
	admin %s
	auto_https off
	ai {
		provider openai {
			base_url %s/v1
			api_key {env.UPSTREAM_KEY}
		}
		price openai/* input 1 output 1
	}
}
http://%s {
	ai_health
	ai_gateway
}
`, admin, up.URL, addr), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	start := func() *exec.Cmd {
		cmd := runBinary(t, binary, config, addr, "UPSTREAM_KEY=sk-upstream", "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
		running.Store(cmd)
		return cmd
	}
	defer http.DefaultClient.CloseIdleConnections()
	const kills = 5
	for n := range kills {
		cmd := start()
		res, err := http.Post("http://"+addr+"/v1/chat/completions", "application/json", strings.NewReader(strings.Replace(hi, `"m"`, fmt.Sprintf(`"openai/model-%d"`, n), 1)))
		if err == nil {
			res.Body.Close()
			t.Fatalf("it answered %d and was not killed", res.StatusCode)
		}
		_ = cmd.Wait()
	}
	start()
	var got usage
	eventually(t, "a row for each", func() bool {
		res, err := http.Get("http://" + admin + "/ai/usage?by=model&since=1h")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		got = usage{}
		if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		return len(got.Data) == kills
	})
	for _, row := range got.Data {
		if row.Requests != 1 || row.Input == 0 || row.Cost == 0 {
			t.Errorf("%s: %+v; its prompt was sent", row.Model, row)
		}
	}
}
