package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
	codecs "github.com/weirproxy/weir/wire/doors"
)

// with adds members to a body.
func with(body, members string) string { return strings.TrimSuffix(body, "}") + "," + members + "}" }

// lossyCases are members that an upstream has no place for, by the names that
// their client gave them.
var lossyCases = []struct {
	client, up *door
	members    string
	want       []string
}{
	{doors[0], doors[2], `"seed":7,"logit_bias":{"5":1},"n":2,"top_logprobs":3,"logprobs":true`, []string{"seed", "logit_bias", "n", "top_logprobs", "logprobs"}},
	{doors[0], doors[2], `"presence_penalty":0.5,"frequency_penalty":0.5`, []string{"presence_penalty", "frequency_penalty"}},
	{doors[0], doors[3], `"logit_bias":{"5":1}`, []string{"logit_bias"}},
	{doors[0], bedrockDoor, `"seed":7`, []string{"seed"}},
	{doors[0], cohereDoor, `"logit_bias":{"5":1},"n":2`, []string{"logit_bias", "n"}},
	{doors[1], doors[2], `"truncation":"auto","top_logprobs":3`, []string{"truncation", "top_logprobs"}},
	{doors[1], doors[2], `"tools":[{"type":"web_search"}]`, []string{"tools[web_search]"}},
	{doors[2], doors[0], `"top_k":5`, []string{"top_k"}},
	{doors[2], doors[1], `"top_k":5,"stop_sequences":["x"]`, []string{"top_k", "stop_sequences"}},
	{doors[3], doors[0], `"generationConfig":{"topK":5}`, []string{"generationConfig.topK"}},
	{doors[3], doors[0], `"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]`, []string{"safetySettings"}},
	{doors[3], doors[2], `"generationConfig":{"seed":5,"candidateCount":2}`, []string{"generationConfig.seed", "generationConfig.candidateCount"}},
	{doors[0], doors[2], `"brand_new":{"a":[1,2]},"another":1`, []string{"brand_new", "another"}},
	{doors[1], doors[3], `"brand_new":1`, []string{"brand_new"}},
	{doors[2], doors[0], `"brand_new":1`, []string{"brand_new"}},
	{doors[3], doors[2], `"brandNew":1,"generationConfig":{"newKnob":1}`, []string{"brandNew", "generationConfig.newKnob"}},
}

