package tokenizer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
)

func TestForModel(t *testing.T) {
	tests := []struct {
		model, family, encoding string
		estimated               bool
	}{
		{"gpt-4o", "gpt-4o", "o200k_base", false},
		{"openai/gpt-4o-mini-2024-07-18", "gpt-4o-mini", "o200k_base", false},
		{"GPT-4.1-nano", "gpt-4.1-nano", "o200k_base", false},
		{"gpt-4-turbo", "gpt-4", "cl100k_base", false},
		{"gpt-3.5-turbo-0125", "gpt-4", "cl100k_base", false},
		{"o3-mini", "o-series", "o200k_base", false},
		{"gpt-5.2", "gpt-5", "o200k_base", false},
		{"gpt-5.6-sol", "gpt-5.4", "o200k_base", false},
		{"gpt-6", "gpt-next", "o200k_base", true},
		{"openai/gpt-oss-120b", "gpt-oss", "o200k_harmony", true},
		{"text-embedding-3-small", "embedding", "cl100k_base", false},
		{"text-davinci-003", "davinci-003", "p50k_base", false},
		{"text-davinci-edit-001", "davinci-edit", "p50k_edit", false},
		{"davinci", "gpt-3", "r50k_base", false},
		{"us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-4.5", "o200k_base", true},
		{"anthropic/claude-sonnet-4", "claude-4", "o200k_base", true},
		{"claude-opus-4-8", "claude-4.7", "o200k_base", true},
		{"models/gemini-2.5-flash", "gemini", "o200k_base", true},
		{"meta-llama/Llama-3.3-70B", "llama", "o200k_base", true},
		{"", "unknown", "o200k_base", true},
		{"a/b/c.d", "unknown", "o200k_base", true},
	}
	for _, test := range tests {
		f := ForModel(test.model)
		if f.Name != test.family || f.Encoding.Name() != test.encoding || f.Estimated != test.estimated {
			t.Errorf("%q: %s, %s, estimated %v; want %s, %s, %v", test.model, f.Name, f.Encoding.Name(), f.Estimated, test.family, test.encoding, test.estimated)
		}
	}
}

func TestEstimatesRoundUp(t *testing.T) {
	f := ForModel("claude-sonnet-4-5")
	if got := f.Count([]byte("hi")); got != 2 {
		t.Errorf("one token of o200k_base counts %d, want 2", got)
	}
	if got := f.Count(nil); got != 0 {
		t.Errorf("nothing counts %d", got)
	}
}

func TestTable(t *testing.T) {
	table, err := NewTable([]Override{
		{"llama-3*", "tiktoken", "testdata/foreign/ranks.tiktoken"},
		{"Llama-3-own", "sentencepiece", "testdata/foreign/bpe.model"},
		{"llama-3-long*", "huggingface", "testdata/foreign/nfc.json"},
	})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ model, want string }{
		{"llama-3-8b", "tiktoken:testdata/foreign/ranks.tiktoken"},
		{"LLAMA-3-OWN", "sentencepiece:testdata/foreign/bpe.model"},
		{"llama-3-longer", "huggingface:testdata/foreign/nfc.json"},
		{"gpt-4o", "gpt-4o"},
	}
	for _, test := range tests {
		if f := table.ForModel(test.model); f.Name != test.want {
			t.Errorf("%s: %s, want %s", test.model, f.Name, test.want)
		}
	}
	if got := (*Table)(nil).ForModel("o1").Name; got != "o-series" {
		t.Errorf("a nil table gives %s", got)
	}
	if _, err := NewTable([]Override{{"a*b", "tiktoken", "x"}}); err == nil {
		t.Error("an asterisk in the middle is accepted")
	}
}

// say feeds a chat of n turns to p as a dialect's walker would.
func say(p *Prompt, n int) {
	for i := range n {
		text := []byte(fmt.Sprintf("turn %d: %s", i, strings.Repeat("some words of a conversation; ", 20)))
		if !p.BeginMessage(wire.ChatMessage, text) {
			p.Role([]byte("user"))
			p.Text(text)
		}
		p.EndMessage()
	}
}

