package responses

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// requestWriter writes one request.
type requestWriter struct {
	jsonw.Writer
	req     *wire.Request
	loss    *wire.Loss
	ability wire.Ability
	own     bool
	err     error
	custom  map[string]bool // ids of calls of custom tools
	longTTL bool            // some mark asks to be kept for an hour
}

// EncodeRequest writes a request to a Responses upstream. A client of another
// dialect sends the whole conversation each time, so the upstream is asked to
// store nothing and to hand out its reasoning encrypted instead.
func (Codec) EncodeRequest(dst []byte, req *wire.Request, loss *wire.Loss) ([]byte, error) {
	w := &requestWriter{Writer: jsonw.Writer{B: dst}, req: req, loss: loss, ability: wire.AbilityOf(req.Model), own: native(req)}
	if !w.own {
		if err := wire.RefuseState(req); err != nil {
			return dst, err
		}
	}
	w.Object()
	w.StrIf("model", req.Model)
	rest := w.instructions()
	w.tools()
	w.Key("input")
	w.Array()
	w.input(rest)
	w.EndArray()
	w.text()
	w.reasoning()
	w.options()
	w.sampling()
	w.extras()
	w.End()
	if w.err != nil {
		return dst, w.err
	}
	return w.B, nil
}

// instructions writes the first of the system's texts and returns the others:
// only a message can hold several, and cache marks.
func (w *requestWriter) instructions() []wire.Block {
	system := w.req.System
	if len(system) == 0 || system[0].Cache != nil || system[0].Text == "" {
		return system
	}
	w.Str("instructions", system[0].Text)
	return system[1:]
}

func (w *requestWriter) text() {
	req := w.req
	f := req.Format
	extra := w.nested("text.")
	if f.Kind == "" && req.Verbosity == "" && len(extra) == 0 {
		return
	}
	w.Key("text")
	w.Object()
	if f.Kind != "" {
		w.Key("format")
		w.Object()
		w.Str("type", f.Kind)
		if f.Kind == "json_schema" {
			if f.Name == "" && !w.own {
				f.Name = "response" // OpenAI demands one
			}
			w.StrIf("name", f.Name)
			w.StrIf("description", f.Description)
			w.RawIf("schema", f.Schema)
			w.tri("strict", f.Strict)
		}
		w.End()
	}
	w.StrIf("verbosity", req.Verbosity)
	w.members(extra)
	w.End()
}

func (w *requestWriter) reasoning() {
	effort, summary := w.effort()
	extra := w.nested("reasoning.")
	if effort == "" && summary == "" && len(extra) == 0 {
		return
	}
	w.Key("reasoning")
	w.Object()
	w.StrIf("effort", effort)
	w.StrIf("summary", summary)
	w.members(extra)
	w.End()
}

// effort is how much to think and what to show of it. Budgets of other
// dialects become the effort that comes nearest. Summaries are asked for only
// where the client wants to see them, since OpenAI gives them to verified
// organisations alone.
func (w *requestWriter) effort() (effort, summary string) {
	r := w.req.Reasoning
	if r.Show != "none" || w.own {
		summary = r.Show
	}
	switch effort = r.Effort; {
	case w.own || effort != "":
	case r.Mode == "off":
		if effort = "none"; !takesNone(w.req.Model) {
			w.loss.Drop("reasoning_effort")
			effort = ""
		}
	case r.Budget > 12288:
		effort = "high"
	case r.Budget > 2048:
		effort = "medium"
	case r.Budget > 0:
		effort = "low"
	}
	if !w.own && (effort == "none" || r.Mode == "off") {
		summary = ""
	}
	return effort, summary
}

// takesNone reports whether the model can be told not to think: OpenAI's own
// from 5.1 on.
func takesNone(model string) bool {
	name := strings.ToLower(wire.BareModel(model))
	return strings.HasPrefix(name, "gpt-5.") || strings.HasPrefix(name, "gpt-6")
}

// thinks reports whether the answer may hold reasoning. Models that never
// reason refuse to be asked for it encrypted.
func (w *requestWriter) thinks() bool {
	r := w.req.Reasoning
	if r.Mode == "off" || r.Effort == "none" {
		return false
	}
	return w.ability.NoSampling || r.Mode != "" || r.Effort != "" || r.Budget != 0
}

func (w *requestWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
