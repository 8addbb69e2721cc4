package integration

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
)

// newVendor starts a gateway with one provider, configured by block, and the
// models that ai names.
func newVendor(t *testing.T, ai string) *rig {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	r := &rig{}
	r.up = weirtest.NewUpstream(t, func(w http.ResponseWriter, req *weirtest.Request) {
		(*r.answer.Load())(w, req)
	})
	r.Gateway = weirtest.Start(t, strings.ReplaceAll(ai, "URL", r.up.URL), "ai_gateway")
	return r
}

const vertexConfig = `provider v vertex {
	base_url URL/v1
	project p1
	location us-east5
	api_key {env.UPSTREAM_KEY}
}
model claude v/claude-sonnet-4-5@20250929
model gem v/gemini-2.5-flash
`

// TestVertex asks for Claude in Anthropic's dialect with Vertex's two edits of
// the body, and for Gemini in its own, whatever the client speaks.
func TestVertex(t *testing.T) {
	rig := newVendor(t, vertexConfig)
	chat, messages, gemini := doors[0], doors[2], doors[3]
	const claudePath = "/v1/projects/p1/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929"
	const gemPath = "/v1/projects/p1/locations/us-east5/publishers/google/models/gemini-2.5-flash"
	for _, tt := range []struct {
		name         string
		client, up   *door
		model        string
		stream       bool
		path, exact  string
		absent, want []string
	}{
		{"Claude by Messages", messages, messages, "claude", false, claudePath + ":rawPredict", `{"max_tokens":100,"messages":[{"role":"user","content":"hi"}],"anthropic_version":"vertex-2023-10-16"}`, nil, nil},
		{"Claude by Messages, streamed", messages, messages, "claude", true, claudePath + ":streamRawPredict", `{"stream":true,"max_tokens":100,"messages":[{"role":"user","content":"hi"}],"anthropic_version":"vertex-2023-10-16"}`, nil, nil},
		{"Claude by chat", chat, messages, "claude", false, claudePath + ":rawPredict", "", []string{`"model"`}, []string{`"anthropic_version":"vertex-2023-10-16"`, `"messages":[`, `"max_tokens"`}},
		{"Claude by chat, streamed", chat, messages, "claude", true, claudePath + ":streamRawPredict", "", []string{`"model"`}, []string{`"anthropic_version":"vertex-2023-10-16"`, `"stream":true`}},
		{"Gemini by Messages", messages, gemini, "gem", false, gemPath + ":generateContent", "", []string{`"model":`, "anthropic_version"}, []string{`"contents":[`}},
		{"Gemini by chat, streamed", chat, gemini, "gem", true, gemPath + ":streamGenerateContent", "", nil, []string{`"contents":[`}},
		{"Gemini by Gemini", gemini, gemini, "gem", true, gemPath + ":streamGenerateContent", gemini.body, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig.answers(whole(200, tt.up.answer))
			body := tt.client.whole
			if tt.stream {
				rig.answers(events(tt.up.stream(2)))
				body = tt.client.body
			}
			path := strings.Replace(tt.client.pathOf(body), "/m:", "/"+tt.model+":", 1)
			got := rig.ask(t, path, strings.Replace(body, `"m"`, `"`+tt.model+`"`, 1))
			call := rig.upstreamCalls()[0]
			sent := string(call.Body)
			if call.Path != tt.path || call.Header.Get("Authorization") != "Bearer sk-upstream-secret" {
				t.Errorf("path %s, header %v", call.Path, call.Header)
			}
			if tt.exact != "" {
				if diff := cmp.Diff(tt.exact, sent); diff != "" {
					t.Errorf("body (-want +got):\n%s", diff)
				}
			}
			for _, s := range tt.absent {
				if strings.Contains(sent, s) {
					t.Errorf("%s in %s", s, sent)
				}
			}
			for _, s := range tt.want {
				if !strings.Contains(sent, s) {
					t.Errorf("no %s in %s", s, sent)
				}
			}
			if tt.stream {
				checkWhole(t, tt.client, got)
			} else if got.status != 200 || !strings.Contains(got.body, "hello") {
				t.Errorf("status %d, body %s", got.status, got.body)
			}
			rig.checkRecord(t, complete(tt.up))
		})
	}
}

