package integration

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
)

const embedConfig = `provider oa openai {
	base_url URL/oa/v1
	api_key {env.UPSTREAM_KEY}
}
provider gem gemini {
	base_url URL/gem/v1beta
	api_key {env.UPSTREAM_KEY}
}
provider co cohere {
	base_url URL/co
	api_key {env.UPSTREAM_KEY}
}
provider br bedrock {
	base_url URL/br
	region us-east-1
	api_key {env.UPSTREAM_KEY}
}
model on-openai oa/text-embedding-3-small
model on-gemini gem/gemini-embedding-001
model on-cohere co/embed-v4.0
model on-titan br/amazon.titan-embed-text-v2:0
model ranks co/rerank-v3.5
`

// Two vectors that are exact in 32 bits, as the vendors write them.
var embedAnswers = map[string]string{
	"oa":   `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1]},{"object":"embedding","index":1,"embedding":[0.25,2]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":4,"total_tokens":4}}`,
	"oa1":  `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":2,"total_tokens":2}}`,
	"gem":  `{"embeddings":[{"values":[0.5,-1]},{"values":[0.25,2]}]}`,
	"gem1": `{"embedding":{"values":[0.5,-1]}}`,
	"co":   `{"id":"e1","embeddings":{"float":[[0.5,-1],[0.25,2]]},"texts":["a","b"],"meta":{"billed_units":{"input_tokens":4}}}`,
	"br":   `{"embedding":[0.5,-1],"inputTextTokenCount":2}`,
}

