package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
	codecs "github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/wiretest"
)

// endless answers with pieces of head, then word after word, until the caller
// leaves; gone is closed then. It ignores every cap.
func (d *door) endless(head string, word func(i int) string, gone chan<- struct{}) answerer {
	frame := func(s string) []byte { return []byte(s) }
	kind := "text/event-stream"
	if d.dialect == wire.Bedrock {
		frame = func(s string) []byte { return framed([]byte(s)) }
		kind = "application/vnd.amazon.eventstream"
	}
	return func(w http.ResponseWriter, r *weirtest.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(frame(head))
		for i := range 2000 {
			if _, err := w.Write(frame(word(i))); err != nil {
				break
			}
			weirtest.Flush(w)
		}
		<-r.Gone
		close(gone)
	}
}

// endlessWords is a text that never ends.
func (d *door) endlessWords(gone chan<- struct{}) answerer {
	return d.endless(d.prelude, func(i int) string { return fmt.Sprintf(d.word, " word"+strconv.Itoa(i)) }, gone)
}

// endlessCall is a call whose arguments never end; where calls come whole,
// calls that never end.
func (d *door) endlessCall(gone chan<- struct{}) answerer {
	encoder := codecs.Codec(operationOf(d)).StreamEncoder(&wire.Reply{ID: "x", Model: d.model, Created: 1})
	encode := func(events ...wire.Event) string {
		var out []byte
		for i := range events {
			out = encoder.Encode(out, &events[i])
		}
		return string(out)
	}
	block := func(i int) wire.Event {
		return wire.Event{Kind: wire.EventBlock, Index: i, Block: wire.CallBlock, ID: "call_" + strconv.Itoa(i), Name: "weather"}
	}
	start := wire.Event{Kind: wire.EventStart, ID: "id-1", Model: d.model, Created: 1}
	if d.dialect == wire.Gemini {
		return d.endless(encode(start), func(i int) string {
			return encode(block(i), wire.Event{Kind: wire.EventDelta, Index: i, Text: []byte(`{"city":"Kyiv"}`)}, wire.Event{Kind: wire.EventBlockEnd, Index: i})
		}, gone)
	}
	return d.endless(encode(start, block(0)), func(i int) string {
		text := " word" + strconv.Itoa(i)
		if i == 0 {
			text = `{"city":"`
		}
		return encode(wire.Event{Kind: wire.EventDelta, Text: []byte(text)})
	}, gone)
}

// asksUsage adds what a client of chat has to say to be told its usage.
func (d *door) asksUsage(body string) string {
	if d.name == "chat" {
		return with1(body, `"stream_options":{"include_usage":true}`)
	}
	return body
}

// TestCutAtCap lets upstreams of every dialect ignore the cap, for clients of
// every dialect.
func TestCutAtCap(t *testing.T) {
	const most = 40
	r := newTranslation(t, "max_output_tokens 40\non_exceed cut", "on_exceed finish")
	for _, client := range doors {
		for _, up := range upstreams() {
			for _, what := range []string{"text", "call"} {
				t.Run(client.name+"/"+up.name+"/"+what, func(t *testing.T) {
					gone := make(chan struct{})
					if what == "text" {
						r.answers(up.endlessWords(gone))
					} else {
						r.answers(up.endlessCall(gone))
					}
					body := strings.Replace(client.body, `"max_tokens":100,`, "", 1)
					path, body := client.to(up, client.asksUsage(body))
					got := r.ask(t, path, body)
					if got.status != 200 || got.cut {
						t.Fatalf("status %d, cut %v: %s", got.status, got.cut, clip(got.body))
					}
					if !weirtest.Within(gone) {
						t.Error("the upstream goes on")
					}
					res, _ := decode(t, client, got.body)
					if len(res.Choices) != 1 || res.Choices[0].Finish != wire.FinishLength {
						t.Fatalf("choices %+v in\n%s", res.Choices, clip(got.body))
					}
					if what == "text" && !strings.HasPrefix(textOf(res), " word0 word1") {
						t.Errorf("the text is %q", textOf(res))
					}
					if calls := strings.Contains(got.body, "weather"); calls != (what == "call") {
						t.Errorf("a call %v in\n%s", calls, clip(got.body))
					}
					if client.name == "responses" && what == "call" {
						checkSequence(t, got.body)
					}
					record := r.record(t)
					if record.Status != 200 || record.Error != "" || record.FinishReason != "length" || record.UsageSource != gateway.SourceEstimated || record.Cut != gateway.CutByCap || record.ClientGone {
						t.Errorf("record %+v", record)
					}
					if n := record.Usage.Output; n <= most || n > most*3/2 {
						t.Errorf("%d tokens of output", n)
					}
					if res.Usage.Usage != record.Usage {
						t.Errorf("the client was told %+v, the record has %+v", res.Usage.Usage, record.Usage)
					}
				})
			}
		}
	}
}

