package gemini

import (
	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// appendLogProbs appends a logprobsResult as OpenAI's object
// {"content":[{token,logprob,bytes,top_logprobs}],"refusal":null}, nothing
// when it names no tokens.
func appendLogProbs(dst []byte, d *wire.Doc, result jsonscan.Value) []byte {
	chosen := d.Get(result, "chosenCandidates")
	if chosen.Kind != jsonscan.Array {
		return dst
	}
	var tops []jsonscan.Value
	for top := range d.Elements(d.Get(result, "topCandidates")) {
		tops = append(tops, top)
	}
	w := jsonw.Writer{B: append(dst, '{')}
	w.Key("content")
	w.Array()
	i := 0
	for token := range d.Elements(chosen) {
		w.Object()
		writeToken(&w, d, token)
		w.Key("top_logprobs")
		w.Array()
		if i < len(tops) {
			for other := range d.Elements(d.Get(tops[i], "candidates")) {
				w.Object()
				writeToken(&w, d, other)
				w.End()
			}
		}
		w.EndArray()
		w.End()
		i++
	}
	w.EndArray()
	w.Key("refusal")
	w.Null()
	w.End()
	return w.B
}

func writeToken(w *jsonw.Writer, d *wire.Doc, token jsonscan.Value) {
	text := d.StrAt(token, "token")
	w.Str("token", text)
	probability := d.Num(d.Get(token, "logProbability"))
	if probability == "" { // protocol buffers leave zeros out
		probability = "0"
	}
	w.RawMember("logprob", string(probability))
	w.Key("bytes")
	w.Array()
	for i := range len(text) {
		w.Int(int64(text[i]))
	}
	w.EndArray()
}

// writeLogProbs writes the member logprobsResult from OpenAI's object. What is
// not of that shape is left out.
func writeLogProbs(w *jsonw.Writer, raw []byte) {
	d, err := wire.ParseDoc(raw)
	if err != nil {
		return
	}
	tokens := d.Get(d.Root, "content")
	if tokens.Kind != jsonscan.Array {
		return
	}
	w.Key("logprobsResult")
	w.Object()
	w.Key("topCandidates")
	w.Array()
	for token := range d.Elements(tokens) {
		w.Object()
		w.Key("candidates")
		w.Array()
		for other := range d.Elements(d.Get(token, "top_logprobs")) {
			writeCandidate(w, d, other)
		}
		w.EndArray()
		w.End()
	}
	w.EndArray()
	w.Key("chosenCandidates")
	w.Array()
	for token := range d.Elements(tokens) {
		writeCandidate(w, d, token)
	}
	w.EndArray()
	w.End()
}

func writeCandidate(w *jsonw.Writer, d *wire.Doc, token jsonscan.Value) {
	w.Object()
	w.Str("token", d.StrAt(token, "token"))
	w.RawIf("logProbability", string(d.Num(d.Get(token, "logprob"))))
	w.End()
}