// TestTranslatedEmbeddings asks for vectors across dialects.
func TestTranslatedEmbeddings(t *testing.T) {
	rig := newVendor(t, embedConfig)
	const two, one = `["a","b"]`, `"a"`
	const floats = `"embedding":[0.5,-1]`
	const packed = `"embedding":"AAAAPwAAgL8="` // little-endian float32
	for _, tt := range []struct {
		name, path, body, answer string
		upstream                 string   // path
		sent                     string   // its body
		want                     []string // in the client's
		input                    int64
		source                   string
	}{
		{
			"OpenAI on Gemini", "/v1/embeddings", `{"model":"on-gemini","input":` + two + `,"dimensions":2}`, "gem", "/gem/v1beta/models/gemini-embedding-001:batchEmbedContents",
			`{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]},"outputDimensionality":2},{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"b"}]},"outputDimensionality":2}]}`,
			[]string{floats, `[0.25,2]`, `"object":"list"`},
			0, gateway.SourceEstimated,
		},
		{"OpenAI on Gemini, base64", "/v1/embeddings", `{"model":"on-gemini","input":` + two + `,"encoding_format":"base64"}`, "gem", "/gem/v1beta/models/gemini-embedding-001:batchEmbedContents", "", []string{packed}, 0, gateway.SourceEstimated},
		{
			"OpenAI on Cohere", "/v1/embeddings", `{"model":"on-cohere","input":` + two + `}`, "co", "/co/v2/embed",
			`{"model":"embed-v4.0","texts":["a","b"],"input_type":"search_document","embedding_types":["float"]}`,
			[]string{floats, `[0.25,2]`, `"prompt_tokens":4`},
			4, gateway.SourceProvider,
		},
		{"OpenAI on Cohere, base64", "/v1/embeddings", `{"model":"on-cohere","input":` + two + `,"encoding_format":"base64"}`, "co", "/co/v2/embed", "", []string{packed}, 4, gateway.SourceProvider},
		{
			"OpenAI on Titan", "/v1/embeddings", `{"model":"on-titan","input":` + one + `,"dimensions":256}`, "br", "/br/model/amazon.titan-embed-text-v2:0/invoke",
			`{"inputText":"a","dimensions":256}`,
			[]string{floats, `"prompt_tokens":2`},
			2, gateway.SourceProvider,
		},
		{"OpenAI on Titan, base64", "/v1/embeddings", `{"model":"on-titan","input":` + one + `,"encoding_format":"base64"}`, "br", "/br/model/amazon.titan-embed-text-v2:0/invoke", "", []string{packed}, 2, gateway.SourceProvider},
		{
			"Gemini on OpenAI", "/v1beta/models/on-openai:embedContent", `{"content":{"parts":[{"text":"a"}]},"outputDimensionality":2}`, "oa1", "/oa/v1/embeddings",
			`{"model":"text-embedding-3-small","input":"a","dimensions":2,"encoding_format":"float"}`,
			[]string{`"embedding":{"values":[0.5,-1]}`},
			2, gateway.SourceProvider,
		},
		{
			"Gemini on OpenAI, a batch", "/v1beta/models/on-openai:batchEmbedContents", `{"requests":[{"model":"models/on-openai","content":{"parts":[{"text":"a"}]}},{"model":"models/on-openai","content":{"parts":[{"text":"b"}]}}]}`, "oa", "/oa/v1/embeddings",
			`{"model":"text-embedding-3-small","input":["a","b"],"encoding_format":"float"}`,
			[]string{`"embeddings":[{"values":[0.5,-1]},{"values":[0.25,2]}]`},
			4, gateway.SourceProvider,
		},
		{
			"Gemini on Gemini", "/v1beta/models/on-gemini:embedContent", `{"model":"models/on-gemini", "content":{"parts":[{"text":"a"}]}}`, "gem1", "/gem/v1beta/models/gemini-embedding-001:embedContent",
			`{"model":"models/gemini-embedding-001", "content":{"parts":[{"text":"a"}]}}`,
			[]string{embedAnswers["gem1"]},
			2, gateway.SourceEstimated,
		},
		{ // as Google's SDK asks
			"Gemini on Gemini, a batch", "/v1beta/models/on-gemini:batchEmbedContents", `{"requests":[{"model":"models/on-gemini","content":{"parts":[{"text":"a"}]}}, {"content":{"parts":[{"text":"b"}]},"model":"models/another"}]}`, "gem", "/gem/v1beta/models/gemini-embedding-001:batchEmbedContents",
			`{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]}}, {"content":{"parts":[{"text":"b"}]},"model":"models/gemini-embedding-001"}]}`,
			[]string{embedAnswers["gem"]},
			3, gateway.SourceEstimated,
		},
		{"OpenAI on OpenAI", "/v1/embeddings", `{"model":"on-openai","input":` + two + `,"new":1}`, "oa", "/oa/v1/embeddings", `{"model":"text-embedding-3-small","input":["a","b"],"new":1}`, []string{embedAnswers["oa"]}, 4, gateway.SourceProvider},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig.answers(whole(200, embedAnswers[tt.answer]))
			got := rig.ask(t, tt.path, tt.body)
			record := rig.record(t)
			if got.status != 200 || !json.Valid([]byte(got.body)) {
				t.Fatalf("status %d, body %s", got.status, got.body)
			}
			for _, s := range tt.want {
				if !strings.Contains(got.body, s) {
					t.Errorf("no %s in %s", s, got.body)
				}
			}
			call := rig.upstreamCalls()[0]
			if call.Path != tt.upstream {
				t.Errorf("path %s", call.Path)
			}
			if tt.sent != "" {
				if diff := cmp.Diff(tt.sent, string(call.Body)); diff != "" {
					t.Errorf("upstream body (-want +got):\n%s", diff)
				}
			}
			if record.UsageSource != tt.source || tt.input > 0 && record.Usage.Input != tt.input || record.Usage.Input == 0 || record.Usage.Output != 0 {
				t.Errorf("record %+v", ledgerOf(record))
			}
		})
	}
	t.Run("several inputs on Titan", func(t *testing.T) {
		rig.answers(whole(200, embedAnswers["br"]))
		got := rig.ask(t, "/v1/embeddings", `{"model":"on-titan","input":`+two+`}`)
		if !strings.Contains(got.body, `"index":1,`+floats) || !strings.Contains(got.body, `"prompt_tokens":4`) {
			t.Errorf("status %d, body %s", got.status, got.body)
		}
		sent := map[string]bool{}
		for _, call := range rig.upstreamCalls() {
			sent[string(call.Body)] = true
		}
		if diff := cmp.Diff(map[string]bool{`{"inputText":"a"}`: true, `{"inputText":"b"}`: true}, sent); diff != "" {
			t.Error(diff)
		}
		if record := rig.record(t); record.Usage.Input != 4 || record.UsageSource != gateway.SourceProvider || record.Attempts != 1 {
			t.Errorf("record %+v", ledgerOf(record))
		}
	})
	t.Run("lost members", func(t *testing.T) {
		rig.answers(whole(200, embedAnswers["co"]))
		got := rig.ask(t, "/v1/embeddings", `{"model":"on-cohere","input":`+two+`,"user":"u","new":1}`)
		if dropped := got.header.Get("X-AI-Dropped"); !strings.Contains(dropped, "user") || !strings.Contains(dropped, "new") {
			t.Errorf("X-AI-Dropped %q", dropped)
		}
		rig.record(t)
		rig.upstreamCalls()
	})
	t.Run("vectors that are none", func(t *testing.T) {
		rig.answers(whole(200, `{"embeddings":[{"values":"x"}]}`))
		got := rig.ask(t, "/v1/embeddings", `{"model":"on-gemini","input":`+two+`}`)
		checkReply(t, errorReply(doors[0], failed(errAnswerCut.Kind, "answer", "the upstream's answer is not what its dialect promises")), got)
		rig.record(t)
	})
}

