package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

// FuzzApply checks that an edited body says what the client's did but for the
// edits, and that it says the same to the standard decoder.
func FuzzApply(f *testing.F) {
	for _, body := range []string{
		`{"model":"m",` + hello + `}`,
		`{ "stream" : true , "model":"m", "stream_options":{"x":1}, "max_tokens":null,` + hello + ` }`,
		`{"stream":true,"stream_options":null,"model":"caf\u00e9",` + hello + `,"n":1e2}`,
		`{"stream":true,"stream_options":{"include_usage":false},"model":"m",` + hello + `,"max_completion_tokens":5}`,
		`{"Model":"x","model":"m"}`,
		`{}`,
	} {
		f.Add([]byte(body), "other", int64(9))
	}
	f.Fuzz(func(t *testing.T, body []byte, model string, limit int64) {
		var e wire.Envelope
		if e.Decode(wire.Chat, body) != nil {
			return
		}
		var want, got map[string]any
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("the standard decoder refuses what was accepted: %v", err)
		}
		if want["model"] != e.Model {
			t.Fatalf("model %q, the standard decoder reads %q", e.Model, want["model"])
		}
		edited := joined(e.Apply(nil, wire.Rewrite{Model: model, AskUsage: true, CapParam: "max_tokens", Cap: limit}))
		if err := json.Unmarshal([]byte(edited), &got); err != nil {
			t.Fatalf("the edited body is not valid: %v: %q", err, edited)
		}
		if model != "" {
			spelled, _ := json.Marshal(model)
			var m any
			_ = json.Unmarshal(spelled, &m)
			want["model"] = m
		}
		if e.Stream {
			options, _ := want["stream_options"].(map[string]any)
			if options == nil {
				options = map[string]any{}
			}
			options["include_usage"] = true
			want["stream_options"] = options
		}
		if e.CapParam == "" {
			want["max_tokens"] = float64(limit)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("edited %q to %q:\n%s", body, edited, diff)
		}
	})
}