// TestAzure names the deployment in the path and the version of the API in the
// query, or leaves both to the v1 API.
func TestAzure(t *testing.T) {
	chat, responses, messages := doors[0], doors[1], doors[2]
	const provider = "provider az azure_openai {\nbase_url URL\napi_key {env.UPSTREAM_KEY}\n"
	for _, tt := range []struct {
		name, config string
		client, up   *door
		path, query  string
		want         []string
	}{
		{"chat with a version", provider + "api_version 2024-10-21\nserves chat\n}", chat, chat, "/openai/deployments/gpt-4o/chat/completions", "api-version=2024-10-21", []string{`"stream_options":{"include_usage":true}`}},
		{"messages with a version", provider + "api_version 2024-10-21\nserves chat\n}", messages, chat, "/openai/deployments/gpt-4o/chat/completions", "api-version=2024-10-21", []string{`"max_completion_tokens":100`, `"include_usage":true`}},
		{"messages with an old version", provider + "api_version 2024-06-01\nserves chat\n}", messages, chat, "/openai/deployments/gpt-4o/chat/completions", "api-version=2024-06-01", []string{`"max_tokens":100`}},
		{"responses with a version", provider + "api_version 2025-04-01-preview\n}", responses, responses, "/openai/responses", "api-version=2025-04-01-preview", nil},
		{"chat on v1", provider + "serves chat\n}", chat, chat, "/openai/v1/chat/completions", "", []string{`"model":"gpt-4o"`}},
		{"messages on v1", provider + "serves chat\n}", messages, chat, "/openai/v1/chat/completions", "", []string{`"model":"gpt-4o"`, `"max_completion_tokens":100`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig := newVendor(t, tt.config+"\nmodel m az/gpt-4o")
			rig.answers(events(tt.up.stream(2)))
			got := rig.ask(t, tt.client.path, tt.client.body)
			checkWhole(t, tt.client, got)
			rig.checkRecord(t, complete(tt.up))
			call := rig.upstreamCalls()[0]
			if call.Path != tt.path || call.Query != tt.query || call.Header.Get("Api-Key") != "sk-upstream-secret" {
				t.Errorf("path %s, query %s, header %v", call.Path, call.Query, call.Header)
			}
			for _, s := range tt.want {
				if !strings.Contains(string(call.Body), s) {
					t.Errorf("no %s in %s", s, call.Body)
				}
			}
			if strings.Contains(tt.name, "old") && strings.Contains(string(call.Body), "stream_options") {
				t.Errorf("stream_options in %s", call.Body)
			}
		})
	}
}

// TestMistral asks for what Mistral has in its own words: ids of calls as its own
// are, and a seed.
func TestMistral(t *testing.T) {
	rig := newVendor(t, `provider v mistral {
	base_url URL/v1
	api_key {env.UPSTREAM_KEY}
}
model m v/mistral-large-latest
`)
	rig.answers(whole(200, doors[0].answer))
	messages, gemini := doors[2], doors[3]
	got := rig.ask(t, messages.path, `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_01A","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_01A","content":"r"}]}]}`)
	if got.status != 200 {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	id := wire.ShortCallID("toolu_01A")
	want := `{"model":"mistral-large-latest","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"` + id + `","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"` + id + `","content":"r"}],"max_tokens":9}`
	if diff := cmp.Diff(want, string(rig.upstreamCalls()[0].Body)); diff != "" {
		t.Error(diff)
	}
	rig.ask(t, gemini.wholePath, `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"seed":7}}`)
	if body := string(rig.upstreamCalls()[0].Body); !strings.Contains(body, `"random_seed":7`) {
		t.Error(body)
	}
}
