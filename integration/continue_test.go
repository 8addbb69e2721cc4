package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/wire"
	codecs "github.com/weirproxy/weir/wire/doors"
)

// relay is a gateway whose models `<first>-<second>` have a target of every
// dialect, and one of every dialect that goes on with its answers.
type relayed struct {
	*rig

	mu    sync.Mutex
	parts map[string][]answerer // by "first" and "second", in their order
	asked []*weirtest.Request   // of second
}

func newRelayed(t *testing.T, options string) *relayed {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	r := &relayed{rig: &rig{}}
	r.up = weirtest.NewUpstream(t, func(w http.ResponseWriter, req *weirtest.Request) {
		role, _, _ := strings.Cut(req.Path[1:], "/")
		if role == "third" {
			role = "second"
		}
		r.mu.Lock()
		list := r.parts[role]
		var answer answerer
		if len(list) > 0 {
			answer, r.parts[role] = list[0], list[1:]
		}
		if role == "second" {
			r.asked = append(r.asked, req)
		}
		r.mu.Unlock()
		if answer == nil {
			http.Error(w, `{"error":{"message":"nothing to say"}}`, http.StatusServiceUnavailable)
			return
		}
		answer(w, req)
	})
	var ai strings.Builder
	for _, role := range []string{"first", "second", "third"} {
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
			fmt.Fprintf(&ai, "provider %s-%s %s {\nbase_url %s/%s/%s%s\napi_key {env.UPSTREAM_KEY}\n%s\n}\n", role, d.name, d.provider, r.up.URL, role, d.name, base, more)
		}
	}
	for _, first := range upstreams() {
		for _, second := range upstreams() {
			fmt.Fprintf(&ai, "model %s-%s first-%s/%s {\nfallback second-%s/%s third-%s/%s\nfail_duration off\non_cut continue\n%s\n}\n",
				first.name, second.name, first.name, first.model, second.name, second.model, second.name, second.model, options)
		}
	}
	r.Gateway = weirtest.Start(t, ai.String(), "ai_gateway")
	return r
}

// play sets what the targets do, one after the other.
func (r *relayed) play(first answerer, second ...answerer) {
	r.mu.Lock()
	r.parts, r.asked = map[string][]answerer{"first": {first}, "second": second}, nil
	r.mu.Unlock()
}

func (r *relayed) second() []*weirtest.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

// sayTo asks as client for the model `<first>-<second>`.
func (r *relayed) say(t *testing.T, client, first, second *door, body string, headers ...string) *reply {
	t.Helper()
	name := first.name + "-" + second.name
	if client.inPath() {
		return r.ask(t, strings.Replace(client.pathOf(client.body), "/m:", "/"+name+":", 1), body, headers...)
	}
	return r.ask(t, client.path, strings.Replace(body, `"m"`, `"`+name+`"`, 1), headers...)
}

// said is an answer as its vendor sends it; without whole it breaks off behind
// the last piece of the text.
func (d *door) said(whole bool, pieces ...string) string {
	encoder := codecs.Codec(operationOf(d)).StreamEncoder(&wire.Reply{ID: d.name + "9", Model: d.model, Created: 7, Request: &wire.Request{IncludeUsage: true}})
	list := []wire.Event{{Kind: wire.EventStart, ID: "", Model: d.model, Created: 7}, {Kind: wire.EventBlock, Block: wire.TextBlock}}
	for _, p := range pieces {
		list = append(list, wire.Event{Kind: wire.EventDelta, Text: []byte(p)})
	}
	if whole {
		list = append(list, wire.Event{Kind: wire.EventBlockEnd}, wire.Event{Kind: wire.EventFinish, Finish: wire.FinishStop},
			wire.Event{Kind: wire.EventUsage, Usage: &wire.Report{Usage: wire.Usage{Input: 90, Output: 5}, Reported: true}}, wire.Event{Kind: wire.EventEnd})
	}
	var out []byte
	for i := range list {
		out = encoder.Encode(out, &list[i])
	}
	return string(out)
}