func TestMemoRemembers(t *testing.T) {
	f := ForModel("gpt-4o")
	count := func() int {
		p := f.NewPrompt()
		defer p.Release()
		say(p, 50)
		n, _ := p.Tokens()
		return n
	}
	first := count()
	hits, misses := MemoStats()
	if again := count(); again != first {
		t.Errorf("%d tokens from the memo, %d counted", again, first)
	}
	hits2, misses2 := MemoStats()
	if hits2-hits != 50 || misses2 != misses {
		t.Errorf("%d hits and %d misses for 50 known messages", hits2-hits, misses2-misses)
	}
}

func TestMemoKeepsFamiliesApart(t *testing.T) {
	raw := []byte(strings.Repeat("the same message for two families ", 5))
	count := func(model string) int {
		p := ForModel(model).NewPrompt()
		defer p.Release()
		if !p.BeginMessage(wire.ChatMessage, raw) {
			p.Role([]byte("user"))
			p.Text(raw)
		}
		p.EndMessage()
		n, _ := p.Tokens()
		return n
	}
	a, b := count("gpt-4o"), count("claude-opus-4-8")
	if a == b || count("gpt-4o") != a || count("claude-opus-4-8") != b {
		t.Errorf("%d and %d tokens, then %d and %d", a, b, count("gpt-4o"), count("claude-opus-4-8"))
	}
}

// TestMemoKeepsKindsApart holds that the same JSON may be different messages.
func TestMemoKeepsKindsApart(t *testing.T) {
	body := []byte(`{"role":"user","content":"` + strings.Repeat("in two dialects ", 10) + `"}`)
	for kind, want := range map[byte]int{wire.ChatMessage: 1, wire.GeminiMessage: 2, wire.GeminiMessage | wire.SystemMessage: 3} {
		for range 2 {
			p := ForModel("gpt-4o").NewPrompt()
			if !p.BeginMessage(kind, body) {
				p.Media("tokens", want)
			}
			p.EndMessage()
			if n, _ := p.Tokens(); n != want+6 {
				t.Errorf("kind %d: %d tokens, want %d", kind, n, want+6)
			}
			p.Release()
		}
	}
}

func TestMemoRemembersFlags(t *testing.T) {
	for range 2 {
		p := ForModel("gpt-4o").NewPrompt()
		raw := []byte(`{"role":"system","content":"a message with an image in it, long enough to be remembered"}`)
		if !p.BeginMessage(wire.ChatMessage, raw) {
			p.Role([]byte("system"))
			p.Image([]byte("low"), nil)
		}
		p.EndMessage()
		if n, estimated := p.Tokens(); !estimated || n != 3+3+1+85 {
			t.Errorf("%d tokens, estimated %v", n, estimated)
		}
		if p.sum.flags&costSystem == 0 {
			t.Error("the system message is forgotten")
		}
		p.Release()
	}
}

func TestMemoBounded(t *testing.T) {
	m := NewMemo()
	var k memoKey
	for i := range 3 * memoShards * memoSets * memoWays {
		k[0], k[1] = uint64(i), uint64(i>>6)
		m.put(k, prefix{cost: cost{text: uint32(i)}})
		if c, ok := m.get(k); !ok || c.text != uint32(i) {
			t.Fatalf("entry %d is not found at once", i)
		}
	}
}

func TestPromptAllocates(t *testing.T) {
	if sampled > 1 {
		return // the race detector allocates; scripts/go-test runs this without it
	}
	f := ForModel("gpt-4o")
	raw := []byte(strings.Repeat("a message that is known; ", 10))
	schema := []byte(`{"type":"object","properties":{"a":{"type":"string"}}}`)
	run := func() {
		p := f.NewPrompt()
		if !p.BeginMessage(wire.ChatMessage, raw) {
			p.Text(raw)
		}
		p.EndMessage()
		p.Tool(raw[:5], raw, schema)
		p.Tokens()
		p.Release()
	}
	run()
	if n := testing.AllocsPerRun(100, run); n > 0 {
		t.Errorf("%v allocations for a remembered prompt", n)
	}
}

