package openai

import (
	"testing"

	"github.com/weirproxy/weir/wire"
)

// TestSignedID holds that an id carries Gemini's signature and gives it back.
func TestSignedID(t *testing.T) {
	for _, signature := range []string{"c2lnbmVk", "a+/=", ""} {
		id, got := openID(signedID("call_1", wire.VendorGemini, signature))
		if id != "call_1" || got != signature {
			t.Errorf("%q: %q, %q", signature, id, got)
		}
	}
	if id := signedID("call_1", wire.VendorAnthropic, "c2ln"); id != "call_1" {
		t.Errorf("another vendor's: %q", id)
	}
	held := signedID("call_1", wire.VendorGemini, "c2ln")
	if again := signedID(held, wire.VendorGemini, "c2ln"); again != held {
		t.Errorf("twice: %q", again)
	}
}
