package upstream

import (
	"os"
	"testing"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) {
	// No test may notice what the environment says of proxies.
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		_ = os.Setenv(name, "http://127.0.0.1:1")
	}
	leaktest.Main(m, "certmagic", "caddy/v2")
}