// TestChatCalls holds that an earlier call costs more in Chat Completions, also
// when the memo knows its message.
func TestChatCalls(t *testing.T) {
	f := ForModel("gpt-4o")
	count := func(raw []byte, calls int, chat bool) int {
		p := f.NewPrompt()
		defer p.Release()
		if !p.BeginMessage(wire.ChatMessage, raw) {
			p.Role([]byte("assistant"))
			for range calls {
				p.ToolCall([]byte("f"), []byte("{}"))
			}
		}
		p.EndMessage()
		p.Tool([]byte("f"), nil, nil)
		if chat {
			p.Media("chat_tools", 0)
		}
		n, _ := p.Tokens()
		return n
	}
	raw := []byte(strings.Repeat("an assistant's message with calls ", memoMin))
	for _, calls := range []int{0, 1, 3} {
		key := append(raw, byte(calls))
		cold := count(key, calls, true)
		if warm := count(key, calls, true); warm != cold {
			t.Errorf("%d calls: %d tokens from the memo, %d without", calls, warm, cold)
		}
		if got, want := cold-count(key, calls, false), calls*f.rules.chatCall; got != want {
			t.Errorf("%d calls: %d tokens more in Chat Completions, want %d", calls, got, want)
		}
	}
}

// TestToolCountsAddUp holds what Prompt.Tool rests on: counted one by one, tools
// cost what they cost in one text.
func TestToolCountsAddUp(t *testing.T) {
	schema := []byte(`{"properties":{"a":{"type":"string","description":"A letter"}}}`)
	for _, name := range []string{"o200k_base", "cl100k_base"} {
		e := encoding(t, name)
		var all []byte
		sum := 0
		for _, description := range []string{"", "Adds.", "/ a path", "", "Ends"} {
			tool := appendTool(nil, toolNamespace, []byte("f"), []byte(description), schema)
			sum += e.Count(tool)
			all = append(all, tool...)
		}
		if got := e.Count(all); got != sum {
			t.Errorf("%s: %d tokens in one text, %d one by one", name, got, sum)
		}
	}
}

func TestToolRendering(t *testing.T) {
	schema := `{"type":"object","required":["city"],"properties":{
		"city":{"type":"string","description":"The city"},
		"unit":{"type":"string","enum":["c","f"]},
		"days":{"type":"array","items":{"type":"integer"}},
		"at":{"type":"object","properties":{"lat":{"type":["number","null"]}}},
		"any":{"anyOf":[{"type":"string"},{"type":"boolean"}]}, "x":true}}`
	want := ";\n\n// Weather.\ntype weather = (_: {\n// The city\ncity: string,\nunit?: \"c\" | \"f\",\ndays?: number[],\n" +
		"at?: {\nlat?: number | null,\n},\nany?: string | boolean,\nx?: any,\n}) => any"
	if got := string(appendTool(nil, toolNamespace, []byte("weather"), []byte("Weather."), []byte(schema))); got != want {
		t.Errorf("rendered\n%s\nwant\n%s", got, want)
	}
	for _, empty := range []string{"", "{", "[]", `{"type":"object","properties":{}}`} {
		if got := string(appendTool(nil, toolNamespace, []byte("f"), nil, []byte(empty))); got != ";\n\ntype f = () => any" {
			t.Errorf("%q rendered %q", empty, got)
		}
	}
}

func FuzzTool(f *testing.F) {
	f.Add([]byte(`{"properties":{"a":{"type":"array","items":{"enum":[1]}}}}`))
	f.Fuzz(func(t *testing.T, schema []byte) {
		out := appendTool(nil, toolNamespace, []byte("f"), nil, schema)
		if !strings.HasPrefix(string(out), ";\n\ntype f = ") {
			t.Errorf("rendered %q", out)
		}
		if least := appendCompact(nil, schema); len(least) > len(schema) {
			t.Errorf("compacting made %d bytes of %d", len(least), len(schema))
		}
	})
}
