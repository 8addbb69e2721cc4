package openai

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// CompletionsCodec is the door of legacy completions: a prompt is one message
// of the user, and the answer is its text. What a conversation cannot do
// (echo, suffix, best_of, tokens, several prompts) is refused.
type CompletionsCodec struct {
	// Upstream says what a server of this form wants.
	Upstream Codec
}

// DecodeRequest reads a completions request.
func (CompletionsCodec) DecodeRequest(body []byte) (*wire.Request, error) {
	r, err := newReader(body)
	if err != nil {
		return nil, err
	}
	r.req.Spelling["messages"] = "prompt"
	for name, v := range r.Members(r.Root) {
		switch name {
		case "prompt":
			r.prompt(v)
		case "logprobs":
			if v.Kind == jsonscan.Number {
				r.req.LogProbs, r.req.TopLogProbs = true, r.Num(v)
				r.req.Spelling["top_logprobs"] = name
			} else {
				r.is(name, v, jsonscan.Number)
			}
		case "echo":
			if r.Bool(v) {
				r.refuse(name)
			}
		case "suffix":
			if r.str(name, v) != "" {
				r.refuse(name)
			}
		case "best_of":
			if r.whole(name, v, 1) > 1 {
				r.refuse(name)
			}
		default:
			if !r.common(name, v) {
				r.extra(name, v)
			}
		}
	}
	if r.failure == nil && len(r.req.Messages) == 0 {
		r.fail("prompt", "'prompt' is required")
	}
	if r.failure != nil {
		return nil, r.failure
	}
	r.req.Normalize()
	return r.req, nil
}

func (r *requestReader) refuse(name string) {
	r.fail(name, "'"+name+"' cannot be translated for the provider of this model; leave it out or use a model that has completions")
}

func (r *requestReader) prompt(v jsonscan.Value) {
	if v.Kind == jsonscan.Array {
		var only jsonscan.Value
		n := 0
		for e := range r.Elements(v) {
			if e.Kind != jsonscan.String {
				r.fail("prompt", "'prompt' must be text: tokens mean something else to the provider of this model")
				return
			}
			only = e
			n++
		}
		if n > 1 {
			r.fail("prompt", "'prompt' must be a single prompt: the provider of this model answers one at a time")
			return
		}
		v = only
	}
	if text := r.str("prompt", v); text != "" {
		r.req.Messages = []wire.Message{{Role: wire.RoleUser, Blocks: []wire.Block{{Text: text}}}}
	}
}

// AllowsTool reports true: the vendor takes no tools at all.
func (CompletionsCodec) AllowsTool(string) bool { return true }

// EncodeRequest asks an upstream for a completion of a lone prompt.
func (c CompletionsCodec) EncodeRequest(dst []byte, req *wire.Request, loss *wire.Loss) ([]byte, error) {
	if err := wire.RefuseState(req); err != nil {
		return dst, err
	}
	if len(req.Messages) != 1 || req.Messages[0].Role != wire.RoleUser || len(req.System) > 0 {
		return dst, wire.Unmappable("messages", "a conversation", "legacy completions")
	}
	for _, b := range req.Messages[0].Blocks {
		if b.Type != wire.TextBlock {
			return dst, wire.Unmappable("messages", "a "+b.Type.String()+" block", "legacy completions")
		}
	}
	w := &requestWriter{Writer: jsonw.Writer{B: dst}, codec: c.Upstream, req: req, loss: loss}
	for i := range req.Tools {
		loss.Drop("tools[" + req.Tools[i].Name + "]")
	}
	if req.Format.Kind != "" && req.Format.Kind != "text" {
		loss.Drop("response_format")
	}
	if !req.Reasoning.IsZero() {
		loss.Drop("reasoning_effort")
	}
	own := req.Dialect == wire.OpenAI && req.Spelling["messages"] == "prompt"
	w.Object()
	w.Str("model", req.Model)
	w.Key("prompt")
	wire.WriteText(&w.Writer, req.Messages[0].Blocks)
	if req.Stream {
		w.Flag("stream", true)
		w.streamOptions()
	}
	w.NumIf("max_tokens", req.MaxTokens)
	w.user()
	top := req.TopLogProbs
	plain := *req
	plain.LogProbs, plain.TopLogProbs = false, ""
	w.req = &plain
	w.sampling()
	if req.LogProbs {
		if top == "" {
			top = "0"
		}
		w.RawMember("logprobs", string(top))
	}
	w.own = own
	w.extras()
	w.End()
	return w.B, nil
}

// DecodeResponse reads a whole answer of a completions server.
func (CompletionsCodec) DecodeResponse(body []byte) (*wire.Response, error) {
	return Codec{}.DecodeResponse(body)
}

// StreamDecoder reads a stream of a completions server.
func (CompletionsCodec) StreamDecoder() wire.StreamDecoder { return new(streamDecoder) }

// EncodeResponse writes a whole answer as a completion.
func (CompletionsCodec) EncodeResponse(dst []byte, res *wire.Response, reply *wire.Reply) []byte {
	if res.Failure != nil {
		return wire.AppendOpenAIError(dst, res.Failure)
	}
	w := answerWriter{Writer: jsonw.Writer{B: dst}, reply: reply}
	w.Object()
	w.head(res.ID, "cmpl-", "text_completion", res.Created, res.Model)
	w.Key("choices")
	w.Array()
	for i := range res.Choices {
		c := &res.Choices[i]
		var text []byte
		refused := false
		for j := range c.Blocks {
			switch b := &c.Blocks[j]; b.Type {
			case wire.RefusalBlock:
				refused = true
				text = append(text, b.Text...)
			case wire.TextBlock:
				text = append(text, b.Text...)
			}
		}
		w.Object()
		w.Key("text")
		w.Text(text)
		w.Num("index", int64(c.Index))
		w.Key("logprobs")
		appendLegacyLogprobs(&w.Writer, []byte(c.LogProbs), 0)
		w.finish(completionFinish(c.Finish), c.Native, refused)
		w.End()
	}
	w.EndArray()
	w.tail(res)
	return w.B
}

// completionFinish hides calls, which a completion cannot have.
func completionFinish(f wire.Finish) wire.Finish {
	if f == wire.FinishTools {
		return wire.FinishStop
	}
	return f
}
