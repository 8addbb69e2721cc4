package wire_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

// TestTell tells answers and puts them together again.
func TestTell(t *testing.T) {
	token := func(s string) string { return `{"token":"` + s + `","logprob":-1}` }
	long := strings.Repeat("words and more words, ", 30)
	for name, res := range map[string]*wire.Response{
		"text": {ID: "x", Model: "m", Created: 5, Choices: []wire.Choice{{Blocks: []wire.Block{{Text: long}}, Finish: wire.FinishStop, Native: "stop"}}},
		"all": {
			Usage: wire.Report{Usage: wire.Usage{Input: 1, Output: 2}, Reported: true, Details: wire.Details{ServiceTier: "flex"}},
			Choices: []wire.Choice{
				{
					Finish: wire.FinishTools, Native: "tool_use", StopString: "s", Explanation: "e",
					Blocks: []wire.Block{
						{Type: wire.ThinkingBlock, Text: long, Signature: "sig", Vendor: wire.VendorAnthropic, ID: "rs"},
						{Type: wire.RedactedBlock, Signature: "red", Vendor: wire.VendorAnthropic},
						{Text: "a", Citations: []wire.Citation{{URL: "u", Start: 1, End: 2}, {Title: "t"}}, Signature: "g", Vendor: wire.VendorGemini},
						{Type: wire.RefusalBlock, Text: "no"},
						{Type: wire.CallBlock, Call: &wire.Call{ID: "c", Name: "f", Arguments: `{"a":"` + long + `"}`}, Signature: "s", Vendor: wire.VendorGemini},
						{Type: wire.CallBlock, Call: &wire.Call{Name: "g", Custom: true}},
						{Type: wire.RawBlock, Raw: `{}`, Vendor: wire.VendorOpenAI},
					},
				},
				{Index: 2, Finish: wire.FinishLength},
			},
		},
		"tokens": {Choices: []wire.Choice{{
			Finish: wire.FinishStop, Blocks: []wire.Block{{Type: wire.ThinkingBlock, Text: "hm"}, {Text: "a €"}, {Text: "b"}},
			LogProbs: `{"content":[` + token("a") + `,{"token":"x","bytes":[32,226]},{"token":"y","bytes":[130,172]},` + token("b") + `,` + token("<end>") + `],"refusal":null}`,
		}}},
		"tokens of something else": {Choices: []wire.Choice{{
			Finish: wire.FinishStop, Blocks: []wire.Block{{Text: long}, {Text: "b"}}, LogProbs: `{"content":[` + token("z") + `],"refusal":null}`,
		}}},
		"tokens of a completion": {Choices: []wire.Choice{{
			Finish: wire.FinishStop, Blocks: []wire.Block{{Text: long}}, LogProbs: `{"tokens":["a"],"text_offset":[0]}`,
		}}},
		"failed": {Failure: &wire.Failure{Message: "no"}},
	} {
		t.Run(name, func(t *testing.T) {
			var (
				c      wire.Collector
				pieces []string
				n      int
			)
			wire.Tell(res, func(ev *wire.Event) {
				c.Add(ev)
				if ev.Kind == wire.EventDelta {
					pieces = append(pieces, string(ev.Text))
				}
				if ev.Kind == wire.EventDelta && len(ev.LogProbs) > 0 {
					n++
				}
				clear(ev.Text) // nobody keeps it
				clear(ev.LogProbs)
			})
			if err := c.Err(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(res, c.Response()); diff != "" {
				t.Error(diff)
			}
			for _, p := range pieces {
				if !utf8.ValidString(p) || len(p) > 64 && !strings.HasPrefix(name, "tokens of") {
					t.Errorf("piece %q", p)
				}
			}
			if want := map[string]int{"tokens": 4, "tokens of something else": 1, "tokens of a completion": 1}[name]; n != want {
				t.Errorf("%d pieces with log probabilities, not %d", n, want)
			}
		})
	}
}

// TestCallIsSignedFirst holds what encoders need that write an item for it.
func TestCallIsSignedFirst(t *testing.T) {
	var kinds []wire.EventKind
	wire.Tell(&wire.Response{Choices: []wire.Choice{{Finish: wire.FinishTools, Blocks: []wire.Block{
		{Type: wire.CallBlock, Call: &wire.Call{Name: "f", Arguments: "{}"}, Signature: "s", Vendor: wire.VendorGemini},
	}}}}, func(ev *wire.Event) { kinds = append(kinds, ev.Kind) })
	want := []wire.EventKind{wire.EventStart, wire.EventBlock, wire.EventSignature, wire.EventDelta, wire.EventBlockEnd, wire.EventFinish, wire.EventEnd}
	if !slices.Equal(kinds, want) {
		t.Errorf("%v", kinds)
	}
}

// TestCollectorChecks breaks the rules of Event, one by one.
func TestCollectorChecks(t *testing.T) {
	start, end := wire.Event{Kind: wire.EventStart}, wire.Event{Kind: wire.EventEnd}
	block, shut := wire.Event{Kind: wire.EventBlock}, wire.Event{Kind: wire.EventBlockEnd}
	finish := wire.Event{Kind: wire.EventFinish, Finish: wire.FinishStop}
	delta := wire.Event{Kind: wire.EventDelta, Text: []byte("x")}
	second := wire.Event{Kind: wire.EventBlock, Index: 1}
	for name, tt := range map[string]struct {
		events []wire.Event
		cut    bool
		ok     bool
	}{
		"good":                  {events: []wire.Event{start, block, delta, shut, finish, end}, ok: true},
		"failed":                {events: []wire.Event{start, {Kind: wire.EventFail, Failure: &wire.Failure{}}}, ok: true},
		"cut":                   {events: []wire.Event{start, block, delta, shut, finish}, cut: true},
		"nothing":               {cut: true},
		"no start":              {events: []wire.Event{block}},
		"two starts":            {events: []wire.Event{start, start}},
		"a delta without block": {events: []wire.Event{start, delta}},
		"two open blocks":       {events: []wire.Event{start, block, second}},
		"a number left out":     {events: []wire.Event{start, second}},
		"finish in a block":     {events: []wire.Event{start, block, finish}},
		"no reason":             {events: []wire.Event{start, {Kind: wire.EventFinish}}},
		"after the finish":      {events: []wire.Event{start, finish, block}},
		"the end in a block":    {events: []wire.Event{start, block, end}},
		"after the end":         {events: []wire.Event{start, end, block}},
	} {
		var c wire.Collector
		for i := range tt.events {
			c.Add(&tt.events[i])
		}
		switch err := c.Err(); {
		case tt.ok != (err == nil), tt.cut != errors.Is(err, io.ErrUnexpectedEOF):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCollectorJoinsLogProbs of the pieces of a stream, in the two forms there
// are.
func TestCollectorJoinsLogProbs(t *testing.T) {
	for _, tt := range []struct{ a, b, want string }{
		{`{"content":[{"token":"a"}],"refusal":null}`, `{"content":[ {"token":"b"} ],"refusal":null}`, `{"content":[{"token":"a"},{"token":"b"}],"refusal":null}`},
		{`{"content":[],"refusal":null}`, `{"content":[1],"refusal":[2]}`, `{"content":[1],"refusal":[2]}`},
		{`{"tokens":["a"],"text_offset":[0]}`, `{"tokens":["b","c"],"text_offset":[1,2]}`, `{"tokens":["a","b","c"],"text_offset":[0,1,2]}`},
		{`{"content":[1]}`, ``, `{"content":[1]}`},
	} {
		var c wire.Collector
		for _, ev := range []wire.Event{{Kind: wire.EventStart}, {Kind: wire.EventBlock}, {Kind: wire.EventDelta, LogProbs: []byte(tt.a)}, {Kind: wire.EventDelta, LogProbs: []byte(tt.b)}} {
			c.Add(&ev)
		}
		if got := c.Response().Choices[0].LogProbs; got != tt.want {
			t.Errorf("%s\nnot\n%s", got, tt.want)
		}
	}
}

// TestPieces cuts a text without spaces between characters.
func TestPieces(t *testing.T) {
	for piece := range wire.Pieces("x" + strings.Repeat("€", 100)) {
		if !utf8.ValidString(piece) {
			t.Errorf("piece %q", piece)
		}
	}
}

func FuzzPieces(f *testing.F) {
	f.Add("héllo wörld 👩‍👩‍👧 and so on, and on, and on, and on, and on, and on and on")
	f.Add(strings.Repeat("\x80", 300))
	f.Fuzz(func(t *testing.T, text string) {
		var all bytes.Buffer
		for p := range wire.Pieces(text) {
			if p == "" || len(p) > 64 || utf8.ValidString(text) && !utf8.ValidString(p) {
				t.Errorf("piece %q", p)
			}
			all.WriteString(p)
		}
		if all.String() != text {
			t.Errorf("%q", all.String())
		}
	})
}
