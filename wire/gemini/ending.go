package gemini

import (
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// Ending knows which candidates of a stream have begun. The zero value is
// ready.
type Ending struct {
	doc        wire.Doc
	candidates []endedCandidate
}

type endedCandidate struct {
	index    int64
	finished bool
}

// Pass implements wire.Ending.
func (e *Ending) Pass(ev *sse.Event) {
	if !ev.HasData || e.doc.Reset(ev.Data) != nil {
		return
	}
	d := &e.doc
	for candidate := range d.Elements(d.Get(d.Root, "candidates")) {
		c := e.candidate(d.IntAt(candidate, "index"))
		c.finished = c.finished || finishReason(d, d.Get(candidate, "finishReason")) != ""
	}
}

func (e *Ending) candidate(index int64) *endedCandidate {
	for i := range e.candidates {
		if e.candidates[i].index == index {
			return &e.candidates[i]
		}
	}
	e.candidates = append(e.candidates, endedCandidate{index: index})
	return &e.candidates[len(e.candidates)-1]
}

// AppendLength implements wire.Ending: one chunk, since the dialect has no
// terminator.
func (e *Ending) AppendLength(dst []byte, seen *wire.Seen, _ bool) []byte {
	if len(e.candidates) == 0 {
		e.candidate(0)
	}
	w := jsonw.Writer{B: append(dst, "data: "...)}
	w.Object()
	w.Key("candidates")
	w.Array()
	for _, c := range e.candidates {
		if c.finished {
			continue
		}
		w.Object()
		w.Key("content")
		w.B = append(w.B, `{"parts":[{"text":""}],"role":"model"}`...)
		w.Str("finishReason", finishWord(wire.FinishLength, ""))
		w.Num("index", c.index)
		w.End()
	}
	w.EndArray()
	writeUsage(&w, &wire.Report{Usage: seen.Usage})
	w.StrIf("modelVersion", seen.Model)
	w.StrIf("responseId", seen.ID)
	w.End()
	return append(w.B, frameEnd...)
}

// Interface guard.
var _ wire.Ending = (*Ending)(nil)