// TestUnmappedDrop leaves out what an upstream has no place for and says so, by
// the client's own names.
func TestUnmappedDrop(t *testing.T) {
	rig := newTranslation(t, "", "")
	for _, tt := range lossyCases {
		for _, streamed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s on %s/%s/%v", tt.client.name, tt.up.name, strings.Join(tt.want, " "), streamed), func(t *testing.T) {
				rig.answers(whole(200, tt.up.answer))
				path, body := tt.client.to(tt.up, tt.client.whole)
				if streamed {
					rig.answers(tt.up.plays(tt.up.stream(2)))
					path, body = tt.client.to(tt.up, tt.client.body)
				}
				got := rig.ask(t, path, with(body, tt.members))
				record := rig.record(t)
				if got.status != 200 || got.cut {
					t.Fatalf("status %d, body %s", got.status, got.body)
				}
				dropped := strings.Split(got.header.Get("X-AI-Dropped"), ", ")
				slices.Sort(dropped)
				want := slices.Sorted(slices.Values(tt.want))
				if diff := cmp.Diff(want, dropped); diff != "" {
					t.Errorf("X-AI-Dropped (-want +got):\n%s", diff)
				}
				logged := slices.Sorted(slices.Values(record.Dropped))
				if diff := cmp.Diff(want, logged); diff != "" {
					t.Errorf("record (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestUnmappedReject refuses the same, before anybody is paid.
func TestUnmappedReject(t *testing.T) {
	rig := newTranslation(t, "", "unmapped reject")
	for _, tt := range lossyCases {
		t.Run(fmt.Sprintf("%s on %s/%s", tt.client.name, tt.up.name, strings.Join(tt.want, " ")), func(t *testing.T) {
			path, body := tt.client.to(tt.up, tt.client.whole)
			got := rig.ask(t, path, with(body, tt.members))
			var answer struct{ Error struct{ Param string } }
			_ = json.Unmarshal([]byte(got.body), &answer)
			if tt.client.name == "chat" || tt.client.name == "responses" {
				if !slices.Contains(tt.want, answer.Error.Param) {
					t.Errorf("param %q", answer.Error.Param)
				}
			}
			rig.checkRefusal(t, tt.client, got, 400, answer.Error.Param, "refuses what cannot be translated")
			for _, name := range tt.want {
				if !strings.Contains(got.body, name) {
					t.Errorf("%s is not named in %s", name, got.body)
				}
			}
			rig.checkRecord(t, ledger{Status: 400, Error: "invalid_request", Source: gateway.SourceNone})
		})
	}
	t.Run("nothing to refuse", func(t *testing.T) {
		for client, up := range pairs {
			rig.answers(whole(200, up.answer))
			path, body := client.to(up, client.whole)
			if got := rig.ask(t, path, body); got.status != 200 || got.header.Get("X-AI-Dropped") != "" {
				t.Errorf("%s on %s: status %d, dropped %q, %s", client, up, got.status, got.header.Get("X-AI-Dropped"), got.body)
			}
			rig.record(t)
		}
	})
}

// TestUnknownMembersPass sends members that nobody knows byte for byte where
// the dialects are the same.
func TestUnknownMembersPass(t *testing.T) {
	rig := newTranslation(t, "", "unmapped reject")
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			rig.answers(whole(200, d.answer))
			path, body := d.to(d, d.whole)
			body = with(body, `"brand_new" :  {"b":1.0e1,"a":"\u00e4"}`)
			got := rig.ask(t, path, body)
			if got.status != 200 || got.header.Get("X-AI-Dropped") != "" || got.body != d.answer {
				t.Errorf("status %d, body %s", got.status, got.body)
			}
			want := strings.Replace(body, `"`+d.name+`-m"`, `"`+d.model+`"`, 1)
			if diff := cmp.Diff(want, string(rig.upstreamCalls()[0].Body)); diff != "" {
				t.Errorf("upstream body (-want +got):\n%s", diff)
			}
			rig.record(t)
		})
	}
}

// TestState refuses what refers to something that another vendor keeps, and
// passes it to its own.
func TestState(t *testing.T) {
	rig := newTranslation(t, "", "")
	for _, tt := range []struct {
		client         *door
		name, member   string
		others, native []*door
	}{
		{doors[1], "previous_response_id", `"previous_response_id":"resp_0"`, []*door{doors[0], doors[2], doors[3], bedrockDoor, cohereDoor}, []*door{doors[1]}},
		{doors[1], "conversation", `"conversation":"conv_0"`, []*door{doors[0], doors[2], doors[3], bedrockDoor, cohereDoor}, []*door{doors[1]}},
		{doors[3], "cachedContent", `"cachedContent":"cachedContents/0"`, []*door{doors[0], doors[1], doors[2], bedrockDoor, cohereDoor}, []*door{doors[3]}},
	} {
		for _, up := range tt.others {
			t.Run(tt.name+" on "+up.name, func(t *testing.T) {
				path, body := tt.client.to(up, tt.client.whole)
				rig.checkRefusal(t, tt.client, rig.ask(t, path, with(body, tt.member)), 400, tt.name, "'"+tt.name+"'")
				rig.checkRecord(t, ledger{Status: 400, Error: "invalid_request", Source: gateway.SourceNone})
			})
		}
		for _, up := range tt.native {
			t.Run(tt.name+" passes", func(t *testing.T) {
				rig.answers(whole(200, up.answer))
				path, body := tt.client.to(up, tt.client.whole)
				got := rig.ask(t, path, with(body, tt.member))
				calls := rig.upstreamCalls()
				if got.status != 200 || len(calls) != 1 || !strings.Contains(string(calls[0].Body), tt.member) {
					t.Errorf("status %d, body %s, calls %d", got.status, got.body, len(calls))
				}
				rig.record(t)
			})
		}
	}
}

// TestUnmappableContent refuses content without which an answer would be wrong,
// under `unmapped drop` too.
func TestUnmappableContent(t *testing.T) {
	rig := newTranslation(t, "", "")
	const audio = `{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}`
	const image = `{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}`
	chat := func(part string) string {
		return `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"},` + part + `]}]}`
	}
	const result = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"search_result","source":"https://example.com","title":"t","content":[{"type":"text","text":"r"}]}]}]}`
	for _, tt := range []struct {
		name, body string
		client, up *door
		param      string
		words      string
	}{
		{"a search result", result, doors[2], doors[0], "messages", "search_result"},
		{"a search result", result, doors[2], doors[1], "messages", "search_result"},
		{"a search result", result, doors[2], doors[3], "messages", "search_result"},
		{"a search result", result, doors[2], bedrockDoor, "messages", "search_result"},
		{"a search result", result, doors[2], cohereDoor, "messages", "search_result"},
		{"a call of OpenAI's search", `{"model":"m","input":[{"role":"user","content":"hi"},{"type":"web_search_call","id":"ws_1","status":"completed"},{"role":"user","content":"go on"}]}`, doors[1], doors[2], "input", "web_search_call"},
		{"audio", chat(audio), doors[0], doors[2], "messages", "audio"},
		{"audio", chat(audio), doors[0], bedrockDoor, "messages", "audio"},
		{"audio", chat(audio), doors[0], cohereDoor, "messages", "audio"},
		{"audio", chat(audio), doors[0], doors[1], "messages", "audio"},
		{"image by URL", chat(image), doors[0], bedrockDoor, "messages", "URL"},
		{"a file of OpenAI's", chat(`{"type":"file","file":{"file_id":"file-1"}}`), doors[0], doors[2], "messages", "file"},
		{"a file of OpenAI's", chat(`{"type":"file","file":{"file_id":"file-1"}}`), doors[0], doors[3], "messages", "file"},
		{"a file of Anthropic's", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]}`, doors[2], doors[0], "messages", "file"},
		{"audio", `{"model":"m","input":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]}]}`, doors[1], doors[2], "input", "audio"},
		{"an uploaded image", `{"model":"m","input":[{"role":"user","content":[{"type":"input_image","file_id":"file-1"}]}]}`, doors[1], doors[0], "input", "another vendor keeps"},
		{"audio", `{"contents":[{"role":"user","parts":[{"text":"hi"},{"inlineData":{"mimeType":"audio/wav","data":"UklGRg=="}}]}]}`, doors[3], doors[2], "contents", "audio"},
		{"a video", `{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"video/mp4","data":"AAAA"}}]}]}`, doors[3], doors[0], "contents", "video"},
	} {
		t.Run(fmt.Sprintf("%s/%s on %s", tt.name, tt.client.name, tt.up.name), func(t *testing.T) {
			rig.answers(whole(200, tt.up.answer))
			path, body := tt.client.to(tt.up, tt.body)
			got := rig.ask(t, path, body)
			var answer struct {
				Error struct{ Param, Message string }
			}
			_ = json.Unmarshal([]byte(got.body), &answer)
			rig.checkRefusal(t, tt.client, got, 400, answer.Error.Param, tt.words)
			if (tt.client == doors[0] || tt.client == doors[1]) && !strings.HasPrefix(answer.Error.Param, tt.param) {
				t.Errorf("param %q, want %q", answer.Error.Param, tt.param)
			}
			rig.checkRecord(t, ledger{Status: 400, Error: "invalid_request", Source: gateway.SourceNone})
		})
	}
}

