package tokenizer

import "strings"

// pattern gives the family of the models whose name starts with prefix.
type pattern struct {
	prefix string
	family *Family
}

// The rules of the OpenAI families, see rules.
var (
	openAIRules = rules{once: 3, perMessage: 3, perName: 1, perCall: 9, chatCall: 4, toolStyle: toolNamespace, toolsOnce: 10, ownSystem: 5, forced: 20, format: 3, image: imageRule{kind: imageTiles, base: 85, each: 170}}
	// The reasoning models need one token less for the opening.
	reasoningRules = rules{once: 2, perMessage: 3, perName: 1, perCall: 9, chatCall: 4, toolStyle: toolNamespace, toolsOnce: 13, ownSystem: 5, forced: 20, format: 3, image: imageRule{kind: imageTiles, base: 75, each: 150}}
	// From gpt-5 on, tools have a message of their own in any case.
	gpt5Rules = rules{once: 2, perMessage: 3, perName: 1, perCall: 9, chatCall: 4, toolStyle: toolNamespace, toolsOnce: 16, forced: 20, format: 3, image: imageRule{kind: imageTiles, base: 70, each: 140}, chatTools: 82}
)

func with(r rules, change func(*rules)) *rules {
	change(&r)
	return &r
}

func patches(ratio, limit int) func(*rules) {
	return func(r *rules) { r.image = imageRule{kind: imagePatches, each: ratio, limit: limit} }
}

