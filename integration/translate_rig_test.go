package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
	codecs "github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/wiretest"
)

// bedrockDoor and cohereDoor are dialects that only upstreams speak, in the
// words of the vendors' documentation.
var (
	bedrockDoor = &door{
		name: "bedrock", provider: "bedrock", model: "anthropic.claude-sonnet-4-5-20250929-v1:0", dialect: wire.Bedrock,
		prelude: bedrockEvent("messageStart", `{"role":"assistant"}`),
		word:    bedrockEvent("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"%s"}}`),
		finish:  bedrockEvent("contentBlockStop", `{"contentBlockIndex":0}`) + bedrockEvent("messageStop", `{"stopReason":"end_turn"}`),
		end:     bedrockEvent("metadata", `{"usage":{"inputTokens":21,"outputTokens":7,"totalTokens":28},"metrics":{"latencyMs":5}}`),
		answer:  `{"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},"stopReason":"end_turn","usage":{"inputTokens":21,"outputTokens":7,"totalTokens":28},"metrics":{"latencyMs":5}}`,
		failure: bedrockEvent("modelStreamErrorException", `{"message":"it broke"}`), finished: "end_turn", prompt: 8,
	}
	cohereDoor = &door{
		name: "cohere", provider: "cohere", model: "command-a-03-2025", dialect: wire.Cohere,
		prelude:  named("message-start", `,"id":"c-1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}`) + named("content-start", `,"index":0,"delta":{"message":{"content":{"type":"text","text":""}}}`),
		word:     named("content-delta", `,"index":0,"delta":{"message":{"content":{"text":"%s"}}}`),
		finish:   named("content-end", `,"index":0`) + named("message-end", `,"delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":21,"output_tokens":7},"tokens":{"input_tokens":21,"output_tokens":7}}}`),
		end:      "data: [DONE]\n\n",
		answer:   `{"id":"c-1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"hello"}]},"usage":{"billed_units":{"input_tokens":21,"output_tokens":7},"tokens":{"input_tokens":21,"output_tokens":7}}}`,
		finished: "COMPLETE", prompt: 8,
	}
)

func bedrockEvent(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }

// upstreams are the dialects of providers.
func upstreams() []*door { return append(slices.Clone(doors), bedrockDoor, cohereDoor) }

// clientOps are the operations of the front doors.
var clientOps = map[string]*wire.Operation{"chat": wire.Chat, "responses": wire.Responses, "messages": wire.Messages, "gemini": wire.GeminiGenerate}

// operationOf is what an upstream is asked for in its dialect.
func operationOf(up *door) *wire.Operation {
	switch up.dialect {
	case wire.Bedrock:
		return wire.Converse
	case wire.Cohere:
		return wire.CohereChat
	default:
		return clientOps[up.name]
	}
}

// pairs are all combinations that need a translation.
func pairs(yield func(client, up *door) bool) {
	for _, client := range doors {
		for _, up := range upstreams() {
			if client.name != up.name && !yield(client, up) {
				return
			}
		}
	}
}

// somePairs have every client and four upstreams once.
func somePairs() [][2]*door {
	chat, responses, messages, gemini := doors[0], doors[1], doors[2], doors[3]
	return [][2]*door{{chat, messages}, {responses, gemini}, {messages, chat}, {gemini, responses}}
}

// words of a stream whose text every door's decoder gives back.
const twoWords = " word0 word1"

// newTranslation starts a gateway with one provider of every dialect, each with
// a model of the dialect's name; options is the inside of the models' blocks.
func newTranslation(t *testing.T, options, site string) *rig {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	r := &rig{}
	r.up = weirtest.NewUpstream(t, func(w http.ResponseWriter, req *weirtest.Request) {
		(*r.answer.Load())(w, req)
	})
	var ai strings.Builder
	for _, d := range upstreams() {
		base, more := d.version(), ""
		switch d.name {
		case "chat", "responses":
			more = "serves " + d.name
		case "bedrock":
			base, more = "", "region us-east-1"
		case "cohere":
			base = ""
		}
		fmt.Fprintf(&ai, "provider %s %s {\nbase_url %s/%s%s\napi_key {env.UPSTREAM_KEY}\n%s\n}\nmodel %s %s/%s {\n%s\n}\n",
			d.name+"-p", d.provider, r.up.URL, d.name, base, more, d.name+"-m", d.name+"-p", d.model, options)
	}
	r.Gateway = weirtest.Start(t, ai.String(), "ai_gateway {\n"+site+"\n}")
	return r
}

// to is a client's request to the model of an upstream.
func (d *door) to(up *door, body string) (path, asked string) {
	if d.inPath() {
		return strings.Replace(d.pathOf(body), "/m:", "/"+up.name+"-m:", 1), body
	}
	return d.path, strings.Replace(body, `"m"`, `"`+up.name+`-m"`, 1)
}

// plays answers with an event stream as the vendor frames it.
func (d *door) plays(stream string) answerer {
	if d.dialect != wire.Bedrock {
		return events(stream)
	}
	return framesOf(framed([]byte(stream)))
}

func framesOf(frames []byte) answerer {
	return func(w http.ResponseWriter, _ *weirtest.Request) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		_, _ = w.Write(frames)
	}
}