// TestTranslatedCap writes the lower cap of the site's and the model's into
// requests that have none, in the upstream's own member, and refuses a higher
// one.
func TestTranslatedCap(t *testing.T) {
	rig := newTranslation(t, "max_output_tokens 500", "max_output_tokens 1000")
	for client, up := range pairs {
		t.Run(client.name+" on "+up.name, func(t *testing.T) {
			rig.answers(whole(200, up.answer))
			open := strings.TrimSuffix(strings.Replace(client.whole, `"max_tokens":100,`, "", 1), "}")
			for limit, want := range map[int64]int64{0: 500, 7: 7} {
				_, body := client.to(up, open+"}")
				path, _ := client.to(up, client.whole)
				if limit > 0 {
					body = with(body, fmt.Sprintf(client.cap, limit))
				}
				if got := rig.ask(t, path, body); got.status != 200 {
					t.Fatalf("status %d, body %s", got.status, got.body)
				}
				sent := rig.upstreamCalls()[0].Body
				asked, err := codecs.Codec(operationOf(up)).DecodeRequest(sent)
				if err != nil || asked.MaxTokens != want {
					t.Errorf("%v, cap %d, want %d in %s", err, asked.MaxTokens, want, sent)
				}
				rig.record(t)
			}
			path, _ := client.to(up, client.whole)
			_, body := client.to(up, open+"}")
			if client.name == "chat" { // what thinking takes is of the cap
				rig.ask(t, path, with(body, `"reasoning_effort":"high"`))
				sent := rig.upstreamCalls()[0].Body
				if asked, err := codecs.Codec(operationOf(up)).DecodeRequest(sent); err != nil || asked.MaxTokens != 500 {
					t.Errorf("%v, cap %d in %s", err, asked.MaxTokens, sent)
				}
				rig.record(t)
			}
			got := rig.ask(t, path, with(body, fmt.Sprintf(client.cap, 501)))
			rig.checkRefusal(t, client, got, 400, client.capParam, "allows 500")
			rig.checkRecord(t, ledger{Status: 400, Error: "invalid_request", Source: gateway.SourceNone})
		})
	}
}