// TestCutInside holds what of the answer a client gets: all but the word that
// exceeds the cap, then the end, and nothing if that was the first.
func TestCutInside(t *testing.T) {
	d := doors[0]
	r := newRig(t, d, "", "on_exceed cut")
	for _, tt := range []struct{ cap, words int }{{1, 0}, {2, 1}, {9, 4}} {
		gone := make(chan struct{})
		r.answers(d.endlessWords(gone))
		got := r.ask(t, d.path, with1(d.body, fmt.Sprintf(`"max_tokens":%d`, tt.cap)))
		want := d.prelude + d.words(tt.words) +
			`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}]}` + "\n\ndata: [DONE]\n\n"
		if got.body != want || got.cut {
			t.Errorf("max_tokens %d: cut %v\n%s", tt.cap, got.cut, got.body)
		}
		if n := r.record(t).Usage.Output; n != int64(2*tt.words+2) {
			t.Errorf("max_tokens %d: %d tokens are charged", tt.cap, n)
		}
		if !weirtest.Within(gone) {
			t.Error("the upstream goes on")
		}
	}
	// An answer that keeps to its cap, and one where nothing is cut.
	for body, words := range map[string]int{
		with1(d.body, `"max_tokens":8`):          4,
		d.body:                                   300,
		with1(d.body, `"max_tokens":8,"n":2`):    8,
		with1(d.body, `"max_tokens":1000000000`): 300,
	} {
		r.answers(events(d.stream(words)))
		if got := r.ask(t, d.path, body); got.body != d.shown(words) {
			t.Errorf("%s\n%s", body, clip(got.body))
		}
		if record := r.record(t); record.Cut != "" || record.UsageSource != gateway.SourceProvider {
			t.Errorf("record %+v", record)
		}
	}
}

// TestCutMetadata puts the metadata event of a stream that was cut before its
// terminator.
func TestCutMetadata(t *testing.T) {
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			r := newRig(t, d, "max_output_tokens 8", "on_exceed cut")
			gone := make(chan struct{})
			r.answers(d.endlessWords(gone))
			got := r.ask(t, d.path, strings.Replace(d.body, `"max_tokens":100`, `"max_tokens":8`, 1), "X-AI-Metadata: on")
			meta := strings.Index(strings.ToLower(strings.ReplaceAll(got.body, "_", "")), "aimetadata")
			end := strings.LastIndex(got.body, strings.SplitN(strings.TrimSpace(d.end), `"`, 2)[0])
			if d.name == "responses" {
				end = strings.LastIndex(got.body, "event: response.incomplete")
			}
			if meta < 0 || d.end != "" && meta > end {
				t.Errorf("metadata at %d, the end at %d:\n%s", meta, end, got.body)
			}
			record := r.record(t)
			if told := fmt.Sprintf(`"output_tokens":%d`, record.Usage.Output); !strings.Contains(got.body, told) {
				t.Errorf("%s is missing in\n%s", told, got.body)
			}
		})
	}
}

// TestCutArray cuts a stream that its client wants as a JSON array.
func TestCutArray(t *testing.T) {
	gemini := doors[3]
	r := newTranslation(t, "max_output_tokens 20\non_exceed cut", "")
	for _, up := range upstreams() {
		gone := make(chan struct{})
		r.answers(up.endlessWords(gone))
		path, body := gemini.to(up, gemini.body)
		got := r.ask(t, strings.TrimSuffix(path, "?alt=sse"), body)
		var chunks []struct {
			Candidates []struct{ FinishReason string }
			Usage      struct{ CandidatesTokenCount int64 } `json:"usageMetadata"`
		}
		if err := json.Unmarshal([]byte(got.body), &chunks); err != nil || len(chunks) < 2 {
			t.Errorf("%s: %v in %s", up.name, err, got.body)
			continue
		}
		last := chunks[len(chunks)-1]
		if last.Candidates[0].FinishReason != "MAX_TOKENS" || last.Usage.CandidatesTokenCount != r.record(t).Usage.Output {
			t.Errorf("%s: %s", up.name, got.body)
		}
	}
}