// decode reads a stream as the client's dialect has it.
func decode(t *testing.T, client *door, body string) (*wire.Response, []wire.Event) {
	t.Helper()
	res, events, err := wiretest.Collect(codecs.Codec(clientOps[client.name]).StreamDecoder(), []byte(body), 0)
	if err != nil {
		t.Fatalf("decoding: %v in\n%s", err, clip(body))
	}
	return res, events
}

func textOf(res *wire.Response) string {
	if len(res.Choices) == 0 {
		return ""
	}
	return wire.JoinText(res.Choices[0].Blocks)
}

// checkWhole checks a stream that is complete: its words, its end, its usage.
func checkWhole(t *testing.T, client *door, got *reply) {
	t.Helper()
	if got.status != 200 || got.cut {
		t.Fatalf("status %d, cut %v, body\n%s", got.status, got.cut, clip(got.body))
	}
	res, events := decode(t, client, got.body)
	if text := textOf(res); text != twoWords {
		t.Errorf("text %q in\n%s", text, clip(got.body))
	}
	if last := events[len(events)-1].Kind; last != wire.EventEnd || res.Failure != nil || res.Choices[0].Finish != wire.FinishStop {
		t.Errorf("last event %v, failure %v, in\n%s", last, res.Failure, clip(got.body))
	}
}

// checkBroken checks a stream that broke off after two words: they are there,
// the error is told, and nothing looks like an end.
func checkBroken(t *testing.T, client *door, got *reply, e *gateway.Error) {
	t.Helper()
	if got.status != 200 || !got.cut {
		t.Fatalf("status %d, cut %v, body\n%s", got.status, got.cut, clip(got.body))
	}
	res, events := decode(t, client, got.body)
	if text := textOf(res); text != twoWords {
		t.Errorf("text %q in\n%s", text, clip(got.body))
	}
	if res.Failure == nil || !strings.Contains(res.Failure.Message, e.Message) {
		t.Errorf("failure %+v, want %q in\n%s", res.Failure, e.Message, clip(got.body))
	}
	if slices.ContainsFunc(events, func(ev wire.Event) bool { return ev.Kind == wire.EventEnd || ev.Kind == wire.EventFinish }) {
		t.Errorf("an end in a broken stream:\n%s", clip(got.body))
	}
	if end := strings.TrimSpace(client.end); end != "" && strings.HasSuffix(strings.TrimSpace(got.body), end) {
		t.Errorf("a terminator in a broken stream:\n%s", clip(got.body))
	}
	if client.name == "responses" {
		checkSequence(t, got.body)
	}
}

// checkTranslated compares the case's record: it names the client's dialect and
// the upstream's model. What Weir has counted itself needs only be there.
func (r *rig) checkTranslated(t *testing.T, client, up *door, want ledger) *gateway.Record {
	t.Helper()
	record := r.record(t)
	got := ledgerOf(record)
	if got.Source == gateway.SourceEstimated && want.Source == gateway.SourceEstimated {
		if (got.Input > 0) == (want.Input > 0) {
			got.Input = want.Input
		}
		if (got.Output > 0) == (want.Output > 0) {
			got.Output = want.Output
		}
	}
	if got != want {
		t.Errorf("record %+v, want %+v", got, want)
	}
	if record.Dialect != client.dialect || record.Provider != up.name+"-p" || record.UpstreamModel != up.model || record.Model != up.name+"-m" {
		t.Errorf("dialect %s, provider %s, upstream model %s, model %s", record.Dialect, record.Provider, record.UpstreamModel, record.Model)
	}
	return record
}
