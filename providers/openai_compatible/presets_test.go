package openaicompatible

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/internal/leaktest"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/wire"
)

func TestMain(m *testing.M) { leaktest.Main(m, "certmagic", "caddy/v2") }

// TestPresets holds what every preset must have: an address that is private
// to the machine or encrypted, a key by reference where the vendor wants one.
func TestPresets(t *testing.T) {
	for name, vendor := range presets {
		info, err := caddy.GetModule("ai.providers." + name)
		if err != nil {
			t.Errorf("%s is not registered: %v", name, err)
			continue
		}
		made, ok := info.New().(*Provider)
		if !ok || made.CaddyModule().ID != info.ID || made == info.New() {
			t.Errorf("%s: the module makes %v", name, made)
		}
		var local bool
		if name != generic {
			u, err := url.Parse(vendor.BaseURL)
			if err != nil || u.Host == "" || strings.HasSuffix(u.Path, "/") {
				t.Errorf("%s: base URL %s", name, vendor.BaseURL)
				continue
			}
			local = u.Hostname() == "127.0.0.1"
			if !local && u.Scheme != "https" {
				t.Errorf("%s: %s is neither local nor encrypted", name, vendor.BaseURL)
			}
			if local != (vendor.KeyPlaceholder == "") {
				t.Errorf("%s: key %q", name, vendor.KeyPlaceholder)
			}
		}
		if vendor.KeyPlaceholder != "" {
			if err := secret.CheckReference(vendor.KeyPlaceholder); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if vendor.Traits.CapParam == "" || vendor.Authorize == nil {
			t.Errorf("%s: no cap or no authorization", name)
		}
		if !speaks(vendor.Operations, wire.Chat) || speaks(vendor.Operations, wire.Tokenize) {
			t.Errorf("%s: operations %v", name, vendor.Operations)
		}
		header := make(http.Header)
		vendor.Authorize(header, secret.New("k"))
		if got := header.Get("Authorization"); got != "Bearer k" {
			t.Errorf("%s: authorization %q", name, got)
		}
	}
}

func speaks(ops []*wire.Operation, op *wire.Operation) bool {
	for _, o := range ops {
		if o == op {
			return true
		}
	}
	return false
}
