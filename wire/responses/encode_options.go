package responses

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/weirproxy/weir/wire"
)

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
	w.loss.DropAsked(req, "top_k", "frequency_penalty", "presence_penalty", "seed", "stop", "n", "logit_bias", "modalities")
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