// TestTranslatedUsage tells the tokens of whole answers in the header as in the
// body and in the record.
func TestTranslatedUsage(t *testing.T) {
	rig := newTranslation(t, "", "")
	for client, up := range pairs {
		t.Run(client.name+" on "+up.name, func(t *testing.T) {
			rig.answers(whole(200, up.answer))
			path, body := client.to(up, client.whole)
			got := rig.ask(t, path, body)
			record := rig.checkTranslated(t, client, up, complete(up))
			res, err := codecs.Codec(clientOps[client.name]).DecodeResponse([]byte(got.body))
			if err != nil || got.status != 200 {
				t.Fatalf("status %d, %v, body %s", got.status, err, got.body)
			}
			if res.Usage.Input != 21 || res.Usage.Output != 7 {
				t.Errorf("usage %+v in %s", res.Usage, got.body)
			}
			for name, want := range map[string]string{
				"X-AI-Input-Tokens": strconv.FormatInt(res.Usage.Input, 10), "X-AI-Output-Tokens": strconv.FormatInt(res.Usage.Output, 10),
				"X-AI-Provider": up.name + "-p", "X-AI-Model": up.model, "Content-Type": "application/json", "Content-Length": strconv.Itoa(len(got.body)),
			} {
				if v := got.header.Get(name); v != want {
					t.Errorf("%s %q, want %q", name, v, want)
				}
			}
			if record.Stream || record.BytesOut != int64(len(got.body)) {
				t.Errorf("stream %v, %d bytes", record.Stream, record.BytesOut)
			}
		})
	}
}

// TestAnswerWithoutCandidates refuses an answer of Gemini's that holds none: clients
// of other dialects look at the first without asking whether it is there.
func TestAnswerWithoutCandidates(t *testing.T) {
	rig := newTranslation(t, "", "")
	up := doors[3]
	rig.answers(whole(200, `{"candidates":[],"usageMetadata":{"promptTokenCount":21,"totalTokenCount":21},"modelVersion":"gemini-2.5-flash"}`))
	for _, client := range doors[:3] {
		t.Run(client.name, func(t *testing.T) {
			path, body := client.to(up, client.whole)
			checkReply(t, errorReply(client, failed(wire.KindUpstream, "answer", "the upstream's answer is not what its dialect promises")), rig.ask(t, path, body))
			rig.record(t)
		})
	}
}

// TestTranslatedAnswerFaults shows every pair of dialects the faults of whole
// answers.
func TestTranslatedAnswerFaults(t *testing.T) {
	rig := newTranslation(t, "", "")
	for client, up := range pairs {
		for _, f := range answerFaults {
			if f.err == nil || up.errorBody == "" && f.name == "error with status 200" {
				continue
			}
			t.Run(client.name+" on "+up.name+"/"+f.name, func(t *testing.T) {
				rig.answers(f.answer(up))
				path, body := client.to(up, client.whole)
				got := rig.ask(t, path, body)
				e := *f.err
				if f.name == "error with status 200" {
					e.Message = "the upstream reported an error: it broke"
				}
				checkReply(t, errorReply(client, &e), got)
				want := unseen(up, f.err, false)
				want.Status = f.err.Kind.Status(client.dialect)
				want.Input = 1 // estimated
				rig.checkTranslated(t, client, up, want)
			})
		}
	}
}

// TestDroppedInLogs names what was left out in the access log and the usage
// log too.
func TestDroppedInLogs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	client, up := doors[0], doors[2]
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	upstream := weirtest.NewUpstream(t, func(w http.ResponseWriter, r *weirtest.Request) { whole(200, up.answer)(w, r) })
	g := weirtest.StartWith(t, logTo(file), fmt.Sprintf("provider up anthropic {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel m up/%s\nusage log", upstream.URL, up.model), "log\nai_gateway")
	httpClient := newClient(t)
	post(t, httpClient, g.URL+client.path, with(client.whole, `"seed":7,"brand_new":1`))
	post(t, httpClient, g.URL+client.path, client.whole)
	g.Records.Wait(t, 2)
	read := func(logger, member string) (lists [][]string) {
		for _, line := range logLines(t, file, logger) {
			if strings.Contains(string(line), `"method":"HEAD"`) {
				continue // the harness's own
			}
			var object map[string]json.RawMessage
			if member != "" {
				if err := json.Unmarshal(line, &object); err != nil {
					t.Fatal(err)
				}
				line = object[member]
			}
			var record struct{ Dropped []string }
			if err := json.Unmarshal(line, &record); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
			lists = append(lists, record.Dropped)
		}
		return lists
	}
	want := [][]string{{"seed", "brand_new"}, nil}
	for logger, member := range map[string]string{"ai.usage": "", "http.log.access": "ai"} {
		eventually(t, "all lines", func() bool { return len(read(logger, member)) >= 2 })
		if diff := cmp.Diff(want, read(logger, member)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", logger, diff)
		}
	}
}
