package prices

import (
	"slices"
	"strings"
	"testing"
)

func TestEmbedded(t *testing.T) {
	c := Default()
	if len(embedded) > 300_000 {
		t.Errorf("the catalogue has %d bytes", len(embedded))
	}
	var lines []string
	for line := range strings.Lines(embedded) {
		if words := strings.Fields(line); words[0] != "version" && words[0] != "#" {
			lines = append(lines, words[0]+" "+words[1])
		}
	}
	if !slices.IsSorted(lines) {
		t.Error("the catalogue is not sorted")
	}
	all := c.All()
	if len(all) != len(lines) || len(all) < 1500 {
		t.Errorf("%d prices, %d lines", len(all), len(lines))
	}
	for _, p := range all {
		if p.Free() {
			t.Errorf("%s is free", p.Name)
		}
		again, err := Parse(strings.Fields(p.String()))
		if err != nil || !slices.Equal(again.rows, p.rows) {
			t.Errorf("%s: written and read again: %v, %v", p.Name, again, err)
		}
		// A price that is not in dollars per million would be far from these.
		if in := p.rows[0].rates[Input]; in > 1_000*nano {
			t.Errorf("%s: input %s", p.Name, formatRate(Input, in))
		}
	}
}

const table = `version 2026-01-02
# a comment
openai gpt-x input 1 output 2
openai gpt-x-mini input 0.1 output 0.2
openai gpt-x-2026-01-01 input 3 output 4
openai ft:gpt-x-2026-01-01 input 5 output 6
gemini gemini-y input 1 output 2
vertex claude-z@20260101 input 1 output 2
bedrock anthropic.claude-z-20260101-v1:0 input 1 output 2
bedrock us.anthropic.claude-z-20260101-v1:0 input 1.1 output 2.2
together Meta/Llama-9 input 1 output 2
`

