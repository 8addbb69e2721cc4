package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
	codecs "github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/wiretest"
)

// Names of tools that some vendors refuse.
const (
	longTool   = "mcp__a-server-with-a-long-name__a_tool_whose_name_is_as_long_as_Claude_Code_allows"
	dottedTool = "files.read"
	numberTool = "2nd_opinion"
)

// turn is a client's second question: it has called the tool name before.
func turn(name string, streamed bool) *wire.Request {
	text := func(s string) wire.Message { return wire.Message{Blocks: []wire.Block{{Text: s}}} }
	const schema = `{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}`
	return &wire.Request{
		Model: "m", Stream: streamed, MaxTokens: 100,
		Tools: []wire.Tool{
			{Name: "plain", Description: "p", Schema: schema, Strict: wire.No},
			{Name: name, Description: "n", Schema: schema, Strict: wire.No},
			{Name: "other.tool", Description: "o", Schema: schema, Strict: wire.No},
		},
		Messages: []wire.Message{
			text("hi"),
			{Role: wire.RoleAssistant, Blocks: []wire.Block{
				{Type: wire.CallBlock, Call: &wire.Call{ID: "call_1", Name: name, Arguments: `{"a":1}`}},
				{Type: wire.CallBlock, Call: &wire.Call{ID: "call_2", Name: "plain", Arguments: `{"a":2}`}},
			}},
			{Blocks: []wire.Block{
				{Type: wire.ResultBlock, Result: &wire.Result{CallID: "call_1", Name: name, Content: []wire.Block{{Text: "one"}}}},
				{Type: wire.ResultBlock, Result: &wire.Result{CallID: "call_2", Name: "plain", Content: []wire.Block{{Text: "two"}}}},
				{Text: "go on"},
			}},
		},
	}
}

// tell is req as client says it to the model of up.
func (d *door) tell(t *testing.T, up *door, req *wire.Request) (path, body string) {
	t.Helper()
	raw, err := codecs.Codec(clientOps[d.name]).EncodeRequest(nil, req, wire.NewLoss(req))
	if err != nil {
		t.Fatal(err)
	}
	path, body = d.to(up, string(raw))
	if d.inPath() && req.Stream {
		path = strings.Replace(d.path, "/m:", "/"+up.name+"-m:", 1)
	}
	return path, body
}

// calls answers with calls of these tools.
func (d *door) calls(streamed bool, names ...string) answerer {
	codec := codecs.Codec(operationOf(d))
	reply := &wire.Reply{ID: "up1", Model: d.model, Created: 7, Request: &wire.Request{IncludeUsage: true}}
	res := &wire.Response{
		ID: "up1", Model: d.model, Created: 7, Usage: wire.Report{Reported: true, Usage: wire.Usage{Input: 9, Output: 9}},
		Choices: []wire.Choice{{Finish: wire.FinishTools}},
	}
	list := []wire.Event{{Kind: wire.EventStart, ID: res.ID, Model: d.model, Created: 7}}
	for i, name := range names {
		id := fmt.Sprintf("call_%d", 7+i)
		res.Choices[0].Blocks = append(res.Choices[0].Blocks, wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: id, Name: name, Arguments: `{"a":1}`}})
		list = append(list, wire.Event{Kind: wire.EventBlock, Index: i, Block: wire.CallBlock, ID: id, Name: name},
			wire.Event{Kind: wire.EventDelta, Index: i, Text: []byte(`{"a":1}`)}, wire.Event{Kind: wire.EventBlockEnd, Index: i})
	}
	if !streamed {
		return whole(200, string(codec.EncodeResponse(nil, res, reply)))
	}
	var out []byte
	encoder := codec.StreamEncoder(reply)
	for _, ev := range append(list, wire.Event{Kind: wire.EventFinish, Finish: wire.FinishTools}, wire.Event{Kind: wire.EventUsage, Usage: &res.Usage}, wire.Event{Kind: wire.EventEnd}) {
		out = encoder.Encode(out, &ev)
	}
	return d.plays(string(out))
}

