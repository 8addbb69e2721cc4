package anthropic

import (
	"net/http"
	"testing"

	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/wire"
)

func TestMain(m *testing.M) { leaktest.Main(m, "certmagic", "caddy/v2") }

// TestVendor holds what Anthropic's API demands of every call.
func TestVendor(t *testing.T) {
	header := make(http.Header)
	vendor.Authorize(header, secret.New("k"))
	if got := header.Get("X-Api-Key"); got != "k" || header.Get("Authorization") != "" {
		t.Errorf("authorization %v", header)
	}
	if got := vendor.Defaults["Anthropic-Version"]; got == "" {
		t.Error("no version is sent by default")
	}
	speaks := false
	for _, op := range vendor.Operations {
		speaks = speaks || op == wire.Messages
		if op.Dialect != wire.Anthropic && op != wire.ListModels {
			t.Errorf("%s is not of Anthropic's dialect", op.Name)
		}
	}
	if !speaks || vendor.Suffix != "/v1" {
		t.Errorf("messages %v, suffix %s", speaks, vendor.Suffix)
	}
}