// breaks plays a stream that dies at its end.
func (d *door) breaks(stream string) answerer {
	if d.dialect == wire.Bedrock {
		return framesOf(framed([]byte(stream)))
	}
	return cutAfter(stream)
}

// checkJoined checks a stream that another target has gone on with: one start,
// one end, one text, and numbers without a gap where there are numbers.
func checkJoined(t *testing.T, client *door, got *reply, want string) *wire.Response {
	t.Helper()
	res := checkOne(t, client, got, want)
	if client.name == "responses" {
		checkSequence(t, got.body)
	}
	return res
}

// checkOne is checkJoined without the numbers.
func checkOne(t *testing.T, client *door, got *reply, want string) *wire.Response {
	t.Helper()
	if got.status != 200 || got.cut {
		t.Fatalf("status %d, cut %v\n%s", got.status, got.cut, got.body)
	}
	res, events := decode(t, client, got.body)
	if text := textOf(res); text != want {
		t.Errorf("text %q, want %q in\n%s", text, want, got.body)
	}
	if last := events[len(events)-1].Kind; last != wire.EventEnd || res.Failure != nil || res.Choices[0].Finish != wire.FinishStop {
		t.Errorf("last event %v, failure %v, in\n%s", last, res.Failure, got.body)
	}
	ids := map[string]string{"chat": `"id":"`, "gemini": `"responseId":"`, "responses": `"response":{"id":"`, "messages": `"message":{"id":"`}[client.name]
	seen := map[string]bool{}
	for _, rest := range strings.Split(got.body, ids)[1:] {
		id, _, _ := strings.Cut(rest, `"`)
		seen[id] = true
	}
	if len(seen) != 1 {
		t.Errorf("ids %v in\n%s", seen, got.body)
	}
	for _, once := range []string{`"role":"assistant","content":"","refusal"`, "event: message_start", "event: content_block_start", "event: response.created", "event: response.output_item.added"} {
		if n := strings.Count(got.body, once); n > 1 {
			t.Errorf("%d times %s in\n%s", n, once, got.body)
		}
	}
	return res
}

// TestContinue lets targets of every dialect break off and others of every
// dialect go on, for clients of every dialect.
func TestContinue(t *testing.T) {
	r := newRelayed(t, "")
	for _, client := range doors {
		for _, first := range upstreams() {
			for _, second := range upstreams() {
				t.Run(client.name+"/"+first.name+"/"+second.name, func(t *testing.T) {
					begun := first.said(false, "We went", " down to the riv")
					r.play(first.breaks(begun), second.plays(second.said(true, "to the", " river and", " on.")))
					got := r.say(t, client, first, second, client.asksUsage(client.body), "X-AI-Metadata: on")
					res := checkJoined(t, client, got, "We went down to the river and on.")
					if client.name == first.name && !strings.HasPrefix(got.body, begun) {
						t.Errorf("the first half is not as it came:\n%s\n%s", begun, got.body)
					}
					if !strings.Contains(got.body, `"continued":1`) && !strings.Contains(got.body, `\"continued\":1`) {
						t.Errorf("no mark in\n%s", got.body)
					}
					record := r.record(t)
					if record.Error != "" || record.Attempts != 2 || record.Continued != 1 || record.Provider != "second-"+second.name || record.UsageSource != gateway.SourceEstimated {
						t.Errorf("record %+v", record)
					}
					if record.Usage != res.Usage.Usage || record.Usage.Input == 90 || record.Usage.Output < 6 {
						t.Errorf("the client was told %+v, the record has %+v", res.Usage.Usage, record.Usage)
					}
					if trail := record.Trail; len(trail) != 2 || trail[0].Error == "" || trail[1].Reason != gateway.ReasonContinue || trail[1].Error != "" {
						t.Errorf("trail %+v", trail)
					}
					asked := string(r.second()[0].Body)
					quoted := strings.Contains(asked, "answer_so_far")
					if !strings.Contains(asked, `"hi`) {
						t.Errorf("asked without the client's own words: %s", asked)
					}
					if prefilled := second.name == "messages" || second.name == "bedrock"; prefilled == quoted || !strings.Contains(asked, "We went down to the riv") {
						t.Errorf("asked with %s", asked)
					}
				})
			}
		}
	}
}