// calledIn are the calls in an answer as client reads it.
func calledIn(t *testing.T, client *door, streamed bool, got *reply) []string {
	t.Helper()
	if got.status != 200 || got.cut {
		t.Fatalf("status %d, cut %v, body\n%s", got.status, got.cut, clip(got.body))
	}
	codec := codecs.Codec(clientOps[client.name])
	var (
		res *wire.Response
		err error
	)
	if streamed {
		res, _, err = wiretest.Collect(codec.StreamDecoder(), []byte(got.body), 0)
	} else {
		res, err = codec.DecodeResponse([]byte(got.body))
	}
	if err != nil {
		t.Fatalf("decoding: %v in\n%s", err, clip(got.body))
	}
	var names []string
	for _, b := range res.Choices[0].Blocks {
		if b.Call != nil {
			names = append(names, b.Call.Name)
		}
	}
	return names
}

// sentAs is the name under which up gets a tool.
func sentAs(up *door, name string) string {
	req := &wire.Request{Tools: []wire.Tool{{Name: name}}}
	return wire.NameTools(req, codecs.Codec(operationOf(up))).Request(req).Tools[0].Name
}

// told is what an upstream has been asked.
func (r *rig) told(t *testing.T, up *door) (*wire.Request, string) {
	t.Helper()
	calls := r.upstreamCalls()
	if len(calls) != 1 {
		t.Fatalf("%d calls of the upstream", len(calls))
	}
	return toldIn(t, up, calls[0])
}

func toldIn(t *testing.T, up *door, call *weirtest.Request) (*wire.Request, string) {
	t.Helper()
	req, err := codecs.Codec(operationOf(up)).DecodeRequest(call.Body)
	if err != nil {
		t.Fatalf("%v in %s", err, call.Body)
	}
	return req, string(call.Body)
}

// TestToolNames has clients of every dialect use tools whose names the upstream
// refuses: it gets others, the same in every place, and the client its own.
func TestToolNames(t *testing.T) {
	rig := newTranslation(t, "", "unmapped reject")
	for client, up := range pairs {
		for _, name := range []string{longTool, dottedTool, numberTool, "plain_tool"} {
			for _, streamed := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s on %s/%s/%v", client.name, up.name, name, streamed), func(t *testing.T) {
					sent := sentAs(up, name)
					rig.answers(up.calls(streamed, sent, "plain", "never_heard_of"))
					path, body := client.tell(t, up, turn(name, streamed))
					got := rig.ask(t, path, body)
					if diff := cmp.Diff([]string{name, "plain", "never_heard_of"}, calledIn(t, client, streamed, got)); diff != "" {
						t.Errorf("calls (-want +got):\n%s", diff)
					}
					if sent != name && strings.Contains(got.body, sent) {
						t.Errorf("%s in %s", sent, got.body)
					}
					asked, raw := rig.told(t, up)
					checkSent(t, up, asked, name)
					if sent != name && strings.Contains(raw, `"`+name+`"`) {
						t.Errorf("%s in %s", name, raw)
					}
					if record := rig.record(t); len(record.Dropped) > 0 {
						t.Errorf("dropped %q", record.Dropped)
					}
				})
			}
		}
	}
}

// checkSent checks the names that an upstream gets in a turn.
func checkSent(t *testing.T, up *door, asked *wire.Request, name string) {
	t.Helper()
	sent := sentAs(up, name)
	var defined, calls, results []string
	for _, tool := range asked.Tools {
		defined = append(defined, tool.Name)
	}
	for _, m := range asked.Messages {
		for _, b := range m.Blocks {
			if b.Call != nil {
				calls = append(calls, b.Call.Name)
			}
			if b.Result != nil {
				results = append(results, b.Result.Name)
			}
		}
	}
	if diff := cmp.Diff([][]string{{"plain", sent, sentAs(up, "other.tool")}, {sent, "plain"}, {sent, "plain"}}, [][]string{defined, calls, results}); diff != "" {
		t.Errorf("tools, calls, results (-want +got):\n%s", diff)
	}
	for _, n := range defined {
		if !codecs.Codec(operationOf(up)).AllowsTool(n) {
			t.Errorf("the upstream refuses %s", n)
		}
	}
}

