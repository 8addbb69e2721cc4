package weir

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPlacesBehindValue holds that places travel with the value and are no part of
// it, and that what else is behind a value is left alone.
func TestPlacesBehindValue(t *testing.T) {
	value := json.RawMessage(`{"a":1}`)
	p := wordPlaces{"chat": {"x/y": "Caddyfile:3"}}
	carried, err := p.carry(value)
	if err != nil || string(carried) != string(value) {
		t.Fatalf("%s %v", carried, err)
	}
	if diff := cmp.Diff(p, placesOf(carried)); diff != "" {
		t.Error(diff)
	}
	for name, other := range map[string]json.RawMessage{
		"nothing":       value[:len(value):len(value)],
		"something":     append(value, "what else there is, of some length"...)[:len(value)],
		"a mark":        append(append(json.RawMessage(nil), value...), placesMark...)[:len(value)],
		"a cut mark":    carried[: len(carried) : len(carried)+len(placesMark)+2],
		"a cut text":    carried[: len(carried) : len(carried)+len(placesMark)+9],
		"a nil message": nil,
	} {
		if got := placesOf(other); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}
