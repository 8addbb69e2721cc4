package cache

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/weirproxy/weir/wire"
)

// sealed is what a Remote keeps of an answer.
type sealed struct {
	key    Key
	scope  string
	answer *Answer
	// marks are those of All and of the answer's tags.
	marks []uint64
	// until is when nobody wants it any more.
	until time.Time
}

// operations are those whose answers are kept, by the number that stands for
// them: append only.
var operations = [...]*wire.Operation{
	wire.Chat, wire.Completions, wire.Responses, wire.Messages, wire.GeminiGenerate,
	wire.Embeddings, wire.GeminiEmbed, wire.GeminiBatchEmbed,
}

// number is an operation's place in operations, -1 for others.
func number(op *wire.Operation) int {
	for i, known := range operations {
		if known == op {
			return i
		}
	}
	return -1
}

const (
	flagStream = 1 << iota
	flagUsage
	flagCanonical
)

func flagsOf(f *Form) (flags byte) {
	if f.Stream {
		flags |= flagStream
	}
	if f.Usage {
		flags |= flagUsage
	}
	return flags
}

// append writes the content, and reports whether it can be written.
func (e *sealed) append(b []byte) ([]byte, bool) {
	a := e.answer
	op := number(a.Form.Operation)
	if op < 0 || len(e.marks) != 1+len(a.Tags) {
		return nil, false
	}
	flags := flagsOf(&a.Form)
	if a.Canonical != nil {
		flags |= flagCanonical
	}
	b = append(b, byte(op), flags)
	for _, n := range e.numbers() {
		b = binary.AppendVarint(b, n)
	}
	for _, text := range []string{e.scope, a.Provider, a.Model, a.Finish} {
		b = appendText(b, text)
	}
	b = binary.AppendUvarint(b, uint64(len(a.Tags)))
	b = binary.AppendUvarint(b, e.marks[0])
	for i, tag := range a.Tags {
		b = appendText(b, tag)
		b = binary.AppendUvarint(b, e.marks[i+1])
	}
	b = appendText(b, a.Form.Body)
	if a.Canonical != nil {
		b = appendText(b, a.Canonical)
	}
	return b, true
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// numbers are all that is a number, in the order of the encoding.
func (e *sealed) numbers() [9]int64 {
	a := e.answer
	u := a.Usage
	return [...]int64{a.Made.UnixNano(), int64(a.Took), e.until.UnixNano(), u.Input, u.Output, u.CacheRead, u.CacheWrite, u.Reasoning, a.Cost}
}

// maxTags is how many an answer may have that comes from a Remote.
const maxTags = 1024

// read is the reverse of append; false for what append does not write.
func (e *sealed) read(b []byte) bool {
	r := reader{b: b}
	op, flags := r.byte(), r.byte()
	if int(op) >= len(operations) || flags >= flagCanonical<<1 {
		return false
	}
	var n [9]int64
	for i := range n {
		n[i] = r.varint()
	}
	a := &Answer{
		Made: time.Unix(0, n[0]), Took: time.Duration(n[1]),
		Usage: wire.Usage{Input: n[3], Output: n[4], CacheRead: n[5], CacheWrite: n[6], Reasoning: n[7]},
		Cost:  n[8],
		Form:  Form{Operation: operations[op], Stream: flags&flagStream != 0, Usage: flags&flagUsage != 0},
	}
	e.until = time.Unix(0, n[2])
	e.scope, a.Provider, a.Model, a.Finish = string(r.text()), string(r.text()), string(r.text()), string(r.text())
	tags := r.uvarint()
	if tags > maxTags {
		return false
	}
	e.marks = []uint64{r.uvarint()}
	for range tags {
		a.Tags = append(a.Tags, string(r.text()))
		e.marks = append(e.marks, r.uvarint())
	}
	a.Form.Body = r.text()
	if flags&flagCanonical != 0 {
		a.Canonical = r.text()
	}
	e.answer = a
	return !r.bad && len(r.b) == 0
}

// reader reads a content. After the end it is bad and all is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() {
	r.bad, r.b = true, nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	first := r.b[0]
	r.b = r.b[1:]
	return first
}

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return n
}

// text is a part of what is read.
func (r *reader) text() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) || n > math.MaxInt32 {
		r.fail()
		return nil
	}
	text := r.b[:n:n]
	r.b = r.b[n:]
	return text
}