// TestContinueSeams joins what upstreams really say at a seam.
func TestContinueSeams(t *testing.T) {
	r := newRelayed(t, "")
	for _, tt := range []struct {
		name          string
		first, second []string
		want          string
	}{
		{"goes on", []string{"One", " two"}, []string{" three"}, "One two three"},
		{"inside a word", []string{"One tw"}, []string{"o three"}, "One two three"},
		{"the last words again", []string{"It was a dark and stormy"}, []string{"a dark", " and stormy", " night"}, "It was a dark and stormy night"},
		{"the sentence again", []string{"One. It was a dark and"}, []string{"It was", " a dark and stormy night"}, "One. It was a dark and stormy night"},
		{"all again", []string{"One. It was a dark and"}, []string{"One. It", " was a dark and stormy night"}, "One. It was a dark and stormy night"},
		{"spaces", []string{"One two "}, []string{" three"}, "One two three"},
		{"nothing more", []string{"One two."}, nil, "One two."},
		{"held to the end", []string{"One two three four"}, []string{"two"}, "One two three fourtwo"},
		{"other letters", []string{"Wir gehen über die Br"}, []string{"über die Brücke"}, "Wir gehen über die Brücke"},
	} {
		for _, d := range doors {
			t.Run(tt.name+"/"+d.name, func(t *testing.T) {
				r.play(d.breaks(d.said(false, tt.first...)), d.plays(d.said(true, tt.second...)))
				checkJoined(t, d, r.say(t, d, d, d, d.body), tt.want)
				r.record(t)
			})
		}
	}
}

// TestContinueTwice goes on with what went on, and with what was refused.
func TestContinueTwice(t *testing.T) {
	r := newRelayed(t, "")
	for _, d := range doors {
		for name, second := range map[string][]answerer{
			"breaks again": {d.breaks(d.said(false, " three four")), d.plays(d.said(true, " five"))},
			"refuses":      {whole(503, d.errorBody), d.plays(d.said(true, " three four five"))},
			"fails unseen": {d.breaks(d.said(false)), d.plays(d.said(true, " three four five"))},
			"begins anew":  {d.plays(d.said(true, "One two, which is the beginning of it all over")), d.plays(d.said(true, " three four five"))},
		} {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				first := "One two"
				if name == "begins anew" {
					first = "One two, which is the beginning of it and of three: one two"
				}
				r.play(d.breaks(d.said(false, first)), second...)
				checkJoined(t, d, r.say(t, d, d, d, d.body), first+" three four five")
				if record := r.record(t); record.Attempts != 3 || record.Error != "" || len(record.Trail) != 3 {
					t.Errorf("record %+v", record)
				}
			})
		}
		t.Run(d.name+"/and no more", func(t *testing.T) {
			r.play(d.breaks(d.said(false, "One two")), whole(503, d.errorBody), whole(503, d.errorBody), d.plays(d.said(true, " three")))
			got := r.say(t, d, d, d, d.body)
			res, _ := decode(t, d, got.body)
			if !got.cut || textOf(res) != "One two" || !strings.Contains(got.body, "broke off") || strings.Contains(got.body, "503") {
				t.Errorf("cut %v\n%s", got.cut, got.body)
			}
			record := r.record(t)
			if record.Attempts != 3 || record.Phase != "stream" || record.Continued != 0 || record.Provider != "first-"+d.name {
				t.Errorf("record %+v", record)
			}
		})
	}
}