// TestCutCompletions cuts legacy completions, passed on and translated.
func TestCutCompletions(t *testing.T) {
	for name, up := range map[string]*door{
		"same": {
			name: "completions", provider: "openai", model: "gpt-3.5-turbo-instruct", dialect: wire.OpenAI,
			word: `data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"gpt-3.5-turbo-instruct","choices":[{"index":0,"text":"%s","logprobs":null,"finish_reason":null}]}` + "\n\n",
		},
		"messages": doors[2],
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, up, "max_output_tokens 20\non_exceed cut", "")
			gone := make(chan struct{})
			r.answers(up.endlessWords(gone))
			got := r.ask(t, "/v1/completions", `{"model":"m","prompt":"hi","stream":true,"stream_options":{"include_usage":true}}`)
			res, _, err := wiretest.Collect(codecs.Codec(wire.Completions).StreamDecoder(), []byte(got.body), 0)
			if err != nil {
				t.Fatalf("decoding: %v in\n%s", err, got.body)
			}
			record := r.record(t)
			if got.cut || res.Choices[0].Finish != wire.FinishLength || res.Usage.Output != record.Usage.Output || record.Cut != gateway.CutByCap {
				t.Errorf("cut %v, record %+v:\n%s", got.cut, record, got.body)
			}
			if !strings.Contains(got.body, "text_completion") || !strings.HasSuffix(got.body, "data: [DONE]\n\n") || !strings.Contains(got.body, " word1") {
				t.Errorf("answer\n%s", got.body)
			}
		})
	}
}

// saysWords is an upstream that says n words of two tokens each, whatever it is
// asked for, and reports them.
func saysWords(n int) func(http.ResponseWriter, *weirtest.Request) {
	d := doors[0]
	report := chunk(fmt.Sprintf(`[],"usage":{"prompt_tokens":8,"completion_tokens":%d,"total_tokens":%d}`, 2*n, 2*n+8))
	return func(w http.ResponseWriter, _ *weirtest.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, d.prelude)
		for i := range n {
			_, _ = fmt.Fprintf(w, d.word, " word"+strconv.Itoa(i%10))
			weirtest.Flush(w)
		}
		_, _ = io.WriteString(w, d.finish+report+d.end)
	}
}

// TestCutByLimit lets streams go on beyond what they have reserved, 8 tokens
// of prompt and 20 of output, into limits with more and with less room.
func TestCutByLimit(t *testing.T) {
	const price = "price openai/gpt-4o input 10 output 10\n" // 10,000 nano-dollars a token
	for _, tt := range []struct {
		name, limit string
		words       int
		least, most int64 // tokens that are charged, with the prompt's
		cut         string
	}{
		{"room for all", "tokens 1000 1h on_exceed cut", 200, 408, 408, ""},
		{"keeps to its reservation", "tokens 30 1h on_exceed cut", 9, 26, 26, ""},
		{"no room", "tokens 30 1h on_exceed cut", 200, 28, 32, gateway.CutByLimit},
		{"some room", "tokens 300 1h on_exceed cut", 200, 280, 302, gateway.CutByLimit},
		{"output tokens", "output_tokens 200 1h on_exceed cut", 200, 185, 210, gateway.CutByLimit},
		{"dollars", "usd 0.003 1M on_exceed cut", 200, 280, 302, gateway.CutByLimit},
		{"finishes by default", "tokens 30 1h", 200, 408, 408, ""},
		{"finishes", "tokens 30 1h on_exceed finish", 200, 408, 408, ""},
		{"a shadow", "tokens 30 1h shadow on_exceed cut", 200, 408, 408, ""},
		{"the tightest", "tokens 1000 1h on_exceed cut\nlimit output_tokens 50 1m on_exceed cut\nlimit tokens 30 2h", 200, 55, 60, gateway.CutByLimit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, up := access(t, price+"key ci {env.CI_KEY} {\nlimit "+tt.limit+"\n}", "ai_gateway", saysWords(tt.words))
			const key = "a-secret-of-ci-0001"
			status, _, body := askWith(t, g, "/v1/chat/completions", key, with1(hi, `"stream":true`))
			if status != 200 || !strings.HasSuffix(body, "data: [DONE]\n\n") {
				t.Fatalf("status %d: %s", status, clip(body))
			}
			if strings.Contains(body, `"length"`) != (tt.cut != "") {
				t.Errorf("body %s", clip(body))
			}
			record := g.Records.Wait(t, 1)[0]
			total := record.Usage.Input + record.Usage.Output
			if record.Cut != tt.cut || total < tt.least || total > tt.most {
				t.Errorf("cut %q with %d tokens", record.Cut, total)
			}
			if calls := len(up.Requests()); calls != 1 {
				t.Errorf("%d calls", calls)
			}
			// What the ledger has is what the limit has counted.
			_, _, refusal := askWith(t, g, "/v1/chat/completions", key, strings.Replace(hi, "20", "100000000", 1))
			unit, _, _ := strings.Cut(tt.limit, " ")
			used := map[string]string{
				"tokens": fmt.Sprint(total), "output_tokens": fmt.Sprint(record.Usage.Output), "usd": fmt.Sprintf("0.00%d usd", total),
			}[unit]
			if unit == "usd" {
				used = strings.TrimRight(strings.TrimSuffix(used, " usd"), "0") + " usd"
			}
			if tt.name == "a shadow" || tt.name == "the tightest" {
				return
			}
			if !strings.Contains(refusal, "used "+used+",") {
				t.Errorf("want used %s: %s", used, refusal)
			}
		})
	}
}

