package anthropic

import (
	"github.com/weirproxy/weir/wire"
)

// options writes all that is neither tool nor message.
func (w *writer) options() {
	req := w.req
	if !w.hasExtra("max_tokens") {
		w.Num("max_tokens", w.thinking.maxTokens)
	}
	if req.User != "" || w.hasExtra("metadata.") {
		w.Key("metadata")
		w.Object()
		w.StrIf("user_id", req.User)
		w.extrasUnder("metadata.")
		w.End()
	}
	w.stop()
	if req.Stream {
		w.Flag("stream", true)
	}
	w.sampling()
	w.writeThinking()
	w.outputConfig()
	w.serviceTier()
	w.cacheMark(req.CacheAuto)
	w.foreign()
}

func (w *writer) stop() {
	if len(w.req.Stop) == 0 {
		return
	}
	list := make([]string, 0, len(w.req.Stop))
	for _, s := range w.req.Stop {
		if blank(s) { // the vendor refuses it
			w.loss.Drop("stop")
			continue
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return
	}
	w.Key("stop_sequences")
	w.Array()
	for _, s := range list {
		w.String(s)
	}
	w.EndArray()
}

// sampling writes temperature, top_p and top_k where the model takes them.
// Thinking takes no temperature but 1, no top_k, and top_p from 0.95.
func (w *writer) sampling() {
	req := w.req
	thinks := w.thinking.kind == "enabled" || w.thinking.kind == "adaptive"
	bound := w.ability.NoSampling || thinks
	warm := false
	if t, ok := req.Temperature.Float(); ok {
		switch {
		case bound && t != 1:
			w.loss.Drop("temperature")
		case w.ability.NoSampling:
		case t > 1:
			w.loss.Drop("temperature")
			w.Num("temperature", 1)
			warm = true
		default:
			w.RawMember("temperature", string(req.Temperature))
			warm = true
		}
	}
	if p, ok := req.TopP.Float(); ok {
		switch {
		case w.ability.NoSampling, thinks && p < 0.95, warm && w.ability.OneSampling:
			if p != 1 {
				w.loss.Drop("top_p")
			}
		default:
			w.RawMember("top_p", string(req.TopP))
		}
	}
	if req.TopK != "" {
		if bound {
			w.loss.Drop("top_k")
		} else {
			w.RawMember("top_k", string(req.TopK))
		}
	}
}

// outputConfig writes the effort and the schema of the answer.
func (w *writer) outputConfig() {
	f := &w.req.Format
	binds := f.Kind == "json_schema" && f.Schema != "" && !w.ability.NoFormat
	if !binds && w.thinking.effort == "" && !w.hasExtra("output_config.") {
		return
	}
	w.Key("output_config")
	w.Object()
	w.StrIf("effort", w.thinking.effort)
	if binds {
		w.Key("format")
		w.Object()
		w.Str("type", "json_schema")
		schema, _ := wire.CloseObjects(f.Schema)
		w.RawMember("schema", schema)
		w.End()
	}
	w.extrasUnder("output_config.")
	w.End()
}

func (w *writer) serviceTier() {
	switch w.req.ServiceTier {
	case "":
	case "auto", "priority": // priority is used where it was bought
		w.Str("service_tier", "auto")
	case "default":
		w.Str("service_tier", "standard_only")
	default:
		w.loss.Drop("service_tier")
	}
}

// foreign notes what the dialect has no place for.
func (w *writer) foreign() {
	w.loss.DropAsked(w.req, "n", "seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "logit_bias", "modalities",
		"verbosity", "metadata", "store", "prompt_cache_key", "prompt_cache_options")
}
