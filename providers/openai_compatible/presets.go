package openaicompatible

import (
	"slices"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/upstream"
	"github.com/weirproxy/weir/wire"
)

// generic is the name of the provider without a preset.
const generic = "openai_compatible"

// compatible are the traits that the servers share: they know `max_tokens`,
// and some of them end a complete stream without `[DONE]`.
var compatible = gateway.Traits{CapParam: "max_tokens", LooseEnd: true}

// older are those of servers that pass over `max_completion_tokens`.
var older = gateway.Traits{CapParam: "max_tokens", OneCap: true, LooseEnd: true}

// silent is for Mistral, which refuses `stream_options` and reports usage in
// the finish chunk by itself, and takes no ids of calls but such as its own.
var silent = gateway.Traits{CapParam: "max_tokens", OneCap: true, SeedParam: "random_seed", LooseEnd: true, NoStreamOptions: true, ShortCallIDs: true, Prefill: wire.PrefillMark}

// thinking is for servers that refuse a history of tool calls without the
// reasoning that led to them.
var thinking = gateway.Traits{CapParam: "max_tokens", OneCap: true, LooseEnd: true, WantsReasoning: true}

// messages adds Anthropic's API to what a server speaks.
var messages = append(append([]*wire.Operation(nil), upstream.OpenAIOperations...), upstream.AnthropicOperations...)

// chatOnly is what servers have that know no Responses API; a client of it is
// translated.
var chatOnly = without(upstream.OpenAIOperations, wire.Responses, wire.ResponsesTokens, wire.ResponsesFold)

func without(list []*wire.Operation, left ...*wire.Operation) (kept []*wire.Operation) {
	for _, op := range list {
		if !slices.Contains(left, op) {
			kept = append(kept, op)
		}
	}
	return kept
}

// presets are the servers by module name. Facts are from the vendors' public
// documentation and from recordings of their answers.
var presets = map[string]upstream.Vendor{
	generic: {
		Operations: upstream.OpenAIOperations,
		Authorize:  upstream.Bearer,
		Traits:     compatible,
	},
	"groq": {
		BaseURL:        "https://api.groq.com/openai/v1",
		KeyPlaceholder: "{env.GROQ_API_KEY}",
		Operations:     upstream.OpenAIOperations,
		Authorize:      upstream.Bearer,
		Traits:         gateway.Traits{CapParam: "max_completion_tokens", LooseEnd: true},
	},
	"deepseek": {
		BaseURL:        "https://api.deepseek.com",
		KeyPlaceholder: "{env.DEEPSEEK_API_KEY}",
		Operations:     upstream.OpenAIOperations,
		Prefixes:       []string{"deepseek-"},
		Authorize:      upstream.Bearer,
		Traits:         thinking,
	},
	"mistral": {
		BaseURL:        "https://api.mistral.ai/v1",
		KeyPlaceholder: "{env.MISTRAL_API_KEY}",
		Operations:     chatOnly,
		Prefixes:       []string{"mistral-", "ministral-", "magistral-", "codestral-", "devstral-", "pixtral-", "open-mistral-", "open-mixtral-"},
		Authorize:      upstream.Bearer,
		Traits:         silent,
	},
	"xai": {
		BaseURL:        "https://api.x.ai/v1",
		KeyPlaceholder: "{env.XAI_API_KEY}",
		Operations:     messages,
		Prefixes:       []string{"grok-"},
		Authorize:      upstream.Bearer,
		Traits:         compatible,
	},
	"openrouter": {
		BaseURL:        "https://openrouter.ai/api/v1",
		KeyPlaceholder: "{env.OPENROUTER_API_KEY}",
		Operations:     messages,
		Authorize:      upstream.Bearer,
		Forward:        []string{"Http-Referer", "X-Title"},
		Traits:         gateway.Traits{CapParam: "max_tokens", LooseEnd: true, ReasoningDetails: true},
	},
	"together": {
		BaseURL:        "https://api.together.xyz/v1",
		KeyPlaceholder: "{env.TOGETHER_API_KEY}",
		Operations:     chatOnly,
		Authorize:      upstream.Bearer,
		Traits:         older,
	},
	"fireworks": {
		BaseURL:        "https://api.fireworks.ai/inference/v1",
		KeyPlaceholder: "{env.FIREWORKS_API_KEY}",
		Operations:     messages,
		Prefixes:       []string{"accounts/fireworks/"},
		Authorize:      upstream.Bearer,
		Traits:         compatible,
	},
	"ollama": {
		BaseURL:    "http://127.0.0.1:11434/v1",
		Operations: messages,
		Authorize:  upstream.Bearer,
		Traits:     older,
	},
	"vllm": {
		BaseURL:    "http://127.0.0.1:8000/v1",
		Operations: messages,
		Authorize:  upstream.Bearer,
		Traits:     gateway.Traits{CapParam: "max_tokens", LooseEnd: true, Prefill: wire.PrefillTemplate},
	},
	"llamacpp": {
		BaseURL:    "http://127.0.0.1:8080/v1",
		Operations: messages,
		Authorize:  upstream.Bearer,
		Traits:     compatible,
	},
}