// TestContinueFaults are the deaths of a stream that are gone on with, and those
// that are not.
func TestContinueFaults(t *testing.T) {
	r := newRelayed(t, "idle_timeout 300ms")
	for _, d := range doors {
		begun := d.said(false, "One two")
		idle := func(w http.ResponseWriter, req *weirtest.Request) {
			events(begun)(w, req)
			weirtest.Flush(w)
			<-req.Gone
		}
		for name, first := range map[string]answerer{
			"reset": resetAfter(begun), "clean end": events(begun), "idle": idle, "its own error": events(begun + d.failure),
			"garbage": events(begun + "data: {\n\n"),
		} {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				r.play(first, d.plays(d.said(true, " three")))
				checkJoined(t, d, r.say(t, d, d, d, d.body), "One two three")
				if record := r.record(t); record.Continued != 1 {
					t.Errorf("record %+v", record)
				}
			})
			t.Run(d.name+"/"+name+", alone", func(t *testing.T) {
				r.play(first) // the others are overloaded
				got := r.say(t, d, d, d, d.body)
				res, _ := decode(t, d, strings.Replace(got.body, "data: {\n\n", "", 1))
				if !got.cut || textOf(res) != "One two" || res.Failure == nil {
					t.Errorf("cut %v\n%s", got.cut, got.body)
				}
				if name == "its own error" && !strings.HasSuffix(got.body, d.failure) {
					t.Errorf("its words are missing in\n%s", got.body)
				}
				r.record(t)
			})
		}
	}
}

// TestNotContinued are answers that nobody can go on with.
func TestNotContinued(t *testing.T) {
	r := newRelayed(t, "")
	chat, responses, messages, gemini := doors[0], doors[1], doors[2], doors[3]
	call := func(d *door) string {
		encoder := codecs.Codec(operationOf(d)).StreamEncoder(&wire.Reply{ID: "9", Model: d.model, Created: 7})
		var out []byte
		for _, ev := range []wire.Event{
			{Kind: wire.EventStart, Model: d.model},
			{Kind: wire.EventBlock, Block: wire.TextBlock},
			{Kind: wire.EventDelta, Text: []byte("One two")},
			{Kind: wire.EventBlockEnd},
			{Kind: wire.EventBlock, Index: 1, Block: wire.CallBlock, ID: "call_1", Name: "f"},
			{Kind: wire.EventDelta, Index: 1, Text: []byte(`{"a":1}`)},
			{Kind: wire.EventBlockEnd, Index: 1},
		} {
			out = encoder.Encode(out, &ev)
		}
		return string(out)
	}
	thought := func(d *door) string {
		encoder := codecs.Codec(operationOf(d)).StreamEncoder(&wire.Reply{ID: "9", Model: d.model, Created: 7})
		var out []byte
		for _, ev := range []wire.Event{
			{Kind: wire.EventStart, Model: d.model}, {Kind: wire.EventBlock, Block: wire.ThinkingBlock}, {Kind: wire.EventDelta, Text: []byte("Hm")},
		} {
			out = encoder.Encode(out, &ev)
		}
		return string(out)
	}
	type tt struct {
		name   string
		d      *door
		body   string
		stream string
	}
	var tests []tt
	for _, d := range doors {
		tests = append(tests, tt{"a call", d, d.body, call(d)}, tt{"a thought", d, d.body, thought(d)},
			tt{"after the finish", d, d.body, strings.Replace(d.said(true, "One two"), d.end, "", 1)})
	}
	tests[2].stream = strings.Replace(tests[2].stream, "[DONE]", "", 1)
	tests = slices.DeleteFunc(tests, func(x tt) bool { return x.name == "after the finish" && x.d.name != "messages" })
	for _, c := range []struct {
		d   *door
		add string
	}{
		{chat, `"response_format":{"type":"json_object"}`},
		{chat, `"n":2`},
		{chat, `"logprobs":true`},
		{chat, `"guided_json":{}`},
		{chat, `"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object"}}}`},
		{chat, `"modalities":["text","audio"],"audio":{"voice":"ash","format":"mp3"}`},
		{responses, `"text":{"format":{"type":"json_schema","name":"x","schema":{"type":"object"}}}`},
		{responses, `"background":true`},
		{messages, `"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}`},
		{gemini, `"generationConfig":{"responseMimeType":"application/json"}`},
		{gemini, `"generationConfig":{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["a"]}}`},
	} {
		tests = append(tests, tt{c.add, c.d, with1(c.d.body, c.add), c.d.said(false, "One two")})
	}
	for _, tt := range tests {
		t.Run(tt.d.name+"/"+tt.name, func(t *testing.T) {
			r.play(tt.d.breaks(tt.stream), tt.d.plays(tt.d.said(true, " three")))
			got := r.say(t, tt.d, tt.d, tt.d, tt.body)
			if got.status != 200 || !got.cut || len(r.second()) != 0 {
				t.Errorf("status %d, cut %v, asked %d\n%s", got.status, got.cut, len(r.second()), got.body)
			}
			if record := r.record(t); record.Attempts != 1 || record.Continued != 0 || record.Error == "" {
				t.Errorf("record %+v", record)
			}
		})
	}
}

