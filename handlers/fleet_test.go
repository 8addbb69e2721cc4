package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// TestFailureOfANewerInstance reads a failure whose kind only another version knows.
func TestFailureOfANewerInstance(t *testing.T) {
	for number, want := range map[string]wire.Kind{
		"8": wire.KindRateLimit, "15": wire.KindConflict, "16": wire.KindUpstream, "255": wire.KindUpstream, "256": wire.KindUpstream, "70000": wire.KindUpstream,
	} {
		a := &abroad{next: func() ([]byte, error, bool) {
			return fmt.Appendf(nil, `%c{"k":%s,"p":"answer","m":"it broke","t":false}`, recordFailed, number), nil, true
		}}
		_, _, err := a.record()
		var e *gateway.Error
		if !errors.As(err, &e) || e.Kind != want || e.Message != "it broke" {
			t.Errorf("%s: %v, want %s", number, err, want)
			continue
		}
		if want == wire.KindUpstream && e.Kind.Status(wire.OpenAI) != http.StatusBadGateway {
			t.Errorf("%s: status %d", number, e.Kind.Status(wire.OpenAI))
		}
	}
	a := &abroad{next: func() ([]byte, error, bool) { return []byte(`f{"k":"what","m":"it broke"}`), nil, true }}
	if _, _, err := a.record(); !errors.Is(err, errFleetLost) {
		t.Errorf("a kind that is no number: %v", err)
	}
}
