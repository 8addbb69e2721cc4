package openai

import (
	"bytes"

	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// StreamEncoder writes chat completion chunks.
func (Codec) StreamEncoder(reply *wire.Reply) wire.StreamEncoder {
	return &streamEncoder{reply: reply, legacy: legacyCalls(reply), usage: reply.Request != nil && reply.Request.IncludeUsage}
}

// streamEncoder writes one stream. Every chunk begins with the same bytes:
// clients give up on an id or a model that changes.
type streamEncoder struct {
	reply  *wire.Reply
	legacy bool
	usage  bool // the client asked for it: a chunk at the end, null before
	head   []byte
	identity

	choices []*encodedChoice
	report  wire.Report
	calls   int // over all choices, for ids that are made up
}

// encodedChoice is what the chunks of a choice depend on.
type encodedChoice struct {
	index    int
	kind     wire.BlockType
	call     int // tool index of the open call
	calls    int
	thoughts int64 // blocks of thinking
	custom   bool
	empty    bool // the open call has no arguments yet

	// before counts the characters of earlier text blocks, and chars those of
	// the open one: citations count over the whole content.
	before, chars int64
	said, refused bool
}

// Encode writes the chunks that ev tells.
func (e *streamEncoder) Encode(dst []byte, ev *wire.Event) []byte {
	switch ev.Kind {
	case wire.EventStart:
		return e.start(dst, ev)
	case wire.EventBlock:
		return e.block(dst, e.at(ev.Choice, &dst), ev)
	case wire.EventDelta:
		return e.delta(dst, e.at(ev.Choice, &dst), ev)
	case wire.EventSignature:
		return e.signature(dst, e.at(ev.Choice, &dst), ev)
	case wire.EventCitation:
		return e.citation(dst, e.at(ev.Choice, &dst), ev)
	case wire.EventBlockEnd:
		return e.blockEnd(dst, e.at(ev.Choice, &dst))
	case wire.EventFinish:
		return e.finish(dst, e.at(ev.Choice, &dst), ev)
	case wire.EventUsage:
		e.report = *ev.Usage
		e.report.Reported = true
	case wire.EventFail:
		return sse.AppendEvent(dst, "", wire.AppendOpenAIError(nil, ev.Failure))
	case wire.EventEnd:
		return e.end(dst)
	}
	return dst
}

func (e *streamEncoder) start(dst []byte, ev *wire.Event) []byte {
	w := answerWriter{reply: e.reply}
	w.B = append(w.B, "data: "...)
	w.Object()
	e.identity = w.head(ev.ID, "chatcmpl-", "chat.completion.chunk", ev.Created, ev.Model)
	w.Key("system_fingerprint")
	w.Null()
	w.Key("choices")
	e.head = append(w.B, '[')
	e.at(0, &dst)
	return dst
}

// at is the state of choice index. A choice begins with a chunk that tells
// the role.
func (e *streamEncoder) at(index int, dst *[]byte) *encodedChoice {
	for _, c := range e.choices {
		if c.index == index {
			return c
		}
	}
	c := &encodedChoice{index: index}
	e.choices = append(e.choices, c)
	w := e.open(*dst, c)
	w.Str("role", "assistant")
	w.Str("content", "")
	w.Key("refusal")
	w.Null()
	*dst = e.close(w, nil)
	return c
}

// open begins a chunk of c, up to the members of its delta.
func (e *streamEncoder) open(dst []byte, c *encodedChoice) jsonw.Writer {
	w := jsonw.Writer{B: append(dst, e.head...)}
	w.Object()
	w.Num("index", int64(c.index))
	w.Key("delta")
	w.Object()
	return w
}

// close ends a chunk without a finish reason.
func (e *streamEncoder) close(w jsonw.Writer, logprobs []byte) []byte {
	w.End()
	w.Key("logprobs")
	if len(logprobs) == 0 {
		w.Null()
	} else {
		w.B = appendLine(w.B, logprobs)
	}
	w.Key("finish_reason")
	w.Null()
	return e.endChunk(w)
}

func (e *streamEncoder) endChunk(w jsonw.Writer) []byte {
	w.End()
	w.EndArray()
	if e.usage {
		w.Key("usage")
		w.Null()
	}
	w.End()
	return append(w.B, "\n\n"...)
}

// appendLine appends raw JSON without the line ends between its tokens, which
// would end the data line.
func appendLine(dst, raw []byte) []byte {
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return append(dst, raw...)
	}
	for _, c := range raw {
		if c != '\n' && c != '\r' {
			dst = append(dst, c)
		}
	}
	return dst
}

func (e *streamEncoder) finish(dst []byte, c *encodedChoice, ev *wire.Event) []byte {
	if ev.Finish == wire.FinishPolicy && ev.Explanation != "" && !c.said && !c.refused {
		w := e.open(dst, c)
		w.Str("refusal", ev.Explanation)
		dst = e.close(w, nil)
	}
	w := answerWriter{Writer: e.open(dst, c), reply: e.reply, legacy: e.legacy}
	w.End()
	w.Key("logprobs")
	w.Null()
	w.finish(ev.Finish, ev.Native, c.refused)
	return e.endChunk(w.Writer)
}

func (e *streamEncoder) end(dst []byte) []byte {
	if e.usage && e.report.Reported {
		w := jsonw.Writer{B: append(dst, e.head...)}
		w.EndArray()
		w.Key("usage")
		writeUsage(&w, &e.report)
		if tier := e.report.ServiceTier; tier != "" {
			w.Str("service_tier", tier)
		}
		w.End()
		dst = append(w.B, "\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}