// TestContinueThenCalls lets the target that goes on think, and call a tool.
func TestContinueThenCalls(t *testing.T) {
	r := newRelayed(t, "")
	for _, client := range doors {
		for _, second := range doors {
			t.Run(client.name+"/"+second.name, func(t *testing.T) {
				encoder := codecs.Codec(operationOf(second)).StreamEncoder(&wire.Reply{ID: "9", Model: second.model, Created: 7})
				var out []byte
				for _, ev := range []wire.Event{
					{Kind: wire.EventStart, Model: second.model},
					{Kind: wire.EventBlock, Block: wire.ThinkingBlock},
					{Kind: wire.EventDelta, Text: []byte("Hm")},
					{Kind: wire.EventBlockEnd},
					{Kind: wire.EventBlock, Index: 1, Block: wire.TextBlock},
					{Kind: wire.EventDelta, Index: 1, Text: []byte(" two")},
					{Kind: wire.EventBlockEnd, Index: 1},
					{Kind: wire.EventBlock, Index: 2, Block: wire.CallBlock, ID: "call_1", Name: "f"},
					{Kind: wire.EventDelta, Index: 2, Text: []byte(`{"a":1}`)},
					{Kind: wire.EventBlockEnd, Index: 2},
					{Kind: wire.EventFinish, Finish: wire.FinishTools},
					{Kind: wire.EventUsage, Usage: &wire.Report{Reported: true, Usage: wire.Usage{Input: 9, Output: 9}}},
					{Kind: wire.EventEnd},
				} {
					out = encoder.Encode(out, &ev)
				}
				r.play(client.breaks(client.said(false, "One")), second.plays(string(out)))
				got := r.say(t, client, client, second, client.body)
				res, _ := decode(t, client, got.body)
				blocks := res.Choices[0].Blocks
				if got.cut || len(blocks) != 2 || blocks[0].Text != "One two" || blocks[1].Type != wire.CallBlock || blocks[1].Call.Name != "f" {
					t.Errorf("cut %v, blocks %+v in\n%s", got.cut, blocks, got.body)
				}
				if strings.Contains(got.body, "Hm") {
					t.Errorf("a thought in\n%s", got.body)
				}
				if client.name == "responses" {
					checkSequence(t, got.body)
				}
				r.record(t)
			})
		}
	}
}

// TestContinueCost charges the prompt once and all that was shown; the rest is
// overhead. The cap shrinks by what has come.
func TestContinueCost(t *testing.T) {
	r := newRelayed(t, "")
	chat := doors[0]
	r.play(chat.breaks(chat.said(false, strings.Repeat(" word", 10))), chat.plays(chat.said(true, " three")))
	got := r.say(t, chat, chat, chat, with1(chat.body, `"max_completion_tokens":50`))
	if got.cut {
		t.Fatal(got.body)
	}
	record := r.record(t)
	if record.Usage != (wire.Usage{Input: 8, Output: 15}) {
		t.Errorf("usage %+v", record.Usage)
	}
	// gpt-4o costs 2.50 and 10 dollars a million: the second prompt is 90 tokens.
	if record.Cost.Total != 8*2500+15*10000 || record.Overhead != 90*2500 {
		t.Errorf("cost %+v, overhead %d", record.Cost, record.Overhead)
	}
	var asked struct {
		Cap int64 `json:"max_completion_tokens"`
	}
	if err := json.Unmarshal(r.second()[0].Body, &asked); err != nil || asked.Cap != 40 {
		t.Errorf("asked with %s", r.second()[0].Body)
	}
	r.play(chat.breaks(chat.said(false, strings.Repeat(" word", 10))), chat.plays(chat.said(true, " three")))
	if got := r.say(t, chat, chat, chat, with1(chat.body, `"max_completion_tokens":10`)); !got.cut || len(r.second()) != 0 {
		t.Errorf("there is no room for more, but it was asked for:\n%s", got.body)
	}
	r.record(t)
}

