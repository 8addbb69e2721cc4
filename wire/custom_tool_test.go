package wire_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

// eventLog writes what an encoder is given.
type eventLog struct{}

func (eventLog) Encode(dst []byte, ev *wire.Event) []byte {
	switch ev.Kind {
	case wire.EventBlock:
		dst = append(dst, "open "+ev.Name...)
		if ev.Custom {
			dst = append(dst, " custom"...)
		}
	case wire.EventDelta:
		dst = append(append(dst, "delta "...), ev.Text...)
	case wire.EventBlockEnd:
		dst = append(dst, "close"...)
	}
	return append(dst, '\n')
}

func TestCustomCalls(t *testing.T) {
	req := &wire.Request{Tools: []wire.Tool{{Name: "patch", Custom: true}, {Name: "f"}}}
	open := func(choice int, name string) wire.Event {
		return wire.Event{Kind: wire.EventBlock, Block: wire.CallBlock, Choice: choice, Name: name}
	}
	delta := func(choice int, text string) wire.Event {
		return wire.Event{Kind: wire.EventDelta, Choice: choice, Text: []byte(text)}
	}
	end := func(choice int) wire.Event { return wire.Event{Kind: wire.EventBlockEnd, Choice: choice} }
	for _, tt := range []struct {
		name   string
		events []wire.Event
		want   string
	}{
		{"a custom call", []wire.Event{open(0, "patch"), delta(0, `{"inp`), delta(0, `ut":"a\nb"}`), end(0)}, "open patch custom|delta a\nb|close|"},
		{"another call", []wire.Event{open(0, "f"), delta(0, `{"input":"a"}`), end(0)}, `open f|delta {"input":"a"}|close|`},
		{"another shape", []wire.Event{open(0, "patch"), delta(0, `*** Begin`), end(0)}, "open patch custom|delta *** Begin|close|"},
		{"no arguments", []wire.Event{open(0, "patch"), end(0)}, "open patch custom|close|"},
		{"two choices", []wire.Event{open(0, "patch"), open(1, "patch"), delta(0, `{"input":"a"}`), delta(1, `{"input":"b"}`), end(1), end(0)}, "open patch custom|open patch custom|delta b|close|delta a|close|"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enc := wire.CustomCalls(req, eventLog{})
			var got strings.Builder
			for i := range tt.events {
				if out := enc.Encode(nil, &tt.events[i]); len(out) > 0 {
					got.WriteString(strings.ReplaceAll(strings.TrimSuffix(string(out), "\n"), "\nclose", "|close") + "|")
				}
			}
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if enc := wire.CustomCalls(&wire.Request{}, eventLog{}); enc != (eventLog{}) {
		t.Error("wrapped for nothing")
	}
}

func TestUnwrapCustom(t *testing.T) {
	req := &wire.Request{Tools: []wire.Tool{{Name: "patch", Custom: true}}}
	res := &wire.Response{Choices: []wire.Choice{{Blocks: []wire.Block{
		{Text: "a"},
		{Type: wire.CallBlock, Call: &wire.Call{Name: "patch", Arguments: wire.WrapCustom("x\"\n")}},
		{Type: wire.CallBlock, Call: &wire.Call{Name: "f", Arguments: `{"input":"a"}`}},
	}}}}
	wire.UnwrapCustom(req, res)
	want := []wire.Call{{Name: "patch", Arguments: "x\"\n", Custom: true}, {Name: "f", Arguments: `{"input":"a"}`}}
	if diff := cmp.Diff(want, []wire.Call{*res.Choices[0].Blocks[1].Call, *res.Choices[0].Blocks[2].Call}); diff != "" {
		t.Error(diff)
	}
}

func TestArgumentsObject(t *testing.T) {
	for in, want := range map[string]string{
		"": "{}", " \n": "{}", "null": "{}", `{"a": 1}`: `{"a": 1}`,
		`{"a":`: `{"_raw":"{\"a\":"}`, `[1]`: `{"_raw":"[1]"}`, `"x"`: `{"_raw":"\"x\""}`,
	} {
		if got := wire.ArgumentsObject(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestSafeCallID(t *testing.T) {
	long := strings.Repeat("x", 65)
	seen := make(map[string]string)
	for _, id := range []string{"call_1-A", "a.b", "a:b", "ab", "", long, long + "y", "ü"} {
		got := wire.SafeCallID(id)
		if got != wire.SafeCallID(id) || got == "" || len(got) > 64 || strings.Trim(got, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			t.Errorf("%q: %q", id, got)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q are both %q", other, id, got)
		}
		seen[got] = id
	}
	if got := wire.SafeCallID("call_1-A"); got != "call_1-A" {
		t.Error(got)
	}
}

func TestShortCallID(t *testing.T) {
	seen := map[string]string{}
	for i := range 5000 {
		id := "toolu_" + strconv.Itoa(i)
		short := wire.ShortCallID(id)
		if len(short) != 9 || strings.Trim(short, "0123456789abcdefghijklmnopqrstuvwxyz") != "" || short != wire.ShortCallID(id) || seen[short] != "" {
			t.Fatalf("%q becomes %q, as does %q", id, short, seen[short])
		}
		seen[short] = id
	}
	if got := wire.ShortCallID("D681PevKs"); got != "D681PevKs" {
		t.Errorf("%q", got)
	}
	for _, id := range []string{"", "a_b-c_d-e"} {
		if got := wire.ShortCallID(id); len(got) != 9 || got == id {
			t.Errorf("%q becomes %q", id, got)
		}
	}
}
