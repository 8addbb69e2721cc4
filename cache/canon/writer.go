package canon

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

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
}

// The bytes between the elements of a list. Tags of fields are above.
const (
	end  = 0
	more = 1
)

// chunk is how much is collected before it is hashed.
const chunk = 1 << 10

func (w *writer) begin() {
	if w.hash == nil {
		w.hash = sha256.New()
		w.buf = make([]byte, 0, chunk)
	}
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
		w.str(string(w.json))
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
	w.str(string(w.json))
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
