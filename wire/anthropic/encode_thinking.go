package anthropic

import (
	"github.com/weirproxy/weir/wire"
)

// thinking is how the model is told to think.
type thinking struct {
	kind      string // "", disabled, enabled, adaptive
	budget    int64  // of enabled
	effort    string // of output_config
	maxTokens int64
}

// minBudget is the smallest budget that the vendor takes.
const minBudget = 1024

// think decides how the model is told to think, in the form that it knows: a
// budget before Claude 4.6, an effort since.
func (w *writer) think() thinking {
	t := thinking{maxTokens: w.req.MaxTokens}
	most := w.ability.MaxOutput
	if t.maxTokens == 0 {
		t.maxTokens = w.ability.MaxOutputOr()
	} else if most > 0 {
		t.maxTokens = min(t.maxTokens, most)
	}
	r := w.req.Reasoning
	if r.Mode == "" && r.Effort == "" && r.Budget == 0 {
		return t
	}
	known := w.ability != wire.Ability{}
	form := w.ability.Thinking
	efforts := form == wire.ThinkingAdaptive || form == wire.ThinkingBoth
	switch {
	case known && form == wire.ThinkingNone:
		if r.Mode != "off" && r.Effort != "none" {
			w.loss.Drop("reasoning_effort")
		}
		return t
	case r.Mode == "off" || r.Mode == "" && r.Effort == "none":
		w.thinkNot(&t)
		return t
	case r.Mode == "" && r.Budget == 0 && w.same: // an effort alone says nothing about thinking
		if known && !efforts {
			w.loss.Drop("reasoning_effort")
		} else {
			t.effort = w.effort(r.Effort)
		}
		return t
	case r.Mode != "adaptive" && r.Budget > 0 && form == wire.ThinkingBoth:
		// A budget is what the client named, and the model takes it still.
	case efforts, !known && r.Mode == "adaptive":
		t.kind = "adaptive"
		if t.effort = w.effort(r.Effort); t.effort == "" && known {
			t.effort = effortOf(r.Budget)
		}
		return t
	}
	if w.same && (efforts || !known) {
		t.effort = w.effort(r.Effort)
	}
	if known && (w.forced() || w.cannotThink()) {
		w.loss.Drop("reasoning_effort")
		return t
	}
	if w.allot(&t) {
		t.kind = "enabled"
	}
	return t
}

// thinkNot switches thinking off, or down where that is all that can be done.
func (w *writer) thinkNot(t *thinking) {
	if w.ability.AlwaysThinks {
		w.loss.Drop("reasoning_effort")
		t.effort = "low"
		return
	}
	t.kind = "disabled"
	if w.ability.Thinking != wire.ThinkingBudget && w.req.Reasoning.Effort != "none" {
		t.effort = w.effort(w.req.Reasoning.Effort)
	}
}

// allot finds the budget, and reports whether there is room for it: thinking
// counts as output, and whoever set the cap, the client or a limit that has
// reserved so much, must not get more. What only stands for an effort leaves half
// of the cap to the answer.
func (w *writer) allot(t *thinking) bool {
	r := w.req.Reasoning
	if t.maxTokens <= minBudget {
		w.loss.Drop("reasoning_effort")
		return false
	}
	half := max(minBudget, t.maxTokens/2)
	switch {
	case r.Budget <= 0:
		t.budget = min(budgetOf(r.Effort), half)
	case r.Budget >= t.maxTokens:
		if t.budget = half; w.req.MaxTokens > 0 {
			w.loss.Drop("reasoning_effort")
		}
	default:
		t.budget = max(r.Budget, minBudget)
	}
	return true
}

// cannotThink reports whether the vendor refuses budgeted thinking for this
// conversation: it goes on with a begun answer, or its tools run and the turn
// that called them has no thinking of Claude's own at its start.
func (w *writer) cannotThink() bool {
	n := len(w.messages)
	if n == 0 {
		return false
	}
	last := &w.messages[n-1]
	if last.Role == wire.RoleAssistant {
		return true
	}
	if last.Role != wire.RoleUser || last.Blocks[0].Type != wire.ResultBlock || n < 2 {
		return false
	}
	first := w.messages[n-2].Blocks[0].Type
	return first != wire.ThinkingBlock && first != wire.RedactedBlock
}

func (w *writer) writeThinking() {
	if w.hasExtra("thinking") {
		return
	}
	t := &w.thinking
	if t.kind == "" {
		return
	}
	w.Key("thinking")
	w.Object()
	w.Str("type", t.kind)
	w.NumIf("budget_tokens", t.budget)
	// The first models that think know no display.
	if t.kind != "disabled" && (w.same || w.ability.Thinking != wire.ThinkingBudget) {
		switch w.req.Reasoning.Show {
		case "":
		case "none":
			w.Str("display", "omitted")
		default:
			w.Str("display", "summarized")
		}
	}
	w.End()
}

// effort is an effort in the vendor's words.
func (w *writer) effort(effort string) string {
	switch effort {
	case "none":
		return ""
	case "minimal":
		return "low"
	case "xhigh":
		if w.ability.Thinking == wire.ThinkingBoth { // 4.6 answers 400
			w.loss.Drop("reasoning_effort")
			return "high"
		}
	}
	return effort
}

// budgetOf is the budget that an effort amounts to.
func budgetOf(effort string) int64 {
	switch effort {
	case "minimal":
		return minBudget
	case "low":
		return 2048
	case "high":
		return 16384
	case "xhigh", "max":
		return 32000
	default:
		return 8192
	}
}

// effortOf is the effort that a budget amounts to.
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
