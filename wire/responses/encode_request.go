package responses

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
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

func (w *requestWriter) options() {
	req := w.req
	w.include()
	if req.Stream {
		w.Flag("stream", true)
	}
	switch {
	case req.Store != wire.Unset:
		w.tri("store", req.Store)
	case !w.own:
		w.Flag("store", false)
	}
	w.NumIf("max_output_tokens", req.MaxTokens)
	w.user()
	w.RawIf("metadata", req.Metadata)
	w.tier()
	w.StrIf("prompt_cache_key", req.CacheKey)
	switch {
	case req.CacheOptions != "":
		w.RawMember("prompt_cache_options", req.CacheOptions)
	case w.longTTL: // the lifetime stands once, for all marks
		w.RawMember("prompt_cache_options", `{"ttl":"12h"}`)
	}
	// CacheAuto needs no member: OpenAI keeps prompts unasked.
}

func (w *requestWriter) include() {
	extra := ""
	if w.own {
		for _, x := range w.req.Extra {
			if x.Name == "include" {
				extra = strings.TrimSuffix(strings.TrimPrefix(x.Raw, "["), "]")
			}
		}
	}
	hidden := w.req.Reasoning.Encrypted || !w.own && w.thinks()
	if !hidden && !w.req.LogProbs && extra == "" {
		return
	}
	w.Key("include")
	w.Array()
	if hidden {
		w.String(includeEncrypted)
	}
	if w.req.LogProbs {
		w.String(includeLogProbs)
	}
	if extra != "" {
		w.Raw(extra)
	}
	w.EndArray()
}

// sampling writes what the model takes: reasoning models refuse all but the
// defaults. The dialect has nothing for the others.
func (w *requestWriter) sampling() {
	req := w.req
	number := func(name string, n wire.Number) {
		switch f, ok := n.Float(); {
		case n == "":
		case w.own || !w.ability.NoSampling:
			w.RawMember(name, string(n))
		case !ok || f != 1:
			w.loss.Drop(name)
		}
	}
	number("temperature", req.Temperature)
	number("top_p", req.TopP)
	w.RawIf("top_logprobs", string(req.TopLogProbs))
	for _, x := range []struct {
		name string
		said bool
	}{
		{"top_k", req.TopK != ""},
		{"frequency_penalty", req.FrequencyPenalty != ""},
		{"presence_penalty", req.PresencePenalty != ""},
		{"seed", req.Seed != ""},
		{"stop", len(req.Stop) > 0},
		{"n", req.Choices > 1},
		{"logit_bias", req.LogitBias != ""},
		{"modalities", len(req.Modalities) > 0},
	} {
		if x.said {
			w.loss.Drop(x.name)
		}
	}
}

// user writes the client's name for its user. OpenAI refuses one of more than
// 64 bytes; agents on other dialects send longer ones.
func (w *requestWriter) user() {
	user, name := w.req.User, "safety_identifier"
	if user == "" {
		return
	}
	if w.own && w.req.Spelling["user"] == "" {
		name = "user"
	}
	if len(user) > maxID && !w.own {
		sum := sha256.Sum256([]byte(user))
		user = hex.EncodeToString(sum[:])
	}
	w.Str(name, user)
}

// maxID is OpenAI's limit of safety_identifier and of call_id in bytes.
const maxID = 64

func (w *requestWriter) tier() {
	switch tier := w.req.ServiceTier; {
	case tier == "":
	case w.own || isTier(tier):
		w.Str("service_tier", tier)
	case tier == "standard_only", tier == "standard":
		w.Str("service_tier", "default")
	default:
		w.loss.Drop("service_tier")
	}
}

func isTier(tier string) bool {
	return slices.Contains([]string{"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"}, tier)
}

// nested are the extra members of the object that prefix names.
func (w *requestWriter) nested(prefix string) (list []wire.Extra) {
	if !w.own {
		return nil
	}
	for _, x := range w.req.Extra {
		if name, ok := strings.CutPrefix(x.Name, prefix); ok {
			list = append(list, wire.Extra{Name: name, Raw: x.Raw})
		}
	}
	return list
}

func (w *requestWriter) extras() {
	if !w.own {
		w.loss.DropExtra(w.req)
		return
	}
	for _, x := range w.req.State {
		if x.Name != "item_reference" { // stands in the input
			w.member(x)
		}
	}
	for _, x := range w.req.Extra {
		switch {
		case x.Name == "include", x.Name == "tool_choice":
		case strings.HasPrefix(x.Name, "text."), strings.HasPrefix(x.Name, "reasoning."), strings.HasPrefix(x.Name, "tools["):
		default:
			w.member(x)
		}
	}
}

func (w *requestWriter) members(list []wire.Extra) {
	for _, x := range list {
		w.member(x)
	}
}

// member writes a member whose name a client chose.
func (w *requestWriter) member(x wire.Extra) {
	w.String(x.Name)
	w.B = append(w.B, ':')
	w.Raw(x.Raw)
}

func (w *requestWriter) tri(name string, t wire.Tri) {
	if t != wire.Unset {
		w.Flag(name, t == wire.Yes)
	}
}

func (w *requestWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