func TestFind(t *testing.T) {
	c, err := Read(table)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		provider, model, want string
		match                 Match
	}{
		{"openai", "gpt-x", "openai/gpt-x", Exact},
		{"openai", "GPT-X", "openai/gpt-x", Exact},
		{"openai", "gpt-x-2026-01-01", "openai/gpt-x-2026-01-01", Exact},
		{"openai", "gpt-x-2026-06-01", "openai/gpt-x", Undated},
		{"openai", "gpt-x-latest", "openai/gpt-x", Undated},
		{"openai", "gpt-x-mini-2026-06-01", "openai/gpt-x-mini", Undated},
		{"openai", "gpt-x-mini-search", "openai/gpt-x-mini", Family},
		{"openai", "gpt-xl", "", 0},
		{"openai", "ft:gpt-x-2026-01-01:org::abc", "openai/ft:gpt-x-2026-01-01", Exact},
		{"openai", "ft:gpt-x-mini:org::abc", "", 0},
		{"openai", "", "", 0},
		{"azure_openai", "gpt-x", "openai/gpt-x", Family},
		{"gemini", "models/gemini-y", "gemini/gemini-y", Exact},
		{"gemini", "gemini-y-001", "gemini/gemini-y", Undated},
		{"vertex", "publishers/google/models/gemini-y", "gemini/gemini-y", Family},
		{"vertex", "claude-z@20260101", "vertex/claude-z@20260101", Exact},
		{"bedrock", "anthropic.claude-z-20260101-v1:0", "bedrock/anthropic.claude-z-20260101-v1:0", Exact},
		{"bedrock", "us.anthropic.claude-z-20260101-v1:0", "bedrock/us.anthropic.claude-z-20260101-v1:0", Exact},
		{"bedrock", "eu.anthropic.claude-z-20260101-v1:0", "bedrock/us.anthropic.claude-z-20260101-v1:0", Exact},
		{"bedrock", "global.anthropic.claude-z-20260101-v1:0", "bedrock/anthropic.claude-z-20260101-v1:0", Exact},
		{"bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-z-20260101-v1:0", "bedrock/us.anthropic.claude-z-20260101-v1:0", Exact},
		{"together", "meta/llama-9", "together/meta/llama-9", Exact},
		{"openai_compatible", "gpt-x", "", 0},
	} {
		t.Run(tt.provider+"/"+tt.model, func(t *testing.T) {
			price, ok := c.Find(tt.provider, tt.model, now)
			switch {
			case !ok && tt.want != "":
				t.Error("not found")
			case ok && (price.Name != tt.want || price.Match != tt.match || price.Estimated() != strings.Contains(price.Version, "~") || !strings.HasPrefix(price.Version, "2026-01-02")):
				t.Errorf("got %s, %v, %s", price.Name, price.Match, price.Version)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "input", "input 1", "output 2", "input -1 output 2", "input +1 output 2", "input NaN output 2", "input Inf output 2",
		"input 1e3 output 2", "input 1. output 2", "input .5 output 2", "input 1,5 output 2", "input 1.0000000001 output 2",
		"input 1001 output 2", "input 99999999999999999999 output 2", "input 1 output 2 input 3", "input 1 output 2 cach_read 1",
		"input 1 output 2 above 0 input 2", "input 1 output 2 above x input 2", "input 1 output 2 above 1000",
		"input 1 output 2 above 1000 input 2 above 1000 input 3", "input 1 output 2 service night input 1", "input 1 output 2 service batch",
		"input 1 output 2 image 0.0000000000000001", "input 1 output 2 image 1001", "input 100000000000000000000000 output 2",
		"free free", "free input 1", "above 1000 input 1 output 2", "search 1", "input ١ output 2",
	} {
		if p, err := Parse(strings.Fields(text)); err == nil {
			t.Errorf("%q is taken for %q", text, p)
		}
	}
}

// TestSmallestRates reads as many digits as are told apart, and writes them again.
func TestSmallestRates(t *testing.T) {
	const text = "input 0.000000001 output 1000 image 0.000000000000001 second 1000"
	if p, err := Parse(strings.Fields(text)); err != nil || p.String() != text {
		t.Errorf("%v, %v", p, err)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":      "",
		"no version": "openai x input 1 output 2\n",
		"two words":  "version 1\nopenai x\n",
		"bad price":  "version 1\nopenai x input y output 2\n",
		"twice":      "version 1\nopenai x input 1 output 2\nopenai X input 1 output 2\n",
	} {
		if _, err := Read(text); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestOverrides(t *testing.T) {
	var table Table
	table.Catalogue = Default()
	for _, words := range []string{
		"openai/gpt-4o input 1 output 2",
		"openai/gpt-* input 3 output 4",
		"openai/gpt-9-* input 7 output 8",
		"openai/* input 9 output 9",
		"gpu/* free",
		"main/gpt-4o* input 5 output 6",
	} {
		if err := table.Overrides.Add(strings.Fields(words)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ name, module, model, want, price string }{
		{"openai", "openai", "gpt-4o", "openai/gpt-4o", "input 1 output 2"},
		{"openai", "openai", "gpt-9", "openai/gpt-*", "input 3 output 4"},
		{"openai", "openai", "gpt-9-x", "openai/gpt-9-*", "input 7 output 8"},
		{"openai", "openai", "o9", "openai/*", "input 9 output 9"},
		{"gpu", "openai_compatible", "llama", "gpu/*", "free"},
		{"main", "openai", "gpt-4o-mini", "main/gpt-4o*", "input 5 output 6"},
		{"other", "openai", "text-embedding-3-small", "openai/text-embedding-3-small", ""},
		{"other", "openai_compatible", "llama", "", ""},
	} {
		price, ok := table.Find(tt.name, tt.module, tt.model, now)
		if ok != (tt.want != "") || (ok && (price.Name != tt.want || (tt.price != "" && price.String() != tt.price))) {
			t.Errorf("%s/%s: got %v, %v", tt.name, tt.model, price, ok)
		}
	}
	for _, words := range []string{
		"", "openai/x", "x input 1 output 2", "/x input 1 output 2", "openai/ input 1 output 2", "open*ai/x input 1 output 2",
		"openai/gpt-4o input 1 output 2", "gpu/* input 1 output 2", "openai/x input one output 2",
	} {
		if err := table.Overrides.Add(strings.Fields(words)); err == nil {
			t.Errorf("%q: no error", words)
		}
	}
}

func TestDiff(t *testing.T) {
	old, err := Read("version 1\na x input 1 output 2\na y input 1 output 2\na z input 1 output 2\n")
	if err != nil {
		t.Fatal(err)
	}
	now, err := Read("version 2\na x input 1 output 2\na y input 1 output 3\na zz input 1 output 2\n")
	if err != nil {
		t.Fatal(err)
	}
	got := old.Diff(now)
	want := []Difference{
		{"a/y", "input 1 output 2", "input 1 output 3"},
		{"a/z", "input 1 output 2", ""},
		{"a/zz", "", "input 1 output 2"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestFormatUSD(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 1: "0.000000001", 12_500_000: "0.0125", 3 * nano: "3", 1_000_000_001: "1.000000001", -nano / 2: "-0.5",
		maxMoney: "9223372036.854775807", -maxMoney - 1: "-9223372036.854775807",
	} {
		if got := FormatUSD(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"input 2.50 output 10 cache_read 0.25 above 200000 input 5 output 15 service batch input 1.25 output 5", "free", "request 0.002",
		"input 1", "input 1 output -2", "above above", "second 0.000000000000001",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(strings.Fields(text))
		if err != nil {
			return
		}
		again, err := Parse(strings.Fields(p.String()))
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q is %q, which is %v, %v", text, p, again, err)
		}
		u := Usage{Input: 300_000, Output: 1000, CacheRead: 1000, Reasoning: 10, Requests: 1}
		if c := p.Cost(u); c.Total < 0 || c.Total > p.UpperBound(300_000, 1000, 1) {
			t.Fatalf("%q: cost %+v, bound %d", text, c, p.UpperBound(300_000, 1000, 1))
		}
	})
}