// TestToolChoiceNames has clients choose among tools whose names the upstream
// refuses.
func TestToolChoiceNames(t *testing.T) {
	rig := newTranslation(t, "", "")
	for client, up := range pairs {
		for _, name := range []string{longTool, dottedTool, numberTool} {
			t.Run(client.name+" on "+up.name+"/"+name, func(t *testing.T) {
				sent := sentAs(up, name)
				choices := []wire.ToolChoice{{Mode: "named", Name: name}}
				if client.name != "messages" {
					choices = append(choices, wire.ToolChoice{Mode: "required", Allowed: []string{name, "plain"}})
				}
				for _, choice := range choices {
					rig.answers(up.calls(false, sent))
					req := turn(name, false)
					req.ToolChoice = choice
					path, body := client.tell(t, up, req)
					if got := calledIn(t, client, false, rig.ask(t, path, body)); !slices.Equal(got, []string{name}) {
						t.Errorf("calls %q", got)
					}
					asked, raw := rig.told(t, up)
					if strings.Contains(raw, `"`+name+`"`) != (name == sent) {
						t.Errorf("%s in %s", name, raw)
					}
					// What narrows the choice is a list, or the tools that are left.
					offered := asked.ToolChoice.Allowed
					if offered == nil {
						for _, tool := range asked.Tools {
							offered = append(offered, tool.Name)
						}
					}
					got := asked.ToolChoice
					switch {
					case choice.Mode == "named" && got.Mode == "named" && got.Name == sent:
					case choice.Mode == "named" && got.Mode == "required" && slices.Equal(offered, []string{sent}):
					case choice.Mode == "required" && got.Mode == "required" && len(offered) == 2 && slices.Contains(offered, sent) && slices.Contains(offered, "plain"):
					default:
						t.Errorf("choice %+v sent as %+v of %q", choice, got, offered)
					}
					rig.record(t)
				}
			})
		}
	}
}

