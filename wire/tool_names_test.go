package wire_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
	"github.com/weirproxy/weir/wire/bedrock"
	"github.com/weirproxy/weir/wire/cohere"
	"github.com/weirproxy/weir/wire/gemini"
	"github.com/weirproxy/weir/wire/openai"
	"github.com/weirproxy/weir/wire/responses"
)

// toolCodecs are those of upstreams that take tools.
var toolCodecs = map[string]wire.Codec{
	"openai": openai.Codec{}, "responses": responses.Codec{}, "anthropic": anthropic.Codec{},
	"gemini": gemini.Codec{}, "bedrock": bedrock.Codec{}, "cohere": cohere.Codec{},
}

const longTool = "mcp__a-server-with-a-long-name__a_tool_whose_name_is_long_as_well_so_long"

// TestAllowsTool: every dialect knows the names that its vendor takes.
func TestAllowsTool(t *testing.T) {
	all := []string{"anthropic", "bedrock", "cohere", "gemini", "openai", "responses"}
	for name, want := range map[string][]string{
		"get_weather2":           all,
		"_w":                     all,
		"get-weather":            {"anthropic", "bedrock", "gemini", "openai", "responses"},
		"2get":                   {"anthropic", "bedrock", "openai", "responses"},
		"-get":                   {"anthropic", "bedrock", "openai", "responses"},
		"a.b":                    {"gemini"},
		"a:b":                    {"gemini"},
		".a":                     nil,
		"a b":                    nil,
		"a/b":                    nil,
		"wetter_für":             nil,
		"a[b":                    nil,
		"a@b`{":                  nil,
		strings.Repeat("a", 64):  all,
		strings.Repeat("a", 65):  {"anthropic", "cohere"},
		strings.Repeat("a", 128): {"anthropic", "cohere"},
		strings.Repeat("a", 129): {"cohere"},
	} {
		var got []string
		for vendor, codec := range toolCodecs {
			if codec.AllowsTool(name) {
				got = append(got, vendor)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func renamed(t *testing.T, codec wire.Codec, names ...string) []string {
	t.Helper()
	req := &wire.Request{}
	for _, name := range names {
		req.Tools = append(req.Tools, wire.Tool{Name: name})
	}
	var got []string
	for _, tool := range wire.NameTools(req, codec).Request(req).Tools {
		if !codec.AllowsTool(tool.Name) {
			t.Errorf("%s stands in for a tool", tool.Name)
		}
		if slices.Contains(got, tool.Name) {
			t.Errorf("two tools are %s", tool.Name)
		}
		got = append(got, tool.Name)
	}
	return got
}

// TestStandIns: a name that no vendor takes becomes one that all take, always the
// same, and another for every tool.
func TestStandIns(t *testing.T) {
	for name, want := range map[string]string{
		"files.read":                   "files_read_601e4eb6",
		"files/read":                   "files_read_2b733164",
		"1.st":                         "_1_st_f48bf967",
		"a.1":                          "a_1_4a5f06ec",
		"-.-":                          "____c3ba3324",
		"天気.now":                       "___now_2d863f0f",
		longTool + ".x":                "mcp__a_server_with_a_long_name__a_tool_whose_name_is_lo_018beaa1",
		strings.Repeat("9", 63) + ".0": "_999999999999999999999999999999999999999999999999999999_d56ac086",
	} {
		for vendor, codec := range toolCodecs {
			if codec.AllowsTool(name) {
				continue
			}
			if got := renamed(t, codec, "plain", name, "other"); got[0] != "plain" || got[1] != want || got[2] != "other" {
				t.Errorf("%s: %q", vendor, got)
			}
			if got := renamed(t, codec, "x.y", name, name+"x."); got[1] != want {
				t.Errorf("%s: among others %q", vendor, got)
			}
		}
	}
}

// TestStandInIsTaken: a tool whose own name is what would stand in for another
// keeps it, wherever in the request it is named.
func TestStandInIsTaken(t *testing.T) {
	codec := openai.Codec{}
	first := renamed(t, codec, "a.b")[0]
	got := renamed(t, codec, "a.b", first)
	if got[1] != first {
		t.Errorf("names %q", got)
	}
	if third := renamed(t, codec, first, got[0], "a.b"); third[0] != first || third[1] != got[0] {
		t.Errorf("names %q", third)
	}
	call := wire.Message{Role: wire.RoleAssistant, Blocks: []wire.Block{{Type: wire.CallBlock, Call: &wire.Call{ID: "1", Name: first}}}}
	for where, req := range map[string]*wire.Request{
		"history": {Tools: []wire.Tool{{Name: "a.b"}}, Messages: []wire.Message{call}},
		"choice":  {Tools: []wire.Tool{{Name: "a.b"}}, ToolChoice: wire.ToolChoice{Mode: "named", Name: first}},
		"allowed": {Tools: []wire.Tool{{Name: "a.b"}}, ToolChoice: wire.ToolChoice{Mode: "auto", Allowed: []string{first}}},
	} {
		if name := wire.NameTools(req, codec).Request(req).Tools[0].Name; name == first || !codec.AllowsTool(name) {
			t.Errorf("%s: %s", where, name)
		}
	}
}

// TestToolNames renames everywhere on the way out, nothing in the request that is
// kept, and gives the client its own names back.
func TestToolNames(t *testing.T) {
	build := func(name, choice, result string, allowed ...string) *wire.Request {
		return &wire.Request{
			Tools:      []wire.Tool{{Name: "plain"}, {Name: name, Description: "d"}, {Name: "x.y", Raw: "{}"}},
			ToolChoice: wire.ToolChoice{Mode: "named", Name: choice, Allowed: allowed},
			Messages: []wire.Message{
				{Blocks: []wire.Block{{Text: "files.read"}}},
				{Role: wire.RoleAssistant, Blocks: []wire.Block{{Text: "hm"}, {Type: wire.CallBlock, Call: &wire.Call{ID: "1", Name: name, Arguments: "{}"}}, {Type: wire.CallBlock, Call: &wire.Call{ID: "2", Name: "plain"}}, {Type: wire.CallBlock, Call: &wire.Call{ID: "3"}}}},
				{Blocks: []wire.Block{{Type: wire.ResultBlock, Result: &wire.Result{CallID: "1", Name: name}}, {Type: wire.ResultBlock, Result: &wire.Result{CallID: "2", Name: result}}, {Type: wire.ResultBlock, Result: &wire.Result{CallID: "9"}}}},
			},
		}
	}
	const own, sent = "files.read", "files_read_601e4eb6"
	req := build(own, own, "plain", "plain", own)
	names := wire.NameTools(req, anthropic.Codec{})
	if diff := cmp.Diff(build(sent, sent, "plain", "plain", sent), names.Request(req)); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(build(own, own, "plain", "plain", own), req); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if got := names.Request(&wire.Request{ToolChoice: wire.ToolChoice{Allowed: []string{}}}); got.ToolChoice.Allowed == nil {
		t.Error("a choice of none allows all")
	}

	calls := func(names ...string) *wire.Response {
		res := &wire.Response{Choices: []wire.Choice{{Blocks: []wire.Block{{Text: sent}}}, {}}}
		for _, name := range names {
			res.Choices[1].Blocks = append(res.Choices[1].Blocks, wire.Block{Type: wire.CallBlock, Call: &wire.Call{Name: name}})
		}
		return res
	}
	res := calls("plain", sent, "unknown")
	names.Response(res)
	if diff := cmp.Diff(calls("plain", own, "unknown"), res); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}

	for _, tt := range []struct {
		ev   wire.Event
		want string
	}{
		{wire.Event{Kind: wire.EventBlock, Block: wire.CallBlock, Index: 3, ID: "c", Name: sent}, own},
		{wire.Event{Kind: wire.EventBlock, Block: wire.CallBlock, Name: "plain"}, "plain"},
		{wire.Event{Kind: wire.EventBlock, Block: wire.CallBlock, Name: "unknown"}, "unknown"},
	} {
		given := tt.ev
		got := *names.Event(&given)
		if diff := cmp.Diff(tt.ev, given); diff != "" {
			t.Errorf("the decoder's event (-want +got):\n%s", diff)
		}
		if tt.ev.Name = tt.want; !cmp.Equal(tt.ev, got) {
			t.Errorf("event %+v, want %+v", got, tt.ev)
		}
	}

	loss := wire.NewLoss(req)
	for _, field := range []string{"seed", "tools[" + sent + "].strict", "tools[plain]", "tools[" + sent + "]", "tools[]"} {
		loss.Drop(field)
	}
	names.Loss(loss)
	if got := loss.String(); got != "seed, tools[files.read].strict, tools[plain], tools[files.read], tools[]" {
		t.Errorf("loss %s", got)
	}
}

// TestNamesThatAreAllowed cost nothing.
func TestNamesThatAreAllowed(t *testing.T) {
	req := &wire.Request{
		Tools:      []wire.Tool{{Name: "a"}, {Name: "x.y", Raw: "{}"}},
		ToolChoice: wire.ToolChoice{Mode: "named", Name: "a", Allowed: []string{"a"}},
		Messages: []wire.Message{
			{Role: wire.RoleAssistant, Blocks: []wire.Block{{Type: wire.CallBlock, Call: &wire.Call{Name: "a"}}, {Type: wire.CallBlock, Call: &wire.Call{}}}},
			{Blocks: []wire.Block{{Type: wire.ResultBlock, Result: &wire.Result{Name: "a"}}}},
		},
	}
	res := &wire.Response{Choices: []wire.Choice{{Blocks: req.Messages[0].Blocks}}}
	ev := &wire.Event{Kind: wire.EventBlock, Block: wire.CallBlock, Name: "a"}
	loss := wire.NewLoss(req)
	for vendor, codec := range toolCodecs {
		if n := testing.AllocsPerRun(100, func() {
			names := wire.NameTools(req, codec)
			if names.Request(req) != req || names.Event(ev) != ev {
				t.Error("something is renamed")
			}
			names.Response(res)
			names.Loss(loss)
		}); n != 0 {
			t.Errorf("%s: %v allocations", vendor, n)
		}
	}
}