// TestTranslatedRerank ranks documents at Cohere for clients of the common
// path.
func TestTranslatedRerank(t *testing.T) {
	rig := newVendor(t, embedConfig)
	rig.answers(whole(200, `{"id":"r1","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],"meta":{"billed_units":{"search_units":1}}}`))
	got := rig.ask(t, "/v1/rerank", `{"model":"ranks","query":"q","documents":["a",{"text":"b"}],"top_n":2,"return_documents":true,"new":1}`)
	if want := `"results":[{"index":1,"relevance_score":0.9,"document":{"text":"b"}},{"index":0,"relevance_score":0.1,"document":{"text":"a"}}]`; got.status != 200 || !strings.Contains(got.body, want) {
		t.Errorf("status %d, body %s", got.status, got.body)
	}
	if dropped := got.header.Get("X-AI-Dropped"); dropped != "new" {
		t.Errorf("X-AI-Dropped %q", dropped)
	}
	call := rig.upstreamCalls()[0]
	if diff := cmp.Diff(`{"model":"rerank-v3.5","query":"q","documents":["a","b"],"top_n":2}`, string(call.Body)); diff != "" || call.Path != "/co/v2/rerank" {
		t.Errorf("path %s (-want +got):\n%s", call.Path, diff)
	}
	if record := rig.record(t); record.Status != 200 || record.Operation != "rerank" || record.UpstreamModel != "rerank-v3.5" {
		t.Errorf("record %+v", record)
	}
}

// TestTranslatedCompletions serves OpenAI's oldest endpoint from Claude.
func TestTranslatedCompletions(t *testing.T) {
	rig := newTranslation(t, "", "")
	up := doors[2]
	const open = `{"model":"messages-m","prompt":"Once","max_tokens":50`
	t.Run("whole", func(t *testing.T) {
		rig.answers(whole(200, up.answer))
		got := rig.ask(t, "/v1/completions", open+"}")
		var answer struct {
			Object  string
			Choices []struct {
				Text         string
				FinishReason string `json:"finish_reason"`
			}
			Usage struct {
				PromptTokens int `json:"prompt_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil || answer.Object != "text_completion" || len(answer.Choices) != 1 || !strings.HasSuffix(answer.Choices[0].Text, "hello") || answer.Choices[0].FinishReason != "stop" || answer.Usage.PromptTokens != 21 {
			t.Errorf("%v, status %d, body %s", err, got.status, got.body)
		}
		rig.checkRecord(t, complete(up))
		if sent := string(rig.upstreamCalls()[0].Body); !strings.Contains(sent, `"messages":[{"role":"user","content":"Once"}]`) || !strings.Contains(sent, `"max_tokens":50`) {
			t.Errorf("upstream body %s", sent)
		}
	})
	t.Run("stream", func(t *testing.T) {
		rig.answers(events(up.stream(2)))
		got := rig.ask(t, "/v1/completions", open+`,"stream":true,"stream_options":{"include_usage":true}}`, "X-AI-Metadata: on")
		var text strings.Builder
		list := objects(t, got.body)
		for _, o := range list {
			if o["object"] != "text_completion" || o["id"] != list[0]["id"] || o["created"] != list[0]["created"] || o["model"] != list[0]["model"] {
				t.Errorf("chunk %v", o)
			}
			for _, c := range o["choices"].([]any) {
				word, _ := c.(map[string]any)["text"].(string)
				text.WriteString(word)
			}
		}
		if !strings.HasSuffix(text.String(), twoWords) || !strings.HasSuffix(got.body, "data: [DONE]\n\n") || got.cut || !strings.Contains(got.body, `"prompt_tokens":21`) {
			t.Errorf("text %q, body %s", text.String(), got.body)
		}
		rig.checkRecord(t, complete(up))
	})
	t.Run("echo", func(t *testing.T) {
		rig.upstreamCalls()
		rig.checkRefusal(t, doors[0], rig.ask(t, "/v1/completions", open+`,"echo":true}`), 400, "echo", "'echo'")
		rig.checkRecord(t, ledger{Status: 400, Error: "invalid_request", Source: gateway.SourceNone})
	})
	t.Run("broken off", func(t *testing.T) {
		rig.answers(cutAfter(up.prelude + up.words(2)))
		got := rig.ask(t, "/v1/completions", open+`,"stream":true}`)
		if !got.cut || strings.Contains(got.body, "[DONE]") || !strings.Contains(got.body, `data: {"error":{"message":"`+errBrokeOff.Message) {
			t.Errorf("cut %v, body %s", got.cut, got.body)
		}
		rig.checkRecord(t, seenAfter(up, errBrokeOff, 2))
	})
}

