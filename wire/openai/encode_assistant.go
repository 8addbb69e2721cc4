package openai

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/wire"
)

// assistant writes an earlier answer.
func (w *requestWriter) assistant(index int, blocks []wire.Block) {
	var thinking, said, calls []wire.Block
	refusals := 0
	for _, b := range blocks {
		switch b.Type {
		case wire.ThinkingBlock, wire.RedactedBlock:
			thinking = append(thinking, b)
		case wire.CallBlock:
			calls = append(calls, b)
		case wire.RefusalBlock:
			refusals++
			said = append(said, b)
		default:
			said = append(said, b)
		}
	}
	thinking = w.keepThinking(thinking)
	if len(thinking)+len(said)+len(calls) == 0 {
		return // it held nothing but thinking that cannot go out
	}
	w.Object()
	w.Str("role", "assistant")
	w.thinking(thinking, calls)
	switch {
	case len(said) == 0 && len(calls) == 0:
		w.Str("content", "")
	case len(said) == 0:
		w.Key("content")
		w.Null()
	case refusals == 1 && len(said) == 1:
		w.Key("content")
		w.Null()
		w.Str("refusal", said[0].Text)
	default:
		w.Key("content")
		w.content(said, "messages["+strconv.Itoa(index)+"]")
	}
	if len(calls) > 0 {
		w.Key("tool_calls")
		w.Array()
		for i := range calls {
			w.call(&calls[i], i == 0)
		}
		w.EndArray()
	}
	if w.codec.Prefill == wire.PrefillMark && index == len(w.req.Messages)-1 {
		w.Flag("prefix", true)
	}
	w.End()
}

func (w *requestWriter) call(b *wire.Block, first bool) {
	w.Object()
	w.Str("id", w.callID(b.Call.ID))
	if b.Call.Custom && w.customs() {
		w.Str("type", "custom")
		w.Key("custom")
		w.Object()
		w.Str("name", b.Call.Name)
		w.Str("input", b.Call.Arguments)
	} else {
		w.Str("type", "function")
		w.Key("function")
		w.Object()
		w.Str("name", b.Call.Name)
		args := b.Call.Arguments
		switch {
		case b.Call.Custom:
			args = wire.WrapCustom(args)
		case args == "" && !w.own:
			args = "{}"
		}
		w.Str("arguments", args)
	}
	w.End()
	switch {
	case b.Signature != "" && (w.own || w.gemini && b.Vendor == wire.VendorGemini):
		writeGoogle(&w.Writer, b)
	case w.gemini && first && w.ability.Signatures && !w.own:
		// Gemini 3 refuses a history of calls without signatures; this
		// one is Google's own for calls that another model made.
		writeGoogle(&w.Writer, &wire.Block{Signature: "skip_thought_signature_validator", Vendor: wire.VendorGemini})
		if b.Signature != "" {
			w.loss.Drop("thinking")
		}
	case b.Signature != "" && !(w.codec.Details && w.vendor() == b.Vendor):
		w.loss.Drop("thinking")
	}
	w.blockMark(b.Cache)
	w.End()
}

// callID is an id that OpenAI takes: it refuses longer ones. The result of a
// call gets the same.
func (w *requestWriter) callID(id string) string {
	switch {
	case w.codec.ShortCallIDs:
		return wire.ShortCallID(id)
	case len(id) <= maxCallID || w.own:
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "call_" + hex.EncodeToString(sum[:16])
}

// keepThinking is the thinking that the upstream takes: all of it from a
// client of this form, signed thinking of the model's own vendor, and else
// bare text if the upstream wants it back.
func (w *requestWriter) keepThinking(thinking []wire.Block) []wire.Block {
	if w.own || len(thinking) == 0 {
		return thinking
	}
	var kept []wire.Block
	for _, b := range thinking {
		switch {
		case w.codec.Details && b.Signature != "" && b.Vendor == w.vendor():
			kept = append(kept, b)
		case w.codec.Reasoning && b.Text != "":
			b.Signature, b.Vendor, b.ID = "", "", ""
			kept = append(kept, b)
		default:
			w.loss.Drop("thinking")
		}
	}
	return kept
}

// thinking writes text without signatures as reasoning_content, the rest as
// reasoning_details, and there the signatures of Gemini's calls too, when
// they have no place of their own.
func (w *requestWriter) thinking(thinking, calls []wire.Block) {
	signed := len(thinking) > 1 && w.own
	for i := range thinking {
		signed = signed || thinking[i].Signature != ""
	}
	inCalls := w.codec.Details && !w.own && w.vendor() == wire.VendorGemini
	if inCalls {
		for i := range calls {
			signed = signed || calls[i].Vendor == wire.VendorGemini && calls[i].Signature != ""
		}
	}
	if !signed {
		if len(thinking) > 0 {
			texts := make([]string, len(thinking))
			for i := range thinking {
				texts[i] = thinking[i].Text
			}
			w.Str("reasoning_content", strings.Join(texts, "\n"))
		}
		return
	}
	w.Key("reasoning_details")
	w.Array()
	for i := range thinking {
		writeDetail(&w.Writer, &thinking[i], int64(i))
	}
	for i := range calls {
		if c := &calls[i]; inCalls && c.Vendor == wire.VendorGemini && c.Signature != "" {
			w.Object()
			w.Str("type", "reasoning.encrypted")
			w.Str("data", c.Signature)
			w.Str("id", w.callID(c.Call.ID))
			w.Str("format", formats[wire.VendorGemini])
			w.Num("index", int64(len(thinking)+i))
			w.End()
		}
	}
	w.EndArray()
}

// vendor is whose signatures the model knows, by its name.
func (w *requestWriter) vendor() wire.Vendor {
	name := strings.ToLower(wire.BareModel(w.req.Model))
	switch {
	case strings.HasPrefix(name, "claude"):
		return wire.VendorAnthropic
	case strings.HasPrefix(name, "gemini"):
		return wire.VendorGemini
	case strings.HasPrefix(name, "gpt"), strings.HasPrefix(name, "o1"), strings.HasPrefix(name, "o3"), strings.HasPrefix(name, "o4"):
		return wire.VendorOpenAI
	}
	return ""
}

// markForm is how the model's vendor spells cache marks; empty: not at all.
func (w *requestWriter) markForm() string {
	switch vendor := w.vendor(); {
	case vendor == wire.VendorOpenAI && w.ability.Breakpoints:
		return "prompt_cache_breakpoint"
	case vendor == wire.VendorAnthropic, w.own:
		return "cache_control"
	}
	return ""
}

// blockMark writes a cache mark in the form of the model's vendor.
func (w *requestWriter) blockMark(m *wire.CacheMark) {
	if m == nil {
		return
	}
	switch form := w.markForm(); form {
	case "":
		w.loss.Drop("cache_control")
	default:
		w.longTTL = w.longTTL || m.TTL == "1h" && form == "prompt_cache_breakpoint"
		w.mark(form, m)
	}
}

func (w *requestWriter) mark(form string, m *wire.CacheMark) {
	w.Key(form)
	w.Object()
	if form == "prompt_cache_breakpoint" {
		w.Str("mode", "explicit")
	} else {
		w.Str("type", "ephemeral")
	}
	if form == "cache_control" || w.own && w.req.CacheOptions == "" {
		w.StrIf("ttl", m.TTL)
	}
	w.End()
}
