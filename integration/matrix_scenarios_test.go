package integration

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirproxy/weir/wire"
)

// scenario is one row of the compatibility matrix: what a client asks, what
// the upstream answers, and what has to arrive on either side.
type scenario struct {
	name string

	// ask changes the plainest request into this row's.
	ask func(*wire.Request)

	// answer is the upstream's answer; nil: a plain text.
	answer func(*wire.Response)

	// fail is the upstream's refusal instead of an answer, cut breaks a stream
	// off with an error event after its first content.
	fail *refusal
	cut  bool

	// sent says what is wrong with the request that reached the upstream, got
	// what is wrong with the answer that reached the client; "" for nothing.
	sent func(client *wire.Operation, r *wire.Request) string
	got  func(*wire.Response) string

	// unmappable gives the reason why a pair of dialects cannot do it.
	unmappable func(client, upstream *wire.Operation) string
}

type refusal struct {
	status int
	kind   wire.Kind
}

const (
	pixel     = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	signature = "c2lnbmF0dXJlLW9mLWEtdmVuZG9y"
	schema    = `{"type":"object","properties":{"city":{"type":"string"},"unit":{"type":"string","enum":["c","f"]}},"required":["city","unit"],"additionalProperties":false}`
)

func text(s string) wire.Block { return wire.Block{Type: wire.TextBlock, Text: s} }

func called(id, name, arguments string) wire.Block {
	return wire.Block{Type: wire.CallBlock, Call: &wire.Call{ID: id, Name: name, Arguments: arguments}}
}

func result(id, name, content string, failed bool) wire.Block {
	return wire.Block{Type: wire.ResultBlock, Result: &wire.Result{CallID: id, Name: name, Content: []wire.Block{text(content)}, IsError: failed}}
}

func weather(r *wire.Request) {
	r.Tools = []wire.Tool{{Name: "weather", Description: "Tells the weather.", Schema: schema, Strict: wire.No}}
}

func asked(texts ...string) func(*wire.Operation, *wire.Request) string {
	return func(_ *wire.Operation, r *wire.Request) string {
		all := promptText(r)
		for _, t := range texts {
			if !strings.Contains(all, t) {
				return fmt.Sprintf("%q is missing in the prompt %q", t, all)
			}
		}
		return ""
	}
}

// promptText is all text of a prompt, in order.
func promptText(r *wire.Request) string {
	var b strings.Builder
	for _, s := range r.System {
		b.WriteString("system:" + s.Text + "\n")
	}
	for _, m := range r.Messages {
		for _, block := range m.Blocks {
			switch block.Type {
			case wire.ResultBlock:
				fmt.Fprintf(&b, "%d:result:%s:%s\n", m.Role, wire.JoinText(block.Result.Content), block.Result.Name)
			case wire.CallBlock:
				fmt.Fprintf(&b, "%d:call:%s:%s\n", m.Role, block.Call.Name, compact(block.Call.Arguments))
			default:
				fmt.Fprintf(&b, "%d:%s\n", m.Role, block.Text)
			}
		}
	}
	return b.String()
}

func answered(want string, finish wire.Finish) func(*wire.Response) string {
	return func(r *wire.Response) string {
		switch {
		case len(r.Choices) != 1:
			return fmt.Sprintf("%d choices", len(r.Choices))
		case wire.JoinText(r.Choices[0].Blocks) != want:
			return fmt.Sprintf("text %q, want %q", wire.JoinText(r.Choices[0].Blocks), want)
		case r.Choices[0].Finish != finish:
			return fmt.Sprintf("finish %d, want %d", r.Choices[0].Finish, finish)
		case r.Usage.Input != 40 || r.Usage.Output != 7:
			return fmt.Sprintf("usage %+v", r.Usage.Usage)
		}
		return ""
	}
}

// calls lists an answer's calls as name(arguments).
func calls(r *wire.Response) (list []string, ids []string) {
	for _, b := range r.Choices[0].Blocks {
		if b.Type == wire.CallBlock {
			list = append(list, b.Call.Name+"("+compact(b.Call.Arguments)+")")
			ids = append(ids, b.Call.ID)
		}
	}
	return list, ids
}

func callsAre(want ...string) func(*wire.Response) string {
	return func(r *wire.Response) string {
		if len(r.Choices) != 1 {
			return fmt.Sprintf("%d choices", len(r.Choices))
		}
		list, ids := calls(r)
		slices.Sort(ids)
		switch {
		case !slices.Equal(list, want):
			return fmt.Sprintf("calls %v, want %v", list, want)
		case len(slices.Compact(ids)) != len(want) || slices.Contains(ids, ""):
			return fmt.Sprintf("ids %v", ids)
		case r.Choices[0].Finish != wire.FinishTools:
			return fmt.Sprintf("finish %d", r.Choices[0].Finish)
		}
		return ""
	}
}

