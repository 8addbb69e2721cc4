package responses_test

import (
	"encoding/json"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/wire"
)

// sameRequest leaves out the echo, which is the client's own bytes, and the
// order of members that have no place in the model.
var sameRequest = cmp.Options{
	cmpopts.IgnoreFields(wire.Request{}, "Echo"),
	cmpopts.SortSlices(func(a, b wire.Extra) bool { return a.Name+a.Raw < b.Name+b.Raw }),
}

func TestRecordedRequestsKeepTheirMeaning(t *testing.T) {
	n := 0
	for _, f := range fixtures(t) {
		if f.request == nil {
			continue
		}
		n++
		t.Run(f.name, func(t *testing.T) {
			first := decodeRequest(t, string(f.request))
			body, loss := encodeRequest(t, first)
			if len(loss.Fields()) > 0 {
				t.Errorf("lost %v", loss.Fields())
			}
			if diff := cmp.Diff(first, decodeRequest(t, body), sameRequest); diff != "" {
				t.Errorf("%s\n%s", diff, body)
			}
			if again, _ := encodeRequest(t, first); again != body {
				t.Error("another body for the same request")
			}
		})
	}
	if n < 40 {
		t.Errorf("%d requests", n)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, fx := range fixtures(f) {
		if fx.request != nil {
			f.Add(fx.request)
		}
	}
	for _, tt := range requestTable {
		f.Add([]byte(tt.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			return // an envelope has refused it
		}
		first, err := codec.DecodeRequest(body)
		if err != nil {
			failureOf(t, err)
			return
		}
		loss := wire.NewLoss(first)
		encoded, err := codec.EncodeRequest(nil, first, loss)
		if err != nil || !utf8.Valid(body) || slices.Contains(loss.Fields(), "reasoning") {
			return // another vendor's signatures do not go to this one
		}
		second, err := codec.DecodeRequest(encoded)
		if err != nil {
			t.Fatalf("%v in %s", err, encoded)
		}
		if diff := cmp.Diff(first, second, sameRequest); diff != "" {
			t.Errorf("%s\n%s", diff, encoded)
		}
	})
}