// TestCustomToolNames: a tool that takes text has another name and another form
// upstream, and both are the client's in its answer.
func TestCustomToolNames(t *testing.T) {
	rig := newTranslation(t, "", "")
	client, up := doors[0], doors[2]
	for _, streamed := range []bool{false, true} {
		sent := sentAs(up, dottedTool)
		answer := whole(200, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"tool_use","id":"t1","name":"`+sent+`","input":{"input":"some text"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":21,"output_tokens":7}}`)
		if streamed {
			answer = events(named("message_start", `,"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":21,"output_tokens":1}}`) +
				named("content_block_start", `,"index":0,"content_block":{"type":"tool_use","id":"t1","name":"`+sent+`","input":{}}`) +
				named("content_block_delta", `,"index":0,"delta":{"type":"input_json_delta","partial_json":"{\"input\":\"some text\"}"}`) +
				named("content_block_stop", `,"index":0`) +
				named("message_delta", `,"delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":7}`) + up.end)
		}
		rig.answers(answer)
		path, body := client.to(up, with(client.whole, fmt.Sprintf(`"stream":%v,"tools":[{"type":"custom","custom":{"name":%q}}]`, streamed, dottedTool)))
		got := rig.ask(t, path, body)
		for _, want := range []string{`"type":"custom"`, `"name":"` + dottedTool + `"`, `"some text"`} {
			if got.status != 200 || !strings.Contains(got.body, want) {
				t.Errorf("stream %v: no %s in %s", streamed, want, got.body)
			}
		}
		rig.record(t)
	}
}

// TestToolNamesOfOne passes names in one dialect byte for byte, whatever its
// vendor thinks of them.
func TestToolNamesOfOne(t *testing.T) {
	rig := newTranslation(t, "", "")
	for _, d := range doors {
		for _, streamed := range []bool{false, true} {
			rig.answers(d.calls(streamed, "a b/c"))
			path, body := d.tell(t, d, turn("a b/c", streamed))
			if got := calledIn(t, d, streamed, rig.ask(t, path, body)); !slices.Equal(got, []string{"a b/c"}) {
				t.Errorf("%s: calls %q", d, got)
			}
			if _, raw := rig.told(t, d); strings.Count(raw, "a b/c") != strings.Count(body, "a b/c") {
				t.Errorf("%s: %s", d, raw)
			}
			rig.record(t)
		}
	}
}

// TestDroppedOfNamedTool: what a tool loses is told by the name that its client
// knows.
func TestDroppedOfNamedTool(t *testing.T) {
	rig := newTranslation(t, "", "")
	client := doors[0]
	rig.answers(whole(200, cohereDoor.answer))
	path, body := client.to(cohereDoor, with(client.whole, `"tools":[{"type":"function","function":{"name":"a.b","strict":true,"parameters":{"type":"object","properties":{},"additionalProperties":false}}}]`))
	if got := rig.ask(t, path, body); got.header.Get("X-AI-Dropped") != "tools[a.b].strict" {
		t.Errorf("status %d, dropped %q", got.status, got.header.Get("X-AI-Dropped"))
	}
	if record := rig.record(t); !slices.Equal(record.Dropped, []string{"tools[a.b].strict"}) {
		t.Errorf("record %q", record.Dropped)
	}
}

// TestKeptToolNames keeps an answer with the client's names, for clients of
// other dialects too.
func TestKeptToolNames(t *testing.T) {
	rig := newTranslation(t, "", "cache exact {\ntools on\nmax_temperature 2\n}")
	up := doors[0]
	for _, streamed := range []bool{false, true} {
		for _, name := range []string{dottedTool, numberTool} {
			t.Run(fmt.Sprintf("%s/%v", name, streamed), func(t *testing.T) {
				req := &wire.Request{
					Model: "m", Stream: streamed, MaxTokens: 100,
					Tools:    []wire.Tool{{Name: name, Description: fmt.Sprint("n", streamed), Schema: `{"type":"object"}`}},
					Messages: []wire.Message{{Blocks: []wire.Block{{Text: "hi"}}}},
				}
				rig.answers(up.calls(streamed, sentAs(up, name)))
				for i, client := range []*door{doors[2], doors[2], doors[3]} {
					path, body := client.tell(t, up, req)
					got := rig.ask(t, path, body)
					if names := calledIn(t, client, streamed, got); !slices.Equal(names, []string{name}) {
						t.Errorf("%d, %s: calls %q in\n%s", i, client, names, got.body)
					}
					if record := rig.record(t); i > 0 && record.Cache != "hit" {
						t.Errorf("%d, %s: cache %q", i, client, record.Cache)
					}
				}
				rig.upstreamCalls()
			})
		}
	}
}

// TestContinueToolNames: a target that goes on with an answer knows tools by the
// names that it takes, whatever those are that the first one knew.
func TestContinueToolNames(t *testing.T) {
	r := newRelayed(t, "")
	for _, client := range doors {
		for _, first := range doors {
			for _, second := range doors {
				t.Run(client.name+"/"+first.name+"/"+second.name, func(t *testing.T) {
					const name = "a tool/" + dottedTool // which nobody takes
					sent := name
					if client != second {
						sent = sentAs(second, name)
					}
					r.play(first.breaks(first.said(false, "One")), func(w http.ResponseWriter, req *weirtest.Request) {
						second.calls(true, sent)(w, req)
					})
					_, body := client.tell(t, second, turn(name, true))
					body = strings.Replace(body, `"`+second.name+`-m"`, `"m"`, 1)
					got := r.say(t, client, first, second, body)
					if names := calledIn(t, client, true, got); !slices.Equal(names, []string{name}) {
						t.Errorf("calls %q in\n%s", names, got.body)
					}
					if asked := r.second(); len(asked) != 1 || strings.Contains(string(asked[0].Body), name) != (sent == name) {
						t.Errorf("%d calls, first %s", len(asked), asked[0].Body)
					} else if told, _ := toldIn(t, second, asked[0]); told.Tools[1].Name != sent {
						t.Errorf("tool %s", told.Tools[1].Name)
					}
					r.record(t)
				})
			}
		}
	}
}
