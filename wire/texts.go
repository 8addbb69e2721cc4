package wire

import (
	"sync"
	"unsafe"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// Texts is the memory of the long texts in the messages of one request. It is
// used again when the request has been forgotten: prompts are long, and need
// not be a matter for the garbage collector.
type Texts struct{ room *room }

type room struct{ bytes []byte }

// rooms holds *room.
var rooms = sync.Pool{New: func() any { return new(room) }}

// Bodies below leastText are not worth the trouble, and rooms above mostText
// are not kept.
const (
	leastText = 512
	mostText  = 1 << 20
)

// newTexts is memory for the texts of a body of so many bytes; nil for a short
// one. It is taken at once, so that nothing moves.
func newTexts(size int) *Texts {
	if size < leastText {
		return nil
	}
	r := rooms.Get().(*room)
	if cap(r.bytes) < size {
		r.bytes = make([]byte, 0, size)
	}
	return &Texts{r}
}

// Equal makes requests comparable in tests: where texts lie is no part of them.
func (t *Texts) Equal(*Texts) bool { return true }

// unescape is the text of the string v in data; ok is false when it has no
// place here.
func (t *Texts) unescape(data []byte, v jsonscan.Value) (text string, ok bool) {
	free := t.free(v.End - v.Start)
	if free == nil || v.Kind != jsonscan.String {
		return "", false
	}
	b, _ := v.Text(data, free)
	switch {
	case len(b) == 0:
		return "", true
	case &b[0] == &data[v.Start+1]: // without escapes
		return t.keep(b)
	case &b[0] != &free[:1][0]: // what is not UTF-8 may be longer than its spelling
		return string(b), true
	}
	return t.took(b), true
}

// keep is b as a string; ok is false when it has no place here.
func (t *Texts) keep(b []byte) (text string, ok bool) {
	free := t.free(len(b))
	if free == nil {
		return "", false
	}
	return t.took(append(free, b...)), true
}

// free is the empty end of the room, with place for n bytes; nil when there is
// none, as after a member that stands twice.
func (t *Texts) free(n int) []byte {
	if t == nil || t.room == nil || cap(t.room.bytes)-len(t.room.bytes) < max(n, 1) {
		return nil
	}
	return t.room.bytes[len(t.room.bytes):]
}

// took is b, the bytes that were put into the free end, as a string.
func (t *Texts) took(b []byte) string {
	t.room.bytes = t.room.bytes[:len(t.room.bytes)+len(b)]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Forget empties the request's messages and system prompt, whose memory is then
// used for another request. Nobody may hold a text of theirs.
func (r *Request) Forget() {
	r.System, r.Messages = nil, nil
	t := r.Texts
	if r.Texts = nil; t == nil || t.room == nil {
		return
	}
	if t.room.bytes = t.room.bytes[:0]; cap(t.room.bytes) <= mostText {
		rooms.Put(t.room)
	}
	t.room = nil // copies of the request have t too
}