// families is the table from model names to families. The longest prefix wins,
// so the order does not matter. It is built once and never changed.
var families, unknownFamily = func() ([]pattern, *Family) {
	o200k, harmony, cl100k, p50k, edit, r50k := builtin[0], builtin[1], builtin[2], builtin[3], builtin[4], builtin[5]
	var table []pattern
	id := uint32(0)
	add := func(f Family, r *rules, prefixes ...string) *Family {
		id++
		f.id, f.rules = id, r
		if f.Ratio == 0 {
			f.Ratio = 1000
		}
		for _, p := range prefixes {
			table = append(table, pattern{p, &f})
		}
		return &f
	}
	exact := func(name string, e *Encoding, r *rules, prefixes ...string) {
		add(Family{Name: name, Encoding: e}, r, prefixes...)
	}
	estimated := func(name string, ratio int, r rules, prefixes ...string) *Family {
		return add(Family{Name: name, Encoding: o200k, Estimated: true, Ratio: ratio}, &r, prefixes...)
	}

	exact("gpt-4o", o200k, &openAIRules, "gpt-4o", "gpt-4.1", "gpt-4.5", "chatgpt-4o", "ft:gpt-4o", "ft:gpt-4.1")
	exact("gpt-4o-mini", o200k, with(openAIRules, func(r *rules) { r.image = imageRule{kind: imageTiles, base: 2833, each: 5667} }), "gpt-4o-mini", "ft:gpt-4o-mini")
	exact("gpt-4.1-mini", o200k, with(openAIRules, patches(1620, 1536)), "gpt-4.1-mini", "ft:gpt-4.1-mini")
	exact("gpt-4.1-nano", o200k, with(openAIRules, patches(2460, 1536)), "gpt-4.1-nano", "ft:gpt-4.1-nano")
	exact("o-series", o200k, &reasoningRules, "o1", "o3")
	exact("o4-mini", o200k, with(reasoningRules, patches(1720, 1536)), "o4-mini")
	exact("gpt-5", o200k, &gpt5Rules, "gpt-5", "codex-mini", "computer-use")
	exact("gpt-5-mini", o200k, with(gpt5Rules, patches(1620, 1536)), "gpt-5-mini")
	exact("gpt-5-nano", o200k, with(gpt5Rules, patches(2460, 1536)), "gpt-5-nano")
	// With the sentence of Harmony about the channel that calls go to.
	const commentary = 26
	gpt54 := with(gpt5Rules, patches(1200, 10000))
	gpt54.toolsOnce = commentary
	exact("gpt-5.4", o200k, gpt54, "gpt-5.4", "gpt-5.5", "gpt-5.6")
	add(Family{Name: "gpt-next", Encoding: o200k, Estimated: true}, gpt54, "gpt-6", "gpt-7")
	add(Family{Name: "gpt-oss", Encoding: harmony, Estimated: true}, with(gpt5Rules, func(r *rules) { r.once, r.toolsOnce, r.chatTools = 67, commentary, 0 }), "gpt-oss")
	exact("gpt-4", cl100k, with(openAIRules, func(r *rules) { r.toolsOnce = 11 }), "gpt-4", "gpt-3.5", "gpt-35", "ft:gpt-4", "ft:gpt-3.5")
	exact("embedding", cl100k, &openAIRules, "text-embedding-", "davinci-002", "babbage-002")
	exact("davinci-003", p50k, &openAIRules, "text-davinci-002", "text-davinci-003", "code-davinci", "code-cushman")
	exact("davinci-edit", edit, &openAIRules, "text-davinci-edit", "code-davinci-edit")
	exact("gpt-3", r50k, &openAIRules, "davinci", "curie", "babbage", "ada", "text-davinci-001", "text-curie", "text-babbage", "text-ada", "gpt2", "gpt-2")

	json := func(once, perMessage, toolsOnce, toolRatio int, image imageRule) rules {
		return rules{once: once, perMessage: perMessage, perName: 1, perCall: 12, toolStyle: toolJSON, toolsOnce: toolsOnce, toolRatio: toolRatio, dropsNone: true, format: 3, image: image}
	}
	claude := func(toolsOnce, toolRatio, limit int) rules {
		r := json(4, 3, toolsOnce, toolRatio, imageRule{kind: imageClaude, limit: limit})
		r.dropsNone, r.format = false, 130
		return r
	}
	estimated("claude-4", 1150, claude(310, 1500, 1568), "claude-", "claude-3", "claude-sonnet-4", "claude-opus-4")
	estimated("claude-4.5", 1150, claude(490, 1500, 1568), "claude-haiku-4", "claude-opus-4-5", "claude-opus-4.5", "claude-opus-4-6", "claude-opus-4.6",
		"claude-sonnet-4-5", "claude-sonnet-4.5", "claude-sonnet-4-6", "claude-sonnet-4.6")
	estimated("claude-4.7", 1400, claude(360, 2200, 4784), "claude-opus-4-7", "claude-opus-4.7", "claude-opus-4-8", "claude-opus-4.8", "claude-opus-4-9",
		"claude-sonnet-4-7", "claude-sonnet-4-8", "claude-sonnet-4-9", "claude-haiku-4-7", "claude-haiku-4-8", "claude-haiku-4-9",
		"claude-opus-5", "claude-sonnet-5", "claude-haiku-5", "claude-5")
	estimated("gemini", 1080, json(0, 0, 0, 1000, imageRule{kind: imageGemini2}), "gemini-", "gemma", "models/gemini-")
	estimated("gemini-3", 1080, json(0, 0, 0, 1000, imageRule{kind: imageFlat, base: 1120}), "gemini-3")
	flat := imageRule{kind: imageFlat, base: 1200}
	estimated("mistral", 1130, json(2, 3, 14, 1250, imageRule{kind: imageClaude, limit: 3025}), "mistral", "ministral", "magistral", "codestral", "devstral", "pixtral", "open-mi", "voxtral")
	estimated("deepseek", 1030, json(2, 2, 195, 1700, flat), "deepseek")
	estimated("llama", 1020, json(27, 4, 100, 1300, flat), "llama", "meta-llama", "meta.llama")
	estimated("qwen", 1030, json(4, 4, 120, 1200, flat), "qwen", "qwq", "qvq")
	estimated("cohere", 1050, json(490, 4, 900, 1200, flat), "command", "c4ai", "aya")
	estimated("grok", 1000, json(3, 3, 300, 800, flat), "grok")
	estimated("grok-4.3", 1000, json(195, 3, 60, 800, flat), "grok-4.3", "grok-3-mini") // with a system prompt of the vendor's
	estimated("nova", 1250, json(43, 3, 200, 1300, flat), "nova", "amazon.nova")
	estimated("kimi", 1050, json(4, 4, 60, 1200, flat), "kimi", "moonshot")
	estimated("glm", 1050, json(4, 4, 120, 1200, flat), "glm", "chatglm")
	estimated("minimax", 1050, json(20, 4, 120, 1200, flat), "minimax", "abab")
	return table, estimated("unknown", 1150, json(4, 4, 120, 1300, flat))
}()

// ForModel returns the family of a model name. Prefixes of providers
// ("openai/", "us.anthropic.") are ignored, upper case is lower case, the
// longest prefix in the table wins, and an unknown model belongs to the
// estimated family "unknown". It never returns nil.
func ForModel(model string) *Family {
	name := model
	for {
		if f := lookup(name); f != nil {
			return f
		}
		at := strings.IndexAny(name, "/.")
		if at < 0 {
			return unknownFamily
		}
		name = name[at+1:]
	}
}

func lookup(name string) *Family {
	var best *Family
	length := 0
	for _, p := range families {
		if len(p.prefix) > length && len(name) >= len(p.prefix) && strings.EqualFold(name[:len(p.prefix)], p.prefix) {
			best, length = p.family, len(p.prefix)
		}
	}
	return best
}