var scenarios = []scenario{
	{
		name: "text",
		sent: asked("0:What is a weir?"),
		got:  answered("A low dam.", wire.FinishStop),
	},
	{
		name: "system",
		ask:  func(r *wire.Request) { r.System = []wire.Block{text("Answer like a sailor.")} },
		sent: asked("system:Answer like a sailor.", "0:What is a weir?"),
		got:  answered("A low dam.", wire.FinishStop),
	},
	{
		name: "multi-turn",
		ask: func(r *wire.Request) {
			r.Messages = append(r.Messages,
				wire.Message{Role: wire.RoleAssistant, Blocks: []wire.Block{text("A kind of dam.")}},
				wire.Message{Role: wire.RoleUser, Blocks: []wire.Block{text("How high?")}})
		},
		sent: asked("0:What is a weir?\n1:A kind of dam.\n0:How high?"),
		got:  answered("A low dam.", wire.FinishStop),
	},
	{
		name: "image",
		ask: func(r *wire.Request) {
			r.Messages[0].Blocks = append(r.Messages[0].Blocks, wire.Block{Type: wire.ImageBlock, Media: &wire.Media{MIME: "image/png", Data: pixel}})
		},
		sent: func(_ *wire.Operation, r *wire.Request) string {
			for _, b := range r.Messages[0].Blocks {
				if b.Type == wire.ImageBlock && b.Media.MIME == "image/png" && b.Media.Data == pixel {
					return ""
				}
			}
			return "the image is missing"
		},
		got: answered("A low dam.", wire.FinishStop),
		unmappable: func(_, upstream *wire.Operation) string {
			return ""
		},
	},
	{
		name: "one tool",
		ask:  weather,
		sent: func(_ *wire.Operation, r *wire.Request) string {
			if len(r.Tools) != 1 || r.Tools[0].Name != "weather" || r.Tools[0].Description != "Tells the weather." || compact(r.Tools[0].Schema) != compact(schema) {
				return fmt.Sprintf("tools %+v", r.Tools)
			}
			return ""
		},
		answer: func(r *wire.Response) {
			r.Choices[0].Blocks = []wire.Block{called("call_1", "weather", `{"city":"Kyiv","unit":"c"}`)}
			r.Choices[0].Finish = wire.FinishTools
		},
		got: callsAre(`weather({"city":"Kyiv","unit":"c"})`),
	},
	{
		name: "parallel tools",
		ask:  weather,
		answer: func(r *wire.Response) {
			r.Choices[0].Blocks = []wire.Block{
				text("Let me look."),
				called("call_1", "weather", `{"city":"Kyiv","unit":"c"}`),
				called("call_2", "weather", `{"city":"Łódź","unit":"f"}`),
				called("call_3", "weather", `{}`),
			}
			r.Choices[0].Finish = wire.FinishTools
		},
		got: func(r *wire.Response) string {
			if r.Choices[0].Blocks[0].Text != "Let me look." {
				return fmt.Sprintf("first block %+v", r.Choices[0].Blocks[0])
			}
			return callsAre(`weather({"city":"Kyiv","unit":"c"})`, `weather({"city":"Łódź","unit":"f"})`, `weather({})`)(r)
		},
	},
	{
		name: "tool result",
		ask:  func(r *wire.Request) { weather(r); history(r, false) },
		sent: asked(`1:call:weather:{"city":"Kyiv","unit":"c"}`, `1:call:weather:{"city":"Lviv","unit":"c"}`, "0:result:21 degrees:weather", "0:result:19 degrees:weather", "0:Compare them."),
		got:  answered("A low dam.", wire.FinishStop),
	},
	{
		name: "tool error",
		ask:  func(r *wire.Request) { weather(r); history(r, true) },
		sent: func(client *wire.Operation, r *wire.Request) string {
			// OpenAI and Cohere have no mark for it, only the words.
			marked := func(d wire.Dialect) bool { return d != wire.OpenAI && d != wire.Cohere }
			second := r.Messages[len(r.Messages)-1].Blocks[1]
			if want := marked(client.Dialect) && marked(r.Dialect); second.Type == wire.ResultBlock && second.Result.IsError != want {
				return fmt.Sprintf("error %v, want %v", second.Result.IsError, want)
			}
			return asked(`1:call:weather:{"city":"Kyiv","unit":"c"}`, "station is down")(client, r)
		},
		got: answered("A low dam.", wire.FinishStop),
	},
	{
		name: "tool choice",
		ask: func(r *wire.Request) {
			weather(r)
			r.ToolChoice = wire.ToolChoice{Mode: "required"}
		},
		sent: func(_ *wire.Operation, r *wire.Request) string {
			if r.ToolChoice.Mode != "required" {
				return fmt.Sprintf("tool choice %+v", r.ToolChoice)
			}
			return ""
		},
		answer: func(r *wire.Response) {
			r.Choices[0].Blocks = []wire.Block{called("call_1", "weather", `{"city":"Kyiv","unit":"c"}`)}
			r.Choices[0].Finish = wire.FinishTools
		},
		got: callsAre(`weather({"city":"Kyiv","unit":"c"})`),
	},
	{
		name: "JSON schema",
		ask: func(r *wire.Request) {
			r.Format = wire.Format{Kind: "json_schema", Name: "place", Schema: schema, Strict: wire.Yes}
		},
		sent: func(_ *wire.Operation, r *wire.Request) string {
			if r.Format.Kind != "json_schema" || compact(r.Format.Schema) != compact(schema) {
				return fmt.Sprintf("format %+v", r.Format)
			}
			return ""
		},
		got: answered("A low dam.", wire.FinishStop),
	},
	{
		name: "reasoning with signature",
		ask: func(r *wire.Request) {
			weather(r)
			r.MaxTokens = 8192
			r.Reasoning = wire.Reasoning{Effort: "medium", Show: "auto", Encrypted: true}
		},
		sent: func(_ *wire.Operation, r *wire.Request) string {
			if r.Reasoning.IsZero() || r.Reasoning.Mode == "off" || r.Reasoning.Effort == "none" {
				return fmt.Sprintf("reasoning %+v", r.Reasoning)
			}
			return ""
		},
		answer: func(r *wire.Response) {
			r.Choices[0].Blocks = []wire.Block{
				{Type: wire.ThinkingBlock, Text: "The user is in Kyiv.", Signature: signature, Vendor: "upstream"},
				called("call_1", "weather", `{"city":"Kyiv","unit":"c"}`),
			}
			r.Choices[0].Finish = wire.FinishTools
		},
		got: func(r *wire.Response) string {
			thought := ""
			for _, b := range r.Choices[0].Blocks {
				if b.Type == wire.ThinkingBlock {
					thought += b.Text
				}
			}
			if thought != "The user is in Kyiv." {
				return fmt.Sprintf("thinking %q", thought)
			}
			return callsAre(`weather({"city":"Kyiv","unit":"c"})`)(r)
		},
	},
	{
		name: "refusal",
		answer: func(r *wire.Response) {
			r.Choices[0].Blocks = []wire.Block{{Type: wire.RefusalBlock, Text: "I cannot help with that."}}
			r.Choices[0].Finish = wire.FinishPolicy
		},
		got: func(r *wire.Response) string {
			c := r.Choices[0]
			if f := c.Finish; f != wire.FinishPolicy && f != wire.FinishStop {
				return fmt.Sprintf("finish %d", f)
			}
			if said := wire.JoinText(c.Blocks) + c.Explanation; !strings.Contains(said, "I cannot help with that.") {
				return fmt.Sprintf("the refusal's words %q", said)
			}
			return ""
		},
	},
	{
		name: "length stop",
		ask:  func(r *wire.Request) { r.MaxTokens = 7 },
		sent: func(_ *wire.Operation, r *wire.Request) string {
			if r.MaxTokens != 7 {
				return fmt.Sprintf("max tokens %d", r.MaxTokens)
			}
			return ""
		},
		answer: func(r *wire.Response) { r.Choices[0].Finish = wire.FinishLength },
		got:    answered("A low dam.", wire.FinishLength),
	},
	{
		name: "stop sequence",
		ask:  func(r *wire.Request) { r.Stop = []string{"\n\n", "END"} },
		sent: func(_ *wire.Operation, r *wire.Request) string {
			if !slices.Contains(r.Stop, "END") {
				return fmt.Sprintf("stop %q", r.Stop)
			}
			return ""
		},
		got: answered("A low dam.", wire.FinishStop),
		unmappable: func(client, upstream *wire.Operation) string {
			switch {
			case upstream == wire.Responses:
				return "the Responses API has no stop sequences: dropped and named"
			case client == wire.Responses:
				return "the Responses API has no stop sequences to ask with"
			}
			return ""
		},
	},
	{name: "error 400", fail: &refusal{400, wire.KindInvalid}},
	{name: "context too long", fail: &refusal{400, wire.KindContextLength}},
	{name: "error 401", fail: &refusal{401, wire.KindAuthentication}},
	{name: "error 429", fail: &refusal{429, wire.KindRateLimit}},
	{name: "error 500", fail: &refusal{500, wire.KindUpstream}},
	{name: "mid-stream error", cut: true},
}

// history is a conversation in which two tools were called at once.
func history(r *wire.Request, failed bool) {
	second := result("call_2", "weather", "19 degrees", false)
	if failed {
		second = result("call_2", "weather", "station is down", true)
	}
	r.Messages = append(r.Messages,
		wire.Message{Role: wire.RoleAssistant, Blocks: []wire.Block{called("call_1", "weather", `{"city":"Kyiv","unit":"c"}`), called("call_2", "weather", `{"city":"Lviv","unit":"c"}`)}},
		wire.Message{Role: wire.RoleUser, Blocks: []wire.Block{result("call_1", "weather", "21 degrees", false), second, text("Compare them.")}})
}
