package handlers

import (
	"net/http"
	"strconv"
	"sync"
)

// values are the memory of an answer's header fields, which have one value each:
// one piece instead of one for each.
type values struct {
	room [24]string
	used int

	texts bool // some have been set
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

// holds reports whether value, of one field, is in v's memory.
func (v *values) holds(value []string) bool {
	for i := range v.room[:v.used] {
		if &v.room[i] == &value[0] {
			return true
		}
	}
	return false
}

// set sets a field of the answer's header, whose name is in canonical form already.
// One that it has set before is written over.
func (o *output) set(name, value string) {
	h := o.w.Header()
	if before := h[name]; len(before) == 1 && o.values.holds(before) {
		before[0] = value
		return
	}
	h[name] = o.values.of(value)
}

// texts are values of header fields that are written one after the other into
// text, to become one string.
type texts struct {
	text []byte

	names [32]string
	ends  [32]int
	n     int
}

// allTexts holds *texts without fields.
var allTexts = sync.Pool{New: func() any { return &texts{text: make([]byte, 0, 400)} }}

func newTexts() *texts { return allTexts.Get().(*texts) }

// release is the last that is done with t.
func (t *texts) release() {
	clear(t.names[:t.n])
	t.text, t.n = t.text[:0], 0
	allTexts.Put(t)
}

// end says that what was written since the last end is the value of the field name.
func (t *texts) end(name string) {
	t.names[t.n], t.ends[t.n] = name, len(t.text)
	t.n++
}

// number writes n as the value of the field name.
func (t *texts) number(name string, n int64) {
	t.text = strconv.AppendInt(t.text, n, 10)
	t.end(name)
}

// value says that value is that of the field name.
func (t *texts) value(name, value string) {
	t.text = append(t.text, value...)
	t.end(name)
}

// join adds the fields of other, and releases that.
func (t *texts) join(other *texts) {
	begin := len(t.text)
	t.text = append(t.text, other.text...)
	for i, end := range other.ends[:other.n] {
		t.names[t.n], t.ends[t.n] = other.names[i], begin+end
		t.n++
	}
	other.release()
}

// into sets the fields of t in the header of an answer that has no output, and
// releases it.
func (t *texts) into(h http.Header) {
	all, at := string(t.text), 0
	room := make([]string, t.n)
	for i, end := range t.ends[:t.n] {
		room[i] = all[at:end]
		h[t.names[i]] = room[i : i+1 : i+1]
		at = end
	}
	t.release()
}

// setAll sets the fields of t, and releases it. The first of an answer are new: what
// was there before is not looked for.
func (o *output) setAll(t *texts) {
	h, first := o.w.Header(), !o.values.texts
	o.values.texts = true
	all, at := string(t.text), 0
	for i, end := range t.ends[:t.n] {
		if value := all[at:end]; first {
			h[t.names[i]] = o.values.of(value)
		} else {
			o.set(t.names[i], value)
		}
		at = end
	}
	t.release()
}
