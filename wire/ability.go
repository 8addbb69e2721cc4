package wire

import "strings"

// Ability is what a model is known to refuse or to need: the reports of its
// vendor and of recordings, in one table. What is not known is allowed, so a
// new model gets what the client sent and its vendor decides.
type Ability struct {
	// NoSampling: temperature, top_p and top_k are refused unless default.
	NoSampling bool

	// OneSampling: temperature and top_p are refused together.
	OneSampling bool

	// NoPrefill: the last message must not be the assistant's.
	NoPrefill bool

	// NoStop: stop strings are refused.
	NoStop bool

	// Thinking is how Claude is told to think.
	Thinking ThinkingForm

	// AlwaysThinks: thinking cannot be switched off.
	AlwaysThinks bool

	// Levels: Gemini takes thinkingLevel, not thinkingBudget.
	Levels bool

	// Signatures: Gemini refuses a history of calls without signatures.
	Signatures bool

	// NoFormat: Claude that does not know output_config.format and strict tools.
	NoFormat bool

	// Breakpoints: OpenAI takes prompt_cache_breakpoint on parts.
	Breakpoints bool

	// SystemTurns: system messages may stand between other messages.
	SystemTurns bool

	// MaxOutput is the most tokens the model generates; 0: not known. It
	// fills in for clients of dialects in which a cap is no must.
	MaxOutput int64
}

// ThinkingForm is a way to ask Claude for thinking.
type ThinkingForm uint8

// The forms.
const (
	ThinkingNone     ThinkingForm = iota
	ThinkingBudget                // {type: enabled, budget_tokens}
	ThinkingBoth                  // budget or adaptive
	ThinkingAdaptive              // {type: adaptive} with output_config.effort
)

// defaultMaxOutput is the cap for a model of a dialect that demands one when
// nothing is known of the model.
const defaultMaxOutput = 8192

// MaxOutputOr is the model's largest output, or a cap that every current
// model takes.
func (a Ability) MaxOutputOr() int64 {
	if a.MaxOutput > 0 {
		return a.MaxOutput
	}
	return defaultMaxOutput
}

// abilities are by the beginning of a model's bare name, the longest first
// where one begins another.
var abilities = []struct {
	prefix string
	Ability
}{
	{"claude-3-5", Ability{MaxOutput: 8192, NoFormat: true}},
	{"claude-3-7", Ability{MaxOutput: 64000, Thinking: ThinkingBudget, NoFormat: true}},
	{"claude-3", Ability{MaxOutput: 4096, NoFormat: true}},
	{"claude-opus-4-5", Ability{MaxOutput: 64000, Thinking: ThinkingBudget, OneSampling: true}},
	{"claude-sonnet-4-5", Ability{MaxOutput: 64000, Thinking: ThinkingBudget, OneSampling: true}},
	{"claude-haiku-4-5", Ability{MaxOutput: 64000, Thinking: ThinkingBudget, OneSampling: true}},
	{"claude-opus-4-6", Ability{MaxOutput: 64000, Thinking: ThinkingBoth, OneSampling: true, NoPrefill: true}},
	{"claude-sonnet-4-6", Ability{MaxOutput: 64000, Thinking: ThinkingBoth, OneSampling: true, NoPrefill: true}},
	{"claude-opus-4-7", Ability{MaxOutput: 64000, Thinking: ThinkingAdaptive, NoSampling: true, NoPrefill: true, SystemTurns: true}},
	{"claude-opus-4-8", Ability{MaxOutput: 64000, Thinking: ThinkingAdaptive, NoSampling: true, NoPrefill: true, SystemTurns: true}},
	{"claude-opus-4-1", Ability{MaxOutput: 32000, Thinking: ThinkingBudget, OneSampling: true, NoFormat: true}},
	{"claude-opus-4", Ability{MaxOutput: 32000, Thinking: ThinkingBudget, NoFormat: true}},
	{"claude-sonnet-4", Ability{MaxOutput: 64000, Thinking: ThinkingBudget, NoFormat: true}},
	{"claude-opus-5-5", Ability{MaxOutput: 64000, Thinking: ThinkingAdaptive, AlwaysThinks: true, NoSampling: true, NoPrefill: true, SystemTurns: true}},
	{"claude-opus-5", Ability{MaxOutput: 64000, Thinking: ThinkingAdaptive, NoSampling: true, NoPrefill: true, SystemTurns: true}},
	{"claude-fable", Ability{MaxOutput: 64000, Thinking: ThinkingAdaptive, AlwaysThinks: true, NoSampling: true, NoPrefill: true, SystemTurns: true}},
	{"claude-mythos", Ability{MaxOutput: 64000, Thinking: ThinkingAdaptive, AlwaysThinks: true, NoSampling: true, NoPrefill: true, SystemTurns: true}},
	{"claude-v2", Ability{MaxOutput: 4096, NoFormat: true}},
	{"claude-2", Ability{MaxOutput: 4096, NoFormat: true}},
	{"claude-instant", Ability{MaxOutput: 4096, NoFormat: true}},
	{"claude-", Ability{MaxOutput: 64000, Thinking: ThinkingAdaptive, NoSampling: true, NoPrefill: true, SystemTurns: true}},

	{"gpt-5-chat", Ability{}},
	{"gpt-5.6", Ability{NoSampling: true, NoStop: true, Breakpoints: true}},
	{"gpt-5", Ability{NoSampling: true, NoStop: true}},
	{"gpt-6", Ability{NoSampling: true, NoStop: true, Breakpoints: true}},
	{"o1", Ability{NoSampling: true, NoStop: true}},
	{"o3", Ability{NoSampling: true, NoStop: true}},
	{"o4", Ability{NoSampling: true, NoStop: true}},

	{"gemini-2", Ability{}},
	{"gemini-1", Ability{}},
	{"gemini-", Ability{Levels: true, Signatures: true}},
}

// AbilityOf finds what is known of a model by the name that its provider has
// for it: vendors' prefixes (`anthropic/`, `us.anthropic.`, `models/`,
// `publishers/google/models/`) and Bedrock's ARNs do not matter.
func AbilityOf(model string) Ability {
	name := strings.ToLower(BareModel(model))
	if strings.HasPrefix(name, "claude") { // resellers write claude-sonnet-4.5
		name = strings.ReplaceAll(name, ".", "-")
	}
	for _, a := range abilities {
		if strings.HasPrefix(name, a.prefix) {
			return a.Ability
		}
	}
	return Ability{}
}

// BareModel is a model's name without the vendor and the region before it.
func BareModel(model string) string {
	if at := strings.LastIndexByte(model, '/'); at >= 0 {
		model = model[at+1:]
	}
	for _, vendor := range []string{"anthropic.", "amazon.", "meta.", "cohere.", "mistral.", "deepseek.", "openai.", "qwen."} {
		if at := strings.Index(model, vendor); at >= 0 && at <= len("global.") {
			return model[at+len(vendor):]
		}
	}
	return model
}

// CohereOnBedrock reports whether a model of Bedrock is one of Cohere's for
// embeddings, which takes and gives other members than Amazon's.
func CohereOnBedrock(model string) bool {
	return strings.HasPrefix(strings.ToLower(BareModel(model)), "embed-")
}
