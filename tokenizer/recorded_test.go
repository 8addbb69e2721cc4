package tokenizer_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
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

// recorded is one line of testdata/prompts.jsonl.gz: a real request and the
// input tokens that the provider billed for it. Made by internal/gen/prompts.py.
type recorded struct {
	Provider, Dialect, Model, Case string
	Tokens                         int
	Body                           json.RawMessage
	Source, Licence                string
}

var walkers = map[string]func([]byte, jsonscan.Value, wire.PromptSink){
	"openai":    openai.WalkPrompt,
	"responses": responses.WalkPrompt,
	"anthropic": anthropic.WalkPrompt,
	"gemini":    gemini.WalkPrompt,
}

func readRecorded(tb testing.TB) []recorded {
	tb.Helper()
	file, err := os.Open("testdata/prompts.jsonl.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		tb.Fatal(err)
	}
	var all []recorded
	lines := bufio.NewScanner(plain)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			tb.Fatal(err)
		}
		all = append(all, r)
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		tb.Fatalf("reading recorded prompts: %v, %d read", err, len(all))
	}
	return all
}

// content says what a prompt has beyond text: the rules for it are estimates.
func content(r recorded) string {
	body := string(r.Body)
	for _, s := range []string{`"previous_response_id":"`, `"type":"web_search`, `"type":"mcp"`, `"code_interpreter"`, `"tool_search`, `"web_search_options"`, `:web_search"`, `"type":"custom"`, `"server_label"`, `"google_search"`, `"googleSearch"`, `"code_execution`, `"codeExecution"`, `"bash_`, `"web_fetch`, `"url_context"`, `"mcp_servers"`, `"type":"file_search"`, `"prompt":{`, `"fileData"`, `"search_parameters"`, `"context_management"`, `"type":"reasoning"`, `"cachedContent"`, `fileSearch`, `"file_search`, "google_maps", "googleMaps", `"type":"web`, `server_tool_use`, `"input_file"`} {
		if strings.Contains(body, s) {
			return "hosted" // tools and state that the provider adds
		}
	}
	for _, s := range []string{"image_url", `"input_image"`, `"type":"image"`, "inlineData", "inline_data", `"type":"file"`, `"input_file"`, `"input_audio"`, `"document"`, `"file_data"`} {
		if strings.Contains(body, s) {
			return "media"
		}
	}
	if strings.Contains(body, `"tools":[{`) || strings.Contains(body, `"functions":[`) || strings.Contains(body, `"tool_calls"`) {
		return "tools"
	}
	if strings.Contains(body, `json_schema`) || strings.Contains(body, "responseSchema") || strings.Contains(body, "responseJsonSchema") || strings.Contains(body, "output_format") || strings.Contains(body, "output_config") {
		return "format"
	}
	return "text"
}

// TestRecordedPrompts counts the recorded prompts and prints the distribution
// of the error for each family (-v). Plain text must be exact for OpenAI, and
// two of three prompts with tools within one per cent: the others have a tool
// choice whose cost is not known.
func TestRecordedPrompts(t *testing.T) {
	errors := map[string][]float64{}
	off := map[string][]int{}
	tools, near := 0, 0
	for _, r := range readRecorded(t) {
		family := tokenizer.ForModel(r.Model)
		p := family.NewPrompt()
		walkers[r.Dialect](r.Body, jsonscan.Value{}, p)
		got, estimated := p.Tokens()
		p.Release()
		what := content(r)
		group := family.Name + " " + what
		errors[group] = append(errors[group], 100*float64(got-r.Tokens)/float64(r.Tokens))
		off[group] = append(off[group], got-r.Tokens)
		t.Logf("%-18s %-10s %-32s %6d counted %6d %+5d  %s", group, r.Provider, r.Model, r.Tokens, got, got-r.Tokens, r.Case)
		if r.Provider == "openai" && what == "text" && !estimated && got != r.Tokens {
			t.Errorf("%s %s: %d tokens, want %d", r.Model, r.Case, got, r.Tokens)
		}
		if what == "tools" && (r.Provider == "openai" || r.Provider == "azure" && !family.Estimated) {
			tools++
			if 100*max(got-r.Tokens, r.Tokens-got) <= r.Tokens {
				near++
			}
		}
	}
	if 3*near < 2*tools {
		t.Errorf("%d of %d prompts of OpenAI with tools are within one per cent", near, tools)
	}
	groups := make([]string, 0, len(errors))
	for g := range errors {
		groups = append(groups, g)
	}
	slices.Sort(groups)
	t.Logf("%-22s %3s %9s %9s %9s %8s", "family", "n", "p10", "median", "p90", "tokens")
	for _, g := range groups {
		e := errors[g]
		slices.Sort(e)
		slices.Sort(off[g])
		at := func(q float64) float64 { return e[int(math.Round(q*float64(len(e)-1)))] }
		t.Logf("%-22s %3d %+8.1f%% %+8.1f%% %+8.1f%% %+8d", g, len(e), at(0.1), at(0.5), at(0.9), off[g][len(off[g])/2])
	}
}
