package bedrock

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// thinking is how the model behind is told to think.
type thinking struct {
	kind    string // of Claude: "", enabled, disabled, adaptive
	budget  int64
	display string
	effort  string // of Claude's output_config, Nova's reasoningConfig, gpt-oss
}

// claudeBudgets are what an effort means to a Claude that knows budgets only;
// 1,024 tokens are the least that it takes.
var claudeBudgets = map[string]int64{"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 32000}

const leastBudget = 1024

// think decides on thinking before anything is written, because sampling and
// the choice of tools depend on it.
func (e *encoder) think() {
	r := e.req.Reasoning
	if r.IsZero() {
		return
	}
	if r.Encrypted && (r == wire.Reasoning{Encrypted: true}) {
		return // signatures come anyway
	}
	off := r.Mode == "off" || r.Effort == "none" || r.Mode == "" && r.Budget == 0 && r.Effort == ""
	switch e.maker {
	case makerClaude:
		e.claudeThinking(r, off)
	case makerNova:
		e.thinking = novaThinking(r, off, strings.HasPrefix(wire.BareModel(e.req.Model), "nova-2"))
		if e.thinking == (thinking{}) && !off {
			e.loss.Drop("reasoning_effort")
		}
	case makerOpenAI:
		if e.thinking.effort = r.Effort; r.Effort == "" || off {
			e.thinking.effort = ""
			e.loss.Drop("reasoning_effort")
		}
	default:
		if !off {
			e.loss.Drop("reasoning_effort")
		}
	}
}

func (e *encoder) claudeThinking(r wire.Reasoning, off bool) {
	t := &e.thinking
	form := e.ability.Thinking
	switch {
	case form == wire.ThinkingNone:
		if !off {
			e.loss.Drop("reasoning_effort")
		}
	case off:
		switch {
		case r.Mode == "" && r.Effort == "": // only what to show was said
		case e.ability.AlwaysThinks:
			t.effort = "low"
			e.loss.Drop("reasoning_effort")
		default:
			t.kind = "disabled"
		}
	case form == wire.ThinkingBudget || form == wire.ThinkingBoth && r.Budget > 0:
		e.budgetThinking(r)
	default:
		t.kind = "adaptive"
		switch t.effort = r.Effort; {
		case r.Effort == "minimal":
			t.effort = "low"
		case r.Effort == "xhigh" && form == wire.ThinkingBoth: // 4.6 answers 400
			e.loss.Drop("reasoning_effort")
			t.effort = "high"
		case r.Effort == "":
			t.effort = effortOf(r.Budget)
		}
		switch r.Show {
		case "none":
			t.display = "omitted"
		case "auto", "concise", "detailed":
			t.display = "summarized"
		}
	}
}

// budgetThinking gives a Claude that knows budgets one that fits below the cap
// and leaves room for an answer. With it, no tool can be forced.
func (e *encoder) budgetThinking(r wire.Reasoning) {
	budget, most := r.Budget, e.req.MaxTokens
	if budget <= 0 {
		if budget = claudeBudgets[r.Effort]; budget == 0 {
			budget = claudeBudgets["medium"]
		}
		if most > 0 {
			most -= leastBudget
		}
	}
	if most > 0 && budget >= most {
		budget = max(most-1, leastBudget)
	}
	choice := e.req.ToolChoice.Mode
	forced := len(e.req.Tools) > 0 && (choice == "required" || choice == "named")
	if forced || beganWithoutThinking(e.turns) || e.req.MaxTokens > 0 && budget >= e.req.MaxTokens {
		e.loss.Drop("reasoning_effort")
		return
	}
	e.thinking.kind, e.thinking.budget = "enabled", budget
}

// novaThinking is for Nova 2, which knows three efforts.
func novaThinking(r wire.Reasoning, off, able bool) (t thinking) {
	if off || !able {
		return t
	}
	switch r.Effort {
	case "minimal", "low":
		t.effort = "low"
	case "high", "xhigh", "max":
		t.effort = "high"
	default:
		t.effort = "medium"
	}
	return t
}

// thinks reports whether Claude is told to think, which binds its sampling.
func (e *encoder) thinks() bool { return e.thinking.kind == "enabled" || e.thinking.kind == "adaptive" }

// sampling is what of temperature, top_p and stop the model takes.
func (e *encoder) sampling() (temperature, topP wire.Number, stop []string) {
	req := e.req
	temperature, topP, stop = req.Temperature, req.TopP, req.Stop
	t, _ := temperature.Float()
	p, _ := topP.Float()
	claude := e.maker == makerClaude
	thinks := e.thinks()
	switch {
	case temperature == "":
	case thinks && t == 1: // the one that goes with thinking
	case e.ability.NoSampling || thinks:
		if t != 1 {
			e.loss.Drop("temperature")
		}
		temperature = ""
	case t > 1 && (claude || e.maker == makerNova):
		e.loss.Drop("temperature")
		temperature = "1"
	}
	switch {
	case topP == "":
	case e.ability.NoSampling, thinks && p < 0.95, e.ability.OneSampling && temperature != "":
		if p != 1 {
			e.loss.Drop("top_p")
		}
		topP = ""
	}
	if claude {
		stop = nil
		for _, s := range req.Stop {
			if strings.TrimSpace(s) == "" { // Claude refuses it
				e.loss.Drop("stop")
				continue
			}
			stop = append(stop, s)
		}
	}
	return temperature, topP, stop
}

// additional writes what Bedrock hands to the model behind as it is.
func (e *encoder) additional() {
	w := &encoder{Writer: jsonw.Writer{B: []byte{'{'}}, req: e.req}
	t := e.thinking
	topK := e.req.TopK
	if topK != "" && (e.maker != makerClaude && e.maker != makerNova || e.ability.NoSampling || e.thinks()) {
		e.loss.Drop("top_k")
		topK = ""
	}
	switch e.maker {
	case makerNova:
		if topK != "" || w.hasExtra(additional+"inferenceConfig.") {
			w.Key("inferenceConfig")
			w.Object()
			w.RawIf("topK", string(topK))
			w.extras(additional + "inferenceConfig.")
			w.End()
		}
		if t.effort != "" {
			w.Key("reasoningConfig")
			w.Object()
			w.Str("type", "enabled")
			w.Str("maxReasoningEffort", t.effort)
			w.End()
		}
	case makerOpenAI:
		w.StrIf("reasoning_effort", t.effort)
	default:
		if t.kind != "" {
			w.Key("thinking")
			w.Object()
			w.Str("type", t.kind)
			w.NumIf("budget_tokens", t.budget)
			w.StrIf("display", t.display)
			w.End()
		}
		if t.effort != "" || w.hasExtra(additional+"output_config.") {
			w.Key("output_config")
			w.Object()
			w.StrIf("effort", t.effort)
			w.extras(additional + "output_config.")
			w.End()
		}
		w.RawIf("top_k", string(topK))
		w.RawIf("tool_choice", e.choice)
	}
	w.plainExtras()
	w.End()
	if len(w.B) > len("{}") {
		e.RawMember("additionalModelRequestFields", string(w.B))
	}
}

// plainExtras writes the kept members that are not inside another object.
func (e *encoder) plainExtras() {
	if e.req.Dialect != wire.Bedrock {
		return
	}
	for _, x := range e.req.Extra {
		if name, ok := strings.CutPrefix(x.Name, additional); ok && !strings.HasPrefix(name, "output_config.") && !strings.HasPrefix(name, "inferenceConfig.") {
			e.member(name, x.Raw)
		}
	}
}

// effortOf is the effort that a budget amounts to for a Claude that knows
// efforts only.
func effortOf(budget int64) string {
	switch {
	case budget <= 0: // the model decides
		return ""
	case budget <= 4096:
		return "low"
	case budget <= 12288:
		return "medium"
	case budget <= 32768:
		return "high"
	default:
		return "max" // unlike xhigh, every model with efforts has it
	}
}
