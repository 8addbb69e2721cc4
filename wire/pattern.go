package wire

import (
	"bytes"

	"github.com/weirproxy/weir/internal/jsonscan"
)

// Pattern recognises JSON that differs from what has been read before only in
// some strings and numbers, its holes: the events of a stream, most of which
// bring a piece of text and else repeat what the one before has said. What a
// reader has learned of one, it knows of the next without reading it.
//
// The zero value recognises nothing.
type Pattern struct {
	fixed []byte // what stands around the holes, one piece after the other
	holes [maxHoles]hole
	n     int
}

// hole is a value that may differ.
type hole struct {
	at    int // where it is in fixed
	kind  jsonscan.Kind
	index int // of its value in Holes
}

const (
	maxHoles = 4
	// maxFixed bounds what a pattern keeps; events that repeat more are rare.
	maxFixed = 4 << 10
)

// Holes are the values of the holes in one piece of JSON, in the order in which
// Learn was given them.
type Holes [maxHoles]jsonscan.Value

// Learn makes p recognise what differs from data, which is valid JSON, in the
// strings and numbers of holes alone. Absent ones are left out.
func (p *Pattern) Learn(data []byte, holes ...jsonscan.Value) {
	p.n = 0
	if len(holes) > maxHoles || len(data) > maxFixed {
		return
	}
	fixed, from, n := p.fixed[:0], 0, 0
	for {
		next := -1
		for i, v := range holes {
			if v.Exists() && v.Start >= from && (next < 0 || v.Start < holes[next].Start) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		v := holes[next]
		fixed = append(fixed, data[from:v.Start]...)
		p.holes[n] = hole{len(fixed), v.Kind, next}
		from = v.End
		n++
	}
	p.fixed, p.n = append(fixed, data[from:]...), n
}

// Match reports whether data is recognised. It is then valid JSON, and v are its
// holes.
func (p *Pattern) Match(data []byte) (v Holes, ok bool) {
	if p.n == 0 {
		return v, false
	}
	from, i := 0, 0
	for _, h := range p.holes[:p.n] {
		piece := p.fixed[from:h.at]
		if !bytes.HasPrefix(data[i:], piece) {
			return v, false
		}
		i += len(piece)
		if h.kind == jsonscan.String {
			v[h.index], ok = jsonscan.StringAt(data, i)
		} else {
			v[h.index], ok = jsonscan.NumberAt(data, i)
		}
		if !ok {
			return v, false
		}
		i, from = v[h.index].End, h.at
	}
	return v, bytes.Equal(data[i:], p.fixed[from:])
}

// StringIn returns the member name of object if it is a string, else nothing.
func StringIn(data []byte, object jsonscan.Value, name string) jsonscan.Value {
	if v := jsonscan.Lookup(data, object, name); v.Kind == jsonscan.String {
		return v
	}
	return jsonscan.Value{}
}

// TypeOf is the type of an event, empty when it has none.
func TypeOf(data []byte) string {
	root, err := ParseAnswer(data)
	if err != nil {
		return ""
	}
	kind, _ := StringIn(data, root, "type").Text(data, nil)
	return string(kind)
}
