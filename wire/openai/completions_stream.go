package openai

import (
	"unicode/utf8"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// StreamEncoder writes a stream of completions.
func (CompletionsCodec) StreamEncoder(reply *wire.Reply) wire.StreamEncoder {
	return &completionsEncoder{reply: reply, usage: reply.Request != nil && reply.Request.IncludeUsage}
}

// completionsEncoder writes one stream.
type completionsEncoder struct {
	reply *wire.Reply
	usage bool
	head  []byte
	identity
	kinds  map[int]wire.BlockType // of the open block, by choice
	chars  map[int]int64          // written so far, by choice
	refuse map[int]bool
	report wire.Report
}

// Encode writes the chunks that ev tells: text alone.
func (e *completionsEncoder) Encode(dst []byte, ev *wire.Event) []byte {
	switch ev.Kind {
	case wire.EventStart:
		w := answerWriter{reply: e.reply}
		w.B = append(w.B, "data: "...)
		w.Object()
		e.identity = w.head(ev.ID, "cmpl-", "text_completion", ev.Created, ev.Model)
		w.Key("choices")
		e.head = append(w.B, '[')
		e.kinds, e.chars, e.refuse = map[int]wire.BlockType{}, map[int]int64{}, map[int]bool{}
	case wire.EventBlock:
		e.kinds[ev.Choice] = ev.Block
		if ev.Block == wire.RefusalBlock {
			e.refuse[ev.Choice] = true
		}
	case wire.EventDelta:
		if kind := e.kinds[ev.Choice]; kind != wire.TextBlock && kind != wire.RefusalBlock {
			return dst
		}
		w := e.open(dst, ev, ev.Text)
		w.Key("finish_reason")
		w.Null()
		e.chars[ev.Choice] += int64(utf8.RuneCount(ev.Text))
		return e.close(w.Writer)
	case wire.EventFinish:
		w := e.open(dst, ev, nil)
		w.finish(completionFinish(ev.Finish), ev.Native, e.refuse[ev.Choice])
		return e.close(w.Writer)
	case wire.EventUsage:
		e.report = *ev.Usage
		e.report.Reported = true
	case wire.EventFail:
		return sse.AppendEvent(dst, "", wire.AppendOpenAIError(nil, ev.Failure))
	case wire.EventEnd:
		if e.usage && e.report.Reported {
			w := jsonw.Writer{B: append(dst, e.head...)}
			w.EndArray()
			w.Key("usage")
			writeUsage(&w, &e.report)
			w.End()
			dst = append(w.B, "\n\n"...)
		}
		return append(dst, "data: [DONE]\n\n"...)
	}
	return dst
}

func (e *completionsEncoder) open(dst []byte, ev *wire.Event, text []byte) answerWriter {
	w := answerWriter{Writer: jsonw.Writer{B: append(dst, e.head...)}, reply: e.reply}
	w.Object()
	w.Key("text")
	w.Text(text)
	w.Num("index", int64(ev.Choice))
	w.Key("logprobs")
	appendLegacyLogprobs(&w.Writer, ev.LogProbs, e.chars[ev.Choice])
	return w
}

func (e *completionsEncoder) close(w jsonw.Writer) []byte {
	w.End()
	w.EndArray()
	if e.usage {
		w.Key("usage")
		w.Null()
	}
	w.End()
	return append(w.B, "\n\n"...)
}

// appendLegacyLogprobs writes chat's log probabilities in the older form:
// lists side by side, with offsets in characters from start on. What has that
// form already passes.
func appendLegacyLogprobs(w *jsonw.Writer, raw []byte, start int64) {
	var doc wire.Doc
	if len(raw) == 0 || doc.Reset(raw) != nil {
		w.Null()
		return
	}
	content := doc.Get(doc.Root, "content")
	if content.Kind != jsonscan.Array {
		if !doc.Get(doc.Root, "tokens").Exists() {
			w.Null()
			return
		}
		w.B = appendLine(w.B, raw)
		return
	}
	w.Object()
	w.Key("tokens")
	w.Array()
	for t := range doc.Elements(content) {
		w.Text(doc.Bytes(doc.Get(t, "token")))
	}
	w.EndArray()
	w.Key("token_logprobs")
	w.Array()
	for t := range doc.Elements(content) {
		w.Raw(doc.RawAt(t, "logprob"))
	}
	w.EndArray()
	w.Key("top_logprobs")
	w.Array()
	for t := range doc.Elements(content) {
		w.Object()
		for top := range doc.Elements(doc.Get(t, "top_logprobs")) {
			w.Text(doc.Bytes(doc.Get(top, "token")))
			w.B = append(w.B, ':')
			w.Raw(doc.RawAt(top, "logprob"))
		}
		w.End()
	}
	w.EndArray()
	w.Key("text_offset")
	w.Array()
	for t := range doc.Elements(content) {
		w.Int(start)
		start += int64(utf8.RuneCount(doc.Bytes(doc.Get(t, "token"))))
	}
	w.EndArray()
	w.End()
}