// TestContinueCut holds both parts of an answer against its cap.
func TestContinueCut(t *testing.T) {
	r := newRelayed(t, "max_output_tokens 40\non_exceed cut")
	chat := doors[0]
	for _, second := range upstreams() {
		t.Run(second.name, func(t *testing.T) {
			gone := make(chan struct{})
			r.play(chat.breaks(chat.said(false, strings.Repeat(" word", 25))), second.endlessWords(gone))
			got := r.say(t, chat, chat, second, chat.body)
			if got.cut || !strings.HasSuffix(got.body, done) {
				t.Fatalf("cut %v: %s", got.cut, clip(got.body))
			}
			if !weirtest.Within(gone) {
				t.Error("the upstream goes on")
			}
			if record := r.record(t); record.Cut != gateway.CutByCap || record.Continued != 1 || record.Usage.Output < 35 || record.Usage.Output > 55 {
				t.Errorf("record %+v", record)
			}
		})
	}
}

// TestContinueOff holds that nobody goes on unasked.
func TestContinueOff(t *testing.T) {
	r := newTranslation(t, "fallback chat-p/gpt-4o", "")
	for _, d := range doors {
		r.answers(d.breaks(d.said(false, "One two")))
		path, body := d.to(d, d.body)
		if got := r.ask(t, path, body); !got.cut {
			t.Errorf("%s:\n%s", d.name, got.body)
		}
		if record := r.record(t); record.Attempts != 1 {
			t.Errorf("record %+v", record)
		}
	}
}

// TestContinueAlone goes on with the same target where there is no other.
func TestContinueAlone(t *testing.T) {
	r := newTranslation(t, "on_cut continue", "")
	for _, d := range doors {
		var calls atomic.Int32
		r.answers(func(w http.ResponseWriter, req *weirtest.Request) {
			if calls.Add(1) == 1 {
				d.breaks(d.said(false, "One two"))(w, req)
				return
			}
			d.plays(d.said(true, " three"))(w, req)
		})
		path, body := d.to(d, d.body)
		checkJoined(t, d, r.ask(t, path, body), "One two three")
		if record := r.record(t); record.Attempts != 2 || record.Continued != 1 {
			t.Errorf("record %+v", record)
		}
	}
}

// newPair starts a gateway whose provider a breaks off after "One two" and whose
// provider b goes on with " three"; models are its models and keys.
func newPair(t *testing.T, models string) *rig {
	t.Helper()
	t.Setenv("UPSTREAM_KEY", "sk-upstream-secret")
	chat := doors[0]
	r := &rig{}
	r.up = weirtest.NewUpstream(t, func(w http.ResponseWriter, req *weirtest.Request) {
		if strings.HasPrefix(req.Path, "/a/") {
			chat.breaks(chat.said(false, "One two"))(w, req)
			return
		}
		chat.plays(chat.said(true, " three"))(w, req)
	})
	var ai strings.Builder
	for _, name := range []string{"a", "b"} {
		fmt.Fprintf(&ai, "provider %s openai {\nbase_url %s/%s/v1\napi_key {env.UPSTREAM_KEY}\nserves chat\n}\n", name, r.up.URL, name)
	}
	ai.WriteString("model m a/gpt-4o {\nfallback n\non_cut continue\nfail_duration off\nmax_fails 1\n}\n" + models)
	r.Gateway = weirtest.Start(t, ai.String(), "ai_gateway")
	return r
}

