package responses

import "github.com/weirproxy/weir/internal/jsonw"

// sequence writes events, which are numbered without a gap.
type sequence struct {
	jsonw.Writer
	seq int64
}

// begin opens an event with the members that all have.
func (e *sequence) begin(name string) {
	e.B = append(e.B, "event: "...)
	e.B = append(e.B, name...)
	e.B = append(e.B, "\ndata: "...)
	e.Object()
	e.Str("type", name)
	e.Num("sequence_number", e.seq)
	e.seq++
}

func (e *sequence) finish() {
	e.End()
	e.B = append(e.B, "\n\n"...)
}