// TestCutRace lets streams race for the last room of one limit: together they
// get no more than the limit, but for the one word that each was cut at.
func TestCutRace(t *testing.T) {
	const streams, limit = 16, 2000
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	t.Setenv("UPSTREAM_KEY", "sk-upstream")
	// No stream speaks before all have their reservation: a late one would find
	// the room gone, and be refused.
	var reserved atomic.Int32
	all := make(chan struct{})
	say := saysWords(300)
	up := weirtest.NewUpstream(t, func(w http.ResponseWriter, q *weirtest.Request) {
		if reserved.Add(1) == streams {
			close(all)
		}
		select {
		case <-all:
			say(w, q)
		case <-t.Context().Done():
		}
	})
	ai := fmt.Sprintf("provider openai {\nbase_url %s/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel m openai/gpt-4o\nkey ci {env.CI_KEY} {\nlimit tokens %d 1h on_exceed cut\n}", up.URL, limit)
	g := weirtest.Start(t, ai, "ai_gateway")
	admin := weirtest.FreeAddr(t)
	if err := loadConfig(t, administered(g.Caddyfile("", ai, "ai_gateway"), admin)); err != nil {
		t.Fatal(err)
	}
	client := newClient(t)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	before := scrape(t, client, admin)
	var wg sync.WaitGroup
	for range streams {
		wg.Go(func() {
			status, _, body := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", with1(hi, `"stream":true`))
			if status != 200 || !strings.HasSuffix(body, "data: [DONE]\n\n") {
				t.Errorf("status %d: %s", status, clip(body))
			}
		})
	}
	wg.Wait()
	total, cut := int64(0), 0
	for _, r := range g.Records.Wait(t, streams) {
		total += r.Usage.Input + r.Usage.Output
		if r.Cut != "" {
			cut++
		}
	}
	// How much of the room is unused in the end is for the scheduler to say: streams
	// hold some ahead of what they show, which they give back only when they end.
	if total > limit+2*streams || total < limit/2 || cut == 0 {
		t.Errorf("%d tokens, %d streams were cut", total, cut)
	}
	_, _, refusal := askWith(t, g, "/v1/chat/completions", "a-secret-of-ci-0001", strings.Replace(hi, "20", "100000000", 1))
	if !strings.Contains(refusal, fmt.Sprintf("used %d,", total)) {
		t.Errorf("%d were charged: %s", total, refusal)
	}
	const series = `caddy_ai_limit_decisions_total{decision="cut",unit="tokens"}`
	if rose := scrape(t, client, admin)[series] - before[series]; rose != float64(cut) {
		t.Errorf("%s rose by %v, but %d streams were cut", series, rose, cut)
	}
}

// TestCutWords loads configurations with the option and its mistakes.
func TestCutWords(t *testing.T) {
	for _, tt := range []struct{ model, site, problem string }{
		{"on_exceed cut", "on_exceed finish", ""},
		{"limit tokens 1k 1m on_exceed cut", "", ""},
		{"on_exceed cutt", "", "did you mean 'cut'?"},
		{"on_exceed", "", "rong argument count"},
		{"on_exceed cut\non_exceed cut", "", "on_exceed is given twice"},
		{"on_exced cut", "", "did you mean 'on_exceed'?"},
		{"", "on_exceed finsh", "did you mean 'finish'?"},
		{"", "on_exceed cut finish", "rong argument count"},
		{"", "on_exceed cut\non_exceed cut", "on_exceed is given twice"},
		{"", "on_exced cut", "did you mean 'on_exceed'?"},
		{"limit requests 10 1m on_exceed cut", "", "a running stream uses no more requests"},
	} {
		_, err := weirtest.Adapt(fmt.Sprintf("{\nai {\nprovider sim simulator\nmodel m sim/default {\n%s\n}\n}\n}\nhttp://127.0.0.1:1 {\nai_gateway {\n%s\n}\n}", tt.model, tt.site))
		if (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%q, %q: %v, want %q", tt.model, tt.site, err, tt.problem)
		}
	}
}