// TestMixedModelLists lists the models of providers of every dialect in the
// shape of each.
func TestMixedModelLists(t *testing.T) {
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) {
		answer := map[string]string{
			"/oa/v1/models":      `{"object":"list","data":[{"id":"gpt-4o","object":"model"}]}`,
			"/an/v1/models":      `{"data":[{"type":"model","id":"claude-sonnet-4-5"}],"has_more":false}`,
			"/gem/v1beta/models": `{"models":[{"name":"models/gemini-2.5-flash"}]}`,
		}[r.Path]
		if answer == "" {
			w.WriteHeader(http.StatusNotFound)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(answer))
	})
	ai := strings.ReplaceAll(`provider oa openai {
	base_url URL/oa/v1
	api_key {env.UPSTREAM_KEY}
}
provider an anthropic {
	base_url URL/an/v1
	api_key {env.UPSTREAM_KEY}
}
provider gem gemini {
	base_url URL/gem/v1beta
	api_key {env.UPSTREAM_KEY}
}
provider br bedrock {
	base_url URL/br
	region us-east-1
	api_key {env.UPSTREAM_KEY}
}
model fast br/amazon.nova-lite-v1:0`, "URL", up.URL)
	g := weirtest.Start(t, ai, "ai_gateway")
	names := []string{"fast", "claude-sonnet-4-5", "gemini-2.5-flash", "gpt-4o"}
	get := func(t *testing.T, path string, headers ...string) map[string]any {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, g.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer http.DefaultClient.CloseIdleConnections()
		defer res.Body.Close()
		var answer map[string]any
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != 200 {
			t.Fatalf("status %d, %v, %v", res.StatusCode, err, answer)
		}
		return answer
	}
	ids := func(list any, key string) (ids []string) {
		for _, entry := range list.([]any) {
			ids = append(ids, entry.(map[string]any)[key].(string))
		}
		return ids
	}
	sorted := cmp.Transformer("set", func(list []string) map[string]bool {
		set := make(map[string]bool)
		for _, s := range list {
			set[s] = true
		}
		return set
	})
	t.Run("openai", func(t *testing.T) {
		answer := get(t, "/v1/models")
		if diff := cmp.Diff(names, ids(answer["data"], "id"), sorted); diff != "" || answer["object"] != "list" {
			t.Errorf("%v\n%s", answer, diff)
		}
		if one := get(t, "/v1/models/fast"); one["id"] != "fast" || one["object"] != "model" {
			t.Errorf("%v", one)
		}
	})
	t.Run("anthropic", func(t *testing.T) {
		answer := get(t, "/v1/models", "anthropic-version", "2023-06-01")
		if diff := cmp.Diff(names, ids(answer["data"], "id"), sorted); diff != "" || answer["has_more"] != false || answer["first_id"] == nil {
			t.Errorf("%v\n%s", answer, diff)
		}
		if one := get(t, "/v1/models/fast", "anthropic-version", "2023-06-01"); one["id"] != "fast" || one["type"] != "model" {
			t.Errorf("%v", one)
		}
	})
	t.Run("gemini", func(t *testing.T) {
		answer := get(t, "/v1beta/models")
		want := make([]string, len(names))
		for i, name := range names {
			want[i] = "models/" + name
		}
		if diff := cmp.Diff(want, ids(answer["models"], "name"), sorted); diff != "" {
			t.Errorf("%v\n%s", answer, diff)
		}
		if one := get(t, "/v1beta/models/fast"); one["name"] != "models/fast" {
			t.Errorf("%v", one)
		}
	})
}
