package handlers

import (
	"strconv"
	"sync"
)

// values are the memory of an answer's header fields, which have one value each:
// one piece instead of one for each.
type values struct {
	room [32]string
	used int
}

// of returns value as that of a field. There is no room behind it, so whoever adds
// another value moves it.
func (v *values) of(value string) []string {
	if v.used == len(v.room) {
		return []string{value}
	}
	at := v.used
	v.used++
	v.room[at] = value
	return v.room[at : at+1 : at+1]
}

// set sets a field of the answer's header, whose name is in canonical form already.
func (o *output) set(name, value string) { o.w.Header()[name] = o.values.of(value) }

// texts are values of header fields that are written one after the other into
// text, to become one string.
type texts struct {
	text []byte

	names [24]string
	ends  [24]int
	n     int
	room  [512]byte // where text begins
}

// written holds *texts.
var written = sync.Pool{New: func() any { return new(texts) }}

// newTexts returns empty texts, to be released when they are set.
func newTexts() *texts {
	t := written.Get().(*texts)
	t.n, t.text = 0, nil
	return t
}

// release gives t back: fields that were set have memory of their own.
func (t *texts) release() { written.Put(t) }

// end says that what was written since the last end is the value of the field name.
func (t *texts) end(name string) {
	t.names[t.n], t.ends[t.n] = name, len(t.text)
	t.n++
}

// number writes n as the value of the field name.
func (t *texts) number(name string, n int64) {
	t.begin()
	t.text = strconv.AppendInt(t.text, n, 10)
	t.end(name)
}

// begin must be called before anything is appended to text.
func (t *texts) begin() {
	if t.text == nil {
		t.text = t.room[:0]
	}
}

// setAll sets the fields of t.
func (o *output) setAll(t *texts) {
	h, all, at := o.w.Header(), string(t.text), 0
	for i, end := range t.ends[:t.n] {
		h[t.names[i]] = o.values.of(all[at:end])
		at = end
	}
}
