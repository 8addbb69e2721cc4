package openai

import (
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/internal/sse"
	"github.com/weirproxy/weir/wire"
)

// NewEnding returns what can end a stream of chat or of completions early.
func NewEnding(op *wire.Operation) wire.Ending { return &ending{op: op} }

// ending knows which choices of a stream have begun.
type ending struct {
	op      *wire.Operation
	choices []endedChoice
}

type endedChoice struct {
	index    int64
	finished bool
}

// Pass implements wire.Ending.
func (e *ending) Pass(ev *sse.Event) {
	if !ev.HasData {
		return
	}
	root, err := wire.ParseAnswer(ev.Data)
	if err != nil {
		return
	}
	for choice := range jsonscan.Elements(ev.Data, jsonscan.Lookup(ev.Data, root, "choices")) {
		index, _ := jsonscan.Lookup(ev.Data, choice, "index").Int(ev.Data)
		c := e.choice(index)
		c.finished = c.finished || jsonscan.Lookup(ev.Data, choice, "finish_reason").Kind == jsonscan.String
	}
}

func (e *ending) choice(index int64) *endedChoice {
	for i := range e.choices {
		if e.choices[i].index == index {
			return &e.choices[i]
		}
	}
	e.choices = append(e.choices, endedChoice{index: index})
	return &e.choices[len(e.choices)-1]
}

// AppendLength implements wire.Ending. A call that is not whole stays as it is,
// as with OpenAI itself.
func (e *ending) AppendLength(dst []byte, seen *wire.Seen, askedUsage bool) []byte {
	rest := "}"
	if askedUsage {
		rest = `,"usage":null}`
	}
	role := ""
	if len(e.choices) == 0 {
		e.choice(0)
		role = `"role":"assistant","content":""` // clients miss a message that never began
	}
	for _, c := range e.choices {
		if c.finished {
			continue
		}
		dst = appendHead(append(dst, "data: "...), e.op, seen)
		if e.op == wire.Completions {
			dst = append(dst, `{"text":"","index":`...)
			dst = strconv.AppendInt(dst, c.index, 10)
		} else {
			dst = append(dst, `{"index":`...)
			dst = strconv.AppendInt(dst, c.index, 10)
			dst = append(append(append(dst, `,"delta":{`...), role...), '}')
		}
		dst = append(dst, `,"logprobs":null,"finish_reason":"length"}]`...)
		dst = append(append(dst, rest...), "\n\n"...)
	}
	if askedUsage {
		dst = AppendUsage(dst, e.op, seen, &wire.Report{Usage: seen.Usage, Reported: true})
	}
	return append(dst, "data: [DONE]\n\n"...)
}

// AppendUsage appends the chunk of usage that clients of chat and completions
// can ask for, with the names that the stream has.
func AppendUsage(dst []byte, op *wire.Operation, seen *wire.Seen, report *wire.Report) []byte {
	w := jsonw.Writer{B: appendHead(append(dst, "data: "...), op, seen)}
	w.B = append(w.B, `],"usage":`...)
	writeUsage(&w, report)
	return append(w.B, "}\n\n"...)
}
