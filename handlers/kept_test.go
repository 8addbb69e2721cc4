package handlers

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
)

// TestSpread holds that a stream is replayed event by event over the time that it
// took, and ends with the wait or the client.
func TestSpread(t *testing.T) {
	events := []string{"data: 1\n\n", "event: x\ndata: 2\n\n", "data: 3\n\n", "data: 4\n\n"}
	gone := errors.New("gone")
	for _, tc := range []struct {
		name              string
		events            []string
		waits, shows      int // what fails: this wait, or this event; 0 for none
		wantShown, waited int
		err               error
	}{
		{"all", events, 0, 0, 4, 3, nil},
		{"one", events[:1], 0, 0, 1, 0, nil},
		{"none", nil, 0, 0, 0, 0, nil},
		{"nobody waits any more", events, 2, 0, 2, 2, gone},
		{"the client leaves", events, 0, 3, 3, 2, gone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var shown []string
			waited, total := 0, time.Duration(0)
			err := spread([]byte(strings.Join(tc.events, "")), time.Minute, func(d time.Duration) error {
				if waited++; waited == tc.waits {
					return gone
				}
				total += d
				return nil
			}, func(event []byte) error {
				if shown = append(shown, string(event)); len(shown) == tc.shows {
					return gone
				}
				return nil
			})
			if !errors.Is(err, tc.err) || waited != tc.waited {
				t.Errorf("%v after %d waits", err, waited)
			}
			if diff := cmp.Diff(tc.events[:tc.wantShown], shown); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if n := len(tc.events); tc.err == nil && n > 0 && total != time.Minute/time.Duration(n)*time.Duration(n-1) {
				t.Errorf("it took %s", total)
			}
		})
	}
}

// TestRecalledTarget holds that a record, which is kept for a while, does not keep the
// answer that it is about.
func TestRecalledTarget(t *testing.T) {
	for _, model := range []string{"model", "another"} {
		own := &gateway.Route{Target: gateway.Target{Provider: "provider", Model: "model"}}
		kept := []byte("provider" + model)
		at := func(from, to int) string { return unsafe.String(&kept[from], to-from) }
		r := &recalled{call: &call{target: own}}
		r.hit.Provider, r.hit.Model = at(0, 8), at(8, len(kept))
		got := r.target()
		clear(kept)
		if want := (gateway.Target{Provider: "provider", Model: model}); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
