package canon

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/weirproxy/weir/wire"
)

// writer encodes a request into a hash. Every field is a tag and a value that
// says its own length, every list and struct ends with end, so that no two
// requests have one encoding.
type writer struct {
	options Options
	facts   Facts

	hash   hash.Hash
	buf    []byte
	digest Digest // the newest; here, so that it is no allocation of its own

	// calls numbers the ids of calls in the order in which they are met: which
	// ids a vendor or a client made up does not matter.
	calls map[string]uint64

	// held says that texts are those of LastUser: they go to last, and the
	// partition has their places only.
	held bool
	last []string

	json []byte // scratch
	tree []member

	// doc is the request, reader what walks through it, and decoded what its decoder
	// has made of it, whose texts are given back at the end.
	doc     wire.Doc
	reader  reader
	decoded *wire.Request
}

// writers holds *writer that have nothing of a request.
var writers = sync.Pool{New: func() any {
	w := &writer{hash: sha256.New(), buf: make([]byte, 0, chunk)}
	w.reader.writer = w
	return w
}}

// mostKept is the most bytes of scratch that are kept for the next.
const mostKept = 64 << 10

func newWriter(o Options) *writer {
	w := writers.Get().(*writer)
	w.options, w.facts = o, Facts{Choices: 1}
	return w
}

// release gives w, and the texts of the request, to another.
func (w *writer) release() {
	if w.decoded != nil {
		w.decoded.Forget()
	}
	clear(w.tree[:cap(w.tree)])
	clear(w.last)
	r, elements := &w.reader, cap(w.tree)+cap(w.last)+len(w.calls)
	clear(w.calls)
	w.facts, w.decoded, w.held, w.doc.Data = Facts{}, nil, false, nil
	w.buf, w.last, w.tree, w.json, r.path = w.buf[:0], w.last[:0], w.tree[:0], w.json[:0], r.path[:0]
	r.err = nil
	if cap(w.json)+cap(r.path) <= mostKept && elements <= mostKept/16 {
		writers.Put(w)
	}
}

// The bytes between the elements of a list. Tags of fields are above.
const (
	end  = 0
	more = 1
)

// chunk is how much is collected before it is hashed.
const chunk = 1 << 10

func (w *writer) begin() {
	w.hash.Reset()
	w.str(version)
}

func (w *writer) sum() Digest {
	w.flush()
	w.hash.Sum(w.digest[:0])
	return w.digest
}

func (w *writer) flush() {
	_, _ = w.hash.Write(w.buf)
	w.buf = w.buf[:0]
}

func (w *writer) byte(b byte) {
	if len(w.buf) == cap(w.buf) {
		w.flush()
	}
	w.buf = append(w.buf, b)
}

func (w *writer) uint(n uint64) {
	if cap(w.buf)-len(w.buf) < binary.MaxVarintLen64 {
		w.flush()
	}
	w.buf = binary.AppendUvarint(w.buf, n)
}

func (w *writer) str(s string) {
	w.uint(uint64(len(s)))
	put(w, s)
}

// scratch is str of what is in json.
func (w *writer) scratch() {
	w.uint(uint64(len(w.json)))
	put(w, w.json)
}

func put[T string | []byte](w *writer, s T) {
	for len(s) > 0 {
		if len(w.buf) == cap(w.buf) {
			w.flush()
		}
		n := copy(w.buf[len(w.buf):cap(w.buf)], s)
		w.buf, s = w.buf[:len(w.buf)+n], s[n:]
	}
}

// The fields below are left out when they say nothing.

func (w *writer) text(tag byte, s string) {
	if s != "" {
		w.byte(tag)
		w.str(s)
	}
}

func (w *writer) count(tag byte, n int64) {
	if n != 0 {
		w.byte(tag)
		w.uint(uint64(n))
	}
}

func (w *writer) flag(tag byte, b bool) {
	if b {
		w.byte(tag)
	}
}

func (w *writer) tri(tag byte, t wire.Tri) {
	if t != wire.Unset {
		w.byte(tag)
		w.byte(byte(t))
	}
}

func (w *writer) number(tag byte, n wire.Number) {
	if n != "" {
		w.byte(tag)
		w.json = appendNumber(w.json[:0], []byte(n))
		w.scratch()
	}
}

func (w *writer) list(tag byte, texts []string) {
	if len(texts) == 0 {
		return
	}
	w.byte(tag)
	for _, s := range texts {
		w.byte(more)
		w.str(s)
	}
	w.byte(end)
}

// raw writes JSON in its canonical spelling, and what is no JSON as it is.
func (w *writer) raw(tag byte, raw string, how order) {
	if raw == "" {
		return
	}
	w.byte(tag)
	data := []byte(raw)
	v, err := wire.ParseAnswer(data)
	if err != nil {
		w.byte(0)
		w.str(raw)
		return
	}
	w.byte(1)
	w.json = appendJSON(w.json[:0], data, v, how)
	w.scratch()
}

// call is the number of a call's id.
func (w *writer) call(id string) uint64 {
	n, ok := w.calls[id]
	if !ok {
		if w.calls == nil {
			w.calls = make(map[string]uint64)
		}
		n = uint64(len(w.calls))
		w.calls[id] = n
	}
	return n
}

// stateful keeps the first name.
func (w *writer) stateful(name string) {
	if w.facts.Stateful == "" {
		w.facts.Stateful = name
	}
}
