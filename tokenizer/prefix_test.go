package tokenizer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/tokenizer"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
	"github.com/weirproxy/weir/wire/gemini"
	"github.com/weirproxy/weir/wire/openai"
	"github.com/weirproxy/weir/wire/responses"
)

// cold is a Prompt that remembers no message.
type cold struct{ *tokenizer.Prompt }

func (c cold) BeginMessage(kind byte, _ []byte) bool { return c.Prompt.BeginMessage(kind, nil) }
func (cold) BeginMessages(byte, []byte) int          { return 0 }
func (cold) Passed(int)                              {}
func (cold) EndMessages()                            {}

// counting is a Prompt that notes how many messages it is shown.
type counting struct {
	*tokenizer.Prompt
	shown int
}

func (c *counting) BeginMessage(kind byte, raw []byte) bool {
	c.shown++
	return c.Prompt.BeginMessage(kind, raw)
}

type walk func([]byte, jsonscan.Value, wire.PromptSink)

// dialect is how conversations are written in one.
type dialect struct {
	walk     walk
	list     string
	messages []string // %s is a text as JSON
	around   [2]string
}

var dialects = map[string]dialect{
	"openai": {openai.WalkPrompt, "messages", []string{
		`{"role":"system","content":%s}`, `{"role":"user","name":"bo","content":%s}`, `{"content":%s,"role":"assistant"}`,
		`{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":%s}}]}`,
		`{"role":"user","content":[{"type":"text","text":%s},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}]}`,
		`{ "role" : "tool" , "tool_call_id":"1", "content" : %s }`, `{}`, `5`, `null`,
	}, [2]string{`"tools":[{"type":"function","function":{"name":"f"}}]`, `"temperature":1`}},
	"anthropic": {anthropic.WalkPrompt, "messages", []string{
		`{"role":"user","content":%s}`, `{"role":"assistant","content":[{"type":"thinking","thinking":%s},{"type":"tool_use","name":"f","input":{"a":[1]}}]}`,
		`{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":%s},{"type":"image","source":{"type":"base64","data":"QUJD"}}]}]}`,
	}, [2]string{`"system":"be brief"`, `"tools":[{"name":"f","input_schema":{}}]`}},
	"responses": {responses.WalkPrompt, "input", []string{
		`{"role":"user","content":%s}`, `{"role":"developer","content":[{"type":"input_text","text":%s}]}`, `{"type":"reasoning","summary":[%s]}`,
		`{"type":"function_call","name":"f","arguments":%s}`, `{"type":"function_call_output","output":%s}`,
	}, [2]string{`"instructions":"be brief"`, `"tools":[{"type":"function","name":"f"}]`}},
	"gemini": {gemini.WalkPrompt, "contents", []string{
		`{"role":"user","parts":[{"text":%s}]}`, `{"parts":[{"text":%s,"thought":true},{"inlineData":{"mimeType":"image/png","data":"QUJD"}}],"role":"model"}`,
		`{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":%s}}}]}`,
	}, [2]string{`"systemInstruction":{"parts":[{"text":"be brief"}]}`, `"generationConfig":{"responseSchema":{}}`}},
}

