package openai

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// requestWriter writes one request.
type requestWriter struct {
	jsonw.Writer
	codec   Codec
	req     *wire.Request
	loss    *wire.Loss
	ability wire.Ability

	// own says that the request was decoded from this form: its extra members
	// and marks go back, and nothing is fitted to the model.
	own    bool
	gemini bool // Google's own compatible API, which keeps signatures
	err    error

	longTTL bool // some breakpoint asks to be kept for an hour
}

// EncodeRequest writes a request for OpenAI or a compatible upstream.
func (c Codec) EncodeRequest(dst []byte, req *wire.Request, loss *wire.Loss) ([]byte, error) {
	if err := wire.RefuseState(req); err != nil {
		return dst, err
	}
	w := &requestWriter{Writer: jsonw.Writer{B: dst}, codec: c, req: req, loss: loss, ability: wire.AbilityOf(req.Model), own: native(req)}
	w.gemini = strings.HasPrefix(strings.ToLower(wire.BareModel(req.Model)), "gemini")
	w.Object()
	w.Str("model", req.Model)
	w.tools()
	w.Key("messages")
	w.Array()
	w.messages()
	w.EndArray()
	w.format()
	w.options()
	w.sampling()
	w.extras()
	w.End()
	if w.err != nil {
		return dst, w.err
	}
	return w.B, nil
}

func (w *requestWriter) options() {
	req := w.req
	if req.Stream {
		w.Flag("stream", true)
		w.streamOptions()
	}
	if w.codec.Prefill == wire.PrefillTemplate {
		w.Flag("continue_final_message", true)
		w.Flag("add_generation_prompt", false)
	}
	capParam := w.codec.CapParam
	if capParam == "" {
		capParam = "max_completion_tokens"
	}
	w.NumIf(capParam, req.MaxTokens)
	w.reasoning()
	w.StrIf("verbosity", req.Verbosity)
	if len(req.Modalities) > 0 {
		w.list("modalities", req.Modalities)
	}
	w.user()
	w.RawIf("metadata", req.Metadata)
	w.tier()
	w.StrIf("prompt_cache_key", req.CacheKey)
	switch {
	case req.CacheOptions != "":
		w.RawMember("prompt_cache_options", req.CacheOptions)
	case w.longTTL && !w.own: // the lifetime stands once, for all marks
		w.RawMember("prompt_cache_options", `{"ttl":"12h"}`)
	}
	if req.CacheAuto != nil {
		if w.own {
			w.mark("cache_control", req.CacheAuto)
		} else {
			w.loss.Drop("cache_control")
		}
	}
	w.tri("store", req.Store)
}

// streamOptions asks for usage always: what the client asked for is the
// encoder's matter.
func (w *requestWriter) streamOptions() {
	if w.codec.NoStreamOptions {
		return
	}
	w.Key("stream_options")
	w.Object()
	w.Flag("include_usage", true)
	if w.own {
		for _, x := range w.req.Extra {
			if name, ok := strings.CutPrefix(x.Name, streamOption); ok {
				w.member(name, x.Raw)
			}
		}
	}
	w.End()
}

func (w *requestWriter) extras() {
	if !w.own {
		w.loss.DropExtra(w.req)
		return
	}
	for _, x := range w.req.Extra {
		switch {
		case strings.HasPrefix(x.Name, "messages["): // its message may be another by now
			w.loss.Drop(x.Name)
		case strings.HasPrefix(x.Name, streamOption):
			if !w.req.Stream || w.codec.NoStreamOptions {
				w.loss.Drop(x.Name)
			}
		default:
			w.member(x.Name, x.Raw)
		}
	}
}

// member writes an extra member, whose name a client chose.
func (w *requestWriter) member(name, raw string) {
	w.String(name)
	w.B = append(w.B, ':')
	w.Raw(raw)
}

func (w *requestWriter) list(name string, list []string) {
	w.Key(name)
	w.Array()
	for _, s := range list {
		w.String(s)
	}
	w.EndArray()
}

func (w *requestWriter) tri(name string, t wire.Tri) {
	if t != wire.Unset {
		w.Flag(name, t == wire.Yes)
	}
}

// sampling writes the parameters of sampling that the model takes: OpenAI's
// reasoning models refuse all but the defaults.
func (w *requestWriter) sampling() {
	req := w.req
	fixed := w.ability.NoSampling && !w.own
	number := func(name string, n wire.Number, byDefault float64) {
		switch f, ok := n.Float(); {
		case n == "":
		case fixed && ok && f == byDefault:
		case fixed:
			w.loss.Drop(name)
		default:
			w.RawMember(name, string(n))
		}
	}
	number("temperature", req.Temperature, 1)
	number("top_p", req.TopP, 1)
	if req.TopK != "" {
		if w.own {
			w.RawMember("top_k", string(req.TopK))
		} else {
			w.loss.Drop("top_k")
		}
	}
	number("frequency_penalty", req.FrequencyPenalty, 0)
	number("presence_penalty", req.PresencePenalty, 0)
	seed := w.codec.SeedParam
	if seed == "" {
		seed = "seed"
	}
	w.RawIf(seed, string(req.Seed))
	if len(req.Stop) > 0 {
		if w.ability.NoStop && !w.own {
			w.loss.Drop("stop")
		} else {
			w.list("stop", req.Stop)
		}
	}
	w.NumIf("n", req.Choices)
	if req.LogProbs {
		w.Flag("logprobs", true)
	}
	switch {
	case req.TopLogProbs == "":
	case req.LogProbs || w.own:
		w.RawMember("top_logprobs", string(req.TopLogProbs))
	default: // refused here; Responses gives none either that it does not include
		w.loss.Drop("top_logprobs")
	}
	w.RawIf("logit_bias", req.LogitBias)
}

// user writes the client's name for its user. OpenAI refuses one of more than
// 64 bytes; agents on other dialects send longer ones.
func (w *requestWriter) user() {
	user := w.req.User
	if user == "" {
		return
	}
	if w.own {
		name := w.req.Spelling["user"]
		if name == "" {
			name = "user"
		}
		w.Str(name, user)
		return
	}
	if len(user) > maxUser {
		sum := sha256.Sum256([]byte(user))
		user = hex.EncodeToString(sum[:])
	}
	w.Str("user", user)
}

const maxUser = 64

func (w *requestWriter) tier() {
	switch tier := w.req.ServiceTier; {
	case tier == "":
	case w.own:
		w.Str("service_tier", tier)
	case tier == "auto", tier == "default", tier == "flex", tier == "scale", tier == "priority", tier == "fast":
		w.Str("service_tier", tier)
	case tier == "standard_only", tier == "standard":
		w.Str("service_tier", "default")
	default:
		w.loss.Drop("service_tier")
	}
}
