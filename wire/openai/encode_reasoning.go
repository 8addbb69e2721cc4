package openai

import (
	"strings"

	"github.com/weirproxy/weir/wire"
)

// reasoning says how much to think. Other dialects' budgets become the effort
// that comes nearest; a client of this dialect gets its own member back.
func (w *requestWriter) reasoning() {
	r := w.req.Reasoning
	if w.own && w.ownReasoning(r) {
		return
	}
	effort := r.Effort
	switch {
	case effort != "":
	case r.Budget > 0:
		effort = effortOf(r.Budget)
	case r.Mode == "off":
		if effort = "none"; !takesNone(w.req.Model) {
			w.loss.Drop("reasoning_effort")
			return
		}
	}
	w.StrIf("reasoning_effort", effort)
}

// ownReasoning writes the objects that reasoning was asked for with, if it
// was more than an effort.
func (w *requestWriter) ownReasoning(r wire.Reasoning) bool {
	if w.req.Spelling["reasoning_effort"] == "thinking" {
		w.Key("thinking")
		w.Object()
		switch r.Mode {
		case "on":
			w.Str("type", "enabled")
		case "off":
			w.Str("type", "disabled")
		default:
			w.StrIf("type", r.Mode)
		}
		w.NumIf("budget_tokens", r.Budget)
		w.End()
		w.StrIf("reasoning_effort", r.Effort)
		return true
	}
	if r.Budget == 0 && r.Mode == "" && r.Show == "" {
		return false
	}
	w.Key("reasoning")
	w.Object()
	w.StrIf("effort", r.Effort)
	w.NumIf("max_tokens", r.Budget)
	if r.Mode != "" {
		w.Flag("enabled", r.Mode != "off")
	}
	if r.Show == "none" {
		w.Flag("exclude", true)
	}
	w.End()
	return true
}

// effortOf is the effort whose usual budget is nearest.
func effortOf(budget int64) string {
	switch {
	case budget <= 2048:
		return "low"
	case budget <= 12288:
		return "medium"
	default:
		return "high"
	}
}

// takesNone reports whether the model can be told not to think: OpenAI's own
// from 5.1 on.
func takesNone(model string) bool {
	name := strings.ToLower(wire.BareModel(model))
	return strings.HasPrefix(name, "gpt-5.") || strings.HasPrefix(name, "gpt-6")
}
