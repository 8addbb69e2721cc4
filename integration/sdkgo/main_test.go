package sdkgo

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	anthropic "github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) {
	weirtest.Quiet()
	leaktest.Main(m,
		// Goroutines that Caddy keeps for the life of the process.
		"github.com/caddyserver/certmagic",
		"caddy/v2.(*UsagePool)",
		"caddy/v2/modules/caddytls",
		"caddy/v2.trapSignals",
		"caddy/v2.listenReusable",
		"go.uber.org/zap",
		"lumberjack",
		"quic-go",
	)
}

// simulated runs a gateway whose only provider is the simulator.
func simulated(t *testing.T) *weirtest.Gateway {
	t.Helper()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return weirtest.Start(t, "provider sim simulator\nmodel chat sim/default\nmodel claude sim/default", "ai_gateway")
}

// scripted is a gateway in front of an upstream that answers as a test says.
type scripted struct {
	*weirtest.Gateway
	up     *weirtest.Upstream
	answer atomic.Pointer[func(http.ResponseWriter, *weirtest.Request)]
}

// script starts a gateway whose model `m` is one of provider.
func script(t *testing.T, provider string) *scripted {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	s := &scripted{}
	s.up = weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) { (*s.answer.Load())(w, r) })
	s.Gateway = weirtest.Start(t, fmt.Sprintf("provider up %s {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel m up/some-model", provider, s.up.URL), "ai_gateway")
	return s
}

func (s *scripted) answers(f func(http.ResponseWriter, *weirtest.Request)) { s.answer.Store(&f) }

// calls counts what the upstream is asked while f runs.
func (s *scripted) calls(f func()) int {
	before := len(s.up.Requests())
	f()
	return len(s.up.Requests()) - before
}

func openAI(g *weirtest.Gateway, retries int) openai.Client {
	return openai.NewClient(
		openaioption.WithBaseURL(g.URL+"/v1"),
		openaioption.WithAPIKey("sk-client"),
		openaioption.WithMaxRetries(retries),
		openaioption.WithHTTPClient(http.DefaultClient),
	)
}

func anthropicClient(g *weirtest.Gateway, retries int) anthropic.Client {
	return anthropic.NewClient(
		anthropicoption.WithBaseURL(g.URL),
		anthropicoption.WithAPIKey("sk-client"),
		anthropicoption.WithMaxRetries(retries),
		anthropicoption.WithHTTPClient(http.DefaultClient),
	)
}