// conversation writes n messages, of which the first are the same for the same
// n and seed.
func (d *dialect) conversation(seed uint64, n int) []string {
	rng := rand.New(rand.NewPCG(seed, 1))
	words := []string{"a", "words ", " of ", "text,", "\n", "\"quoted\"", `\`, "naïve", "水坝", "😀", "  ", "12345", "\t}", "],[", "{\"role\":"}
	messages := make([]string, n)
	for i := range messages {
		var text strings.Builder
		for range 1 << rng.IntN(8) {
			text.WriteString(words[rng.IntN(len(words))])
		}
		raw, _ := json.Marshal(text.String())
		if rng.IntN(2) == 0 {
			raw = bytes.ReplaceAll(raw, []byte("a"), []byte(`\u0061`))
		}
		messages[i] = d.messages[rng.IntN(len(d.messages))]
		if strings.Contains(messages[i], "%s") {
			messages[i] = fmt.Sprintf(messages[i], raw)
		}
		messages[i] = strings.Repeat(" ", rng.IntN(3)) + messages[i] + strings.Repeat("\n", rng.IntN(2))
	}
	return messages
}

func (d *dialect) body(messages []string) []byte {
	return fmt.Appendf(nil, `{"model":"m",%s,"%s" : [%s],%s}`, d.around[0], d.list, strings.Join(messages, ","), d.around[1])
}

// sum counts body with memo, or without one.
func (d *dialect) sum(f *tokenizer.Family, memo *tokenizer.Memo, body []byte) (tokens int, estimated bool, flags uint8) {
	p := f.NewPrompt()
	defer p.Release()
	list := jsonscan.Lookup(body, jsonscan.Value{Kind: jsonscan.ObjectKind, End: len(body)}, d.list)
	if memo == nil {
		d.walk(body, jsonscan.Value{}, cold{p})
	} else {
		p.Use(memo)
		d.walk(body, list, p)
	}
	tokens, estimated = p.Tokens()
	_, flags = p.State()
	return tokens, estimated, flags
}

// TestPrefixes holds that conversations that go on, branch off or are cut cost
// what they cost without a memo, wherever its blocks end.
func TestPrefixes(t *testing.T) {
	for name, d := range dialects {
		for _, block := range []int{7, 300, tokenizer.PrefixBlock} {
			memo := tokenizer.NewMemoOf(block)
			same := func(messages []string) {
				t.Helper()
				body := d.body(messages)
				for _, model := range []string{"gpt-4o", "claude-opus-4-8"} {
					f := tokenizer.ForModel(model)
					n, estimated, flags := d.sum(f, nil, body)
					if m, also, same := d.sum(f, memo, body); m != n || also != estimated || same != flags {
						t.Fatalf("%s, blocks of %d, %d messages: %s has %d tokens (estimated %v, flags %b), without a memo %d (%v, %b): %s",
							name, block, len(messages), model, m, also, same, n, estimated, flags, body)
					}
				}
			}
			for seed := range uint64(1 + 12/tokenizer.Sampled) {
				messages := d.conversation(seed, 40)
				rng := rand.New(rand.NewPCG(seed, 2))
				for n := 0; n <= len(messages); n += 1 + rng.IntN(3) {
					same(messages[:n])
					other := slices.Clone(messages[:n])
					if n > 0 {
						other[rng.IntN(n)] = strings.TrimSpace(other[rng.IntN(n)])
						same(other)
						same(other[:rng.IntN(n)])
					}
				}
				same(messages)
			}
		}
	}
}

// TestPrefixesRecorded holds the same for the recorded prompts.
func TestPrefixesRecorded(t *testing.T) {
	memo := tokenizer.NewMemoOf(50)
	for _, r := range readRecorded(t) {
		d := dialects[r.Dialect]
		f := tokenizer.ForModel(r.Model)
		n, estimated, flags := d.sum(f, nil, r.Body)
		for range 2 {
			if m, also, same := d.sum(f, memo, r.Body); m != n || also != estimated || same != flags {
				t.Errorf("%s %s: %d tokens (%v, %b), without a memo %d (%v, %b)", r.Model, r.Case, m, also, same, n, estimated, flags)
			}
		}
	}
}

// TestPrefixShown holds that of a conversation that goes on nothing is looked at
// again but what is in the block in which it was changed.
func TestPrefixShown(t *testing.T) {
	d, f := dialects["openai"], tokenizer.ForModel("gpt-4o")
	text := `{"role":"user","content":"` + strings.Repeat("some words ", 100) + `%d"}`
	var messages []string
	for i := range 100 {
		messages = append(messages, fmt.Sprintf(text, i))
	}
	memo := tokenizer.NewMemo()
	shown := func(n int) int {
		p := &counting{Prompt: f.NewPrompt()}
		p.Use(memo)
		d.walk(d.body(messages[:n]), jsonscan.Value{}, p)
		if messages, _ := p.State(); messages != n {
			t.Errorf("%d of %d messages", messages, n)
		}
		return p.shown
	}
	if n := shown(90); n != 90 {
		t.Errorf("%d of 90 new messages are shown", n)
	}
	hits, misses := memo.Stats()
	if n, most := shown(91), tokenizer.PrefixBlock/len(text)+2; n > most {
		t.Errorf("%d of 91 messages are shown again, want %d at most", n, most)
	}
	if h, m := memo.Stats(); h-hits != 90+1 || m-misses != 1 { // and the tool
		t.Errorf("%d messages and tools were known, %d new", h-hits, m-misses)
	}
	messages[50] = fmt.Sprintf(text, 1000)
	if n := shown(91); n < 41 || n > 41+tokenizer.PrefixBlock/len(text)+2 {
		t.Errorf("%d messages are shown of which the last 41 follow a new one", n)
	}
}
