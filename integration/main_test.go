package integration

import (
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) {
	weirtest.Quiet()
	leaktest.Main(m, leaks...)
}

// leaks are goroutines that Caddy keeps for the life of the process.
var leaks = []string{
	"github.com/caddyserver/certmagic",
	"caddy/v2.(*UsagePool)",
	"caddy/v2/modules/caddytls",
	"caddy/v2.trapSignals",
	"caddy/v2.listenReusable",
	"go.uber.org/zap",
	"lumberjack",
	"caddy/v2.replaceLocalAdminServer", // outlives caddy.Stop, by design
	"timberjack",                       // Caddy does not close the log files of a configuration that is gone
	"quic-go",
}