// callsTo counts the calls to the providers a and b.
func callsTo(calls []*weirtest.Request) (a, b int) {
	for _, call := range calls {
		if strings.HasPrefix(call.Path, "/a/") {
			a++
		} else {
			b++
		}
	}
	return a, b
}

// TestContinueAllowed asks again whether the key may use the target that goes
// on. Where it may not, the same target is asked.
func TestContinueAllowed(t *testing.T) {
	t.Setenv("SOME_KEY", "sk-some-key-of-a-test-0123456789")
	r := newPair(t, "model n b/gpt-4o\nkey few {env.SOME_KEY} {\nmodels m\n}\n")
	chat := doors[0]
	got := r.ask(t, chat.path, chat.body, "Authorization: Bearer sk-some-key-of-a-test-0123456789")
	if a, b := callsTo(r.upstreamCalls()); got.status != 200 || !got.cut || a != 3 || b != 0 {
		t.Errorf("status %d, cut %v, %d calls to the same and %d to one that the key may not use:\n%s", got.status, got.cut, a, b, got.body)
	}
}

// TestContinueRules holds the request against the rules of the model that goes on,
// as it would be held against them had that been the first to be asked.
func TestContinueRules(t *testing.T) {
	chat := doors[0]
	for rule, goesOn := range map[string]bool{
		"deny_params logit_bias": false, "allow_params temperature": false, "deny_params seed": true, "allow_params logit_bias stream_options": true,
	} {
		t.Run(rule, func(t *testing.T) {
			r := newPair(t, "model n b/gpt-4o {\n"+rule+"\n}\n")
			got := r.ask(t, chat.path, with1(chat.body, `"logit_bias":{}`))
			if a, b := callsTo(r.upstreamCalls()); got.status != 200 || got.cut == goesOn || b > 0 != goesOn {
				t.Errorf("status %d, cut %v, %d calls and %d:\n%s", got.status, got.cut, a, b, got.body)
			}
		})
	}
}

// TestContinueInVain charges what a request has used where it was used, not at a
// target that was to go on with its answer and did not, whatever is left there by then.
func TestContinueInVain(t *testing.T) {
	chat := doors[0]
	asks := func(provider string, most int) string {
		body := with1(chat.body, fmt.Sprintf(`"max_completion_tokens":%d`, most))
		return strings.Replace(body, `"m"`, `"`+provider+`/gpt-4o"`, 1)
	}
	var busy chan struct{}
	for _, tt := range []struct {
		name   string
		second func(*stage) answerer
	}{
		{"refused", func(*stage) answerer { return failing(400) }},
		{"broken off, twice", func(*stage) answerer { return bytesOnWire("") }},
		{"refused when others have taken what was left", func(s *stage) answerer {
			return func(w http.ResponseWriter, r *weirtest.Request) {
				arrived := make(chan struct{})
				s.plays("one", func(w http.ResponseWriter, r *weirtest.Request) {
					close(arrived)
					<-busy
					fine("one")(w, r)
				})
				s.listenLater(t, asks("one", 300))
				<-arrived
				failing(400)(w, r)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, "model m one/gpt-4o {\nfallback two/gpt-4o\non_cut continue\nfail_duration off\n}\nlimit provider one tokens 400 1h\nlimit provider two tokens 400 1h", "")
			busy = make(chan struct{})
			s.plays("one", chat.breaks(chat.said(false, strings.Repeat(" word", 150))))
			s.plays("two", tt.second(s))
			if got := s.post(t, chat.path, with1(chat.body, `"max_completion_tokens":200`)); !got.cut {
				t.Fatal(got.body)
			}
			s.plays("one", fine("one"))
			s.plays("two", fine("two"))
			if got := s.post(t, chat.path, asks("one", 300)); got.status != 429 {
				t.Errorf("at the target that was called: %d", got.status)
			}
			if got := s.post(t, chat.path, asks("two", 300)); got.status != 200 {
				t.Errorf("at the other: %d", got.status)
			}
			close(busy)
		})
	}
}
