package tokens

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

var models = []string{"gpt-4o", "gpt-5", "gpt-4", "gpt-oss-20b", "claude-opus-4-7", "claude-3-haiku", "gemini-2.5-pro", "command-r", "deepseek-chat", "grok-4", "text-embedding-3-small", "nobody-knows"}

// TestMost holds the bound of prompts whose tokens are many for their bytes.
func TestMost(t *testing.T) {
	user := func(text string) string {
		return `{"messages":[{"role":"user","content":"` + text + `"}]}`
	}
	for name, body := range map[string]string{
		"nothing":           `{"messages":[]}`,
		"empty messages":    `{"messages":[` + strings.Repeat(`{"role":"user","content":""},`, 500) + `{}]}`,
		"digits and spaces": user(strings.Repeat("1 ", 2000)),
		"rare characters":   user(strings.Repeat("\U0001F9DF\u200D\u1e9e\u16a0", 500)),
		"not UTF-8":         user(strings.Repeat("\xff\xc3", 1000)),
		"escapes":           user("x" + strings.Repeat(`\u0001\ud800\n`, 500)),
		"punctuation":       user(strings.Repeat("~^{|}!;", 500)),
		"small tools":       `{"messages":[{"role":"user","content":"x"}],"tools":[` + strings.Repeat(`{"type":"function","function":{"name":"a"}},`, 200) + `{"type":"function","function":{"name":"b"}}],"tool_choice":{"type":"function","function":{"name":"b"}}}`,
		"tools":             `{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"a","description":"d","parameters":{"type":"object","properties":{` + strings.Repeat(`"p":{"enum":[1,2,3]},`, 100) + `"q":{"type":"string"}}}}}]}`,
		"calls":             `{"messages":[` + strings.Repeat(`{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"a","arguments":"{}"}}]},`, 200) + `{"role":"user","name":"b","content":"x"}]}`,
		"token ids":         `{"input":[` + strings.Repeat("1,", 3000) + `1]}`,
	} {
		for _, model := range models {
			c := new(Counter)
			n, _ := c.count(model, wire.Chat, []byte(body), jsonscan.Value{})
			most, ok := c.Most(model, len(body))
			if n += n / 20; !ok || most < n {
				t.Errorf("%s, %s: %d tokens, %d at most (%v)", name, model, n, most, ok)
			}
		}
	}
}

// TestMostUnknown holds which bodies have no bound.
func TestMostUnknown(t *testing.T) {
	for i, part := range []string{
		`{"type":"image_url","image_url":{"url":"https://a/b"}}`,
		`{"type" : "\u0069mage_url"}`,
		`{"type":"im\u0061ge_url"}`,
		`{"type":"input_audio"}`,
		`{"inlineData":{}}`,
		`{"fileData":{}}`,
		`{"type":"document"}`,
		`{"video_url":""}`,
	} {
		body := fmt.Sprintf(`{"messages":[{"role":"user","content":[{"type":"text","text":"x"},%s]}]}`, part)
		if !wire.MayAttach([]byte(body)) {
			t.Errorf("%d: nothing is attached in %s", i, part)
		}
	}
	if n, ok := new(Counter).Most("gpt-4o", 0); ok {
		t.Errorf("nothing has %d tokens at most", n)
	}
	if wire.MayAttach([]byte(`{"messages":[{"role":"user","content":[{"type":"input_text","text":"an image"}]}]}`)) {
		t.Error("a text that speaks of an image counts as one")
	}
}
