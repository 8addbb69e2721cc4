package jsonscan

import (
	"slices"
	"sort"
)

// Edit replaces body[Start:End] by Text; Start == End inserts.
type Edit struct {
	Start, End int
	Text       []byte
}

// Change is one wish for Edits: member Key shall have the value Raw, valid JSON
// as it shall be spelled, or shall be gone when Raw is nil.
type Change struct {
	Key int // index in the Keys of the scan
	Raw []byte
}

// Splice appends body with edits applied to dst, growing it at most once and to
// the exact size. The edits are sorted by Start and do not overlap; several
// insertions at one place come out in their order. It panics when they are not.
func Splice(dst, body []byte, edits []Edit) []byte {
	size := len(dst) + len(body)
	for _, e := range edits {
		size += len(e.Text) - (e.End - e.Start)
	}
	if cap(dst) < size {
		dst = append(make([]byte, 0, size), dst...)
	}
	at := 0
	for _, e := range edits {
		if e.Start < at || e.End < e.Start {
			panic("jsonscan: edits overlap or are not sorted")
		}
		dst = append(dst, body[at:e.Start]...)
		dst = append(dst, e.Text...)
		at = e.End
	}
	return append(dst, body[at:]...)
}

// Pieces appends to dst what Splice would make, as the parts that it would copy:
// of body, which they share, and the edits' texts. None is empty.
func Pieces(dst [][]byte, body []byte, edits []Edit) [][]byte {
	at := 0
	for _, e := range edits {
		if e.Start < at || e.End < e.Start {
			panic("jsonscan: edits overlap or are not sorted")
		}
		dst = appendPiece(appendPiece(dst, body[at:e.Start]), e.Text)
		at = e.End
	}
	return appendPiece(dst, body[at:])
}

func appendPiece(dst [][]byte, p []byte) [][]byte {
	if len(p) == 0 {
		return dst
	}
	return append(dst, p)
}

// SortEdits puts edits into the order that Splice needs, keeping the order of
// those that start at the same place.
func SortEdits(edits []Edit) {
	slices.SortStableFunc(edits, func(a, b Edit) int { return a.Start - b.Start })
}

// SetEdit returns the edit that gives member i, whose key is name, the value
// raw: in place when the object has it, else as its last member. Use Edits for
// more than one change to the same object: two insertions into an empty object
// need a comma that neither knows of.
func (o *Object) SetEdit(body []byte, i int, name string, raw []byte) Edit {
	if v := o.Get(i); v.Exists() {
		return Edit{v.Start, v.End, raw}
	}
	return o.insert(name, raw, o.Members > 0)
}

// insert returns the edit that adds a member before the closing brace.
func (o *Object) insert(name string, raw []byte, comma bool) Edit {
	text := make([]byte, 0, len(name)+len(raw)+4)
	if comma {
		text = append(text, ',')
	}
	text = append(AppendString(text, name), ':')
	return Edit{o.End - 1, o.End - 1, append(text, raw...)}
}

// RenameEdit returns the edit that gives member i, which the object has, another
// name.
func (o *Object) RenameEdit(i int, name string) Edit {
	start := o.fields[i].key
	return Edit{start, start + len(o.keys.names[i]) + 2, AppendString(nil, name)}
}

// DeleteEdit returns the edit that removes member i with its comma, and one
// that does nothing when the object does not have it. Use Edits for more than
// one change: neighbours share a comma.
func (o *Object) DeleteEdit(body []byte, i int) Edit {
	if !o.Get(i).Exists() {
		return Edit{o.End, o.End, nil}
	}
	return o.deleteRun(body, o.fields[i].key, o.fields[i].value.End)
}

// deleteRun removes neighbouring members, from the first one's name to the last
// one's end, with the comma before them, or after them if they come first.
func (o *Object) deleteRun(body []byte, start, end int) Edit {
	before, after := start-1, skipSpace(body, end)
	for isSpace(body[before]) {
		before--
	}
	switch {
	case body[before] == ',':
		start = before
	case body[after] == ',':
		end = after + 1
	}
	return Edit{start, end, nil}
}

// Edits appends to dst, sorted by Start, the edits that make all changes, at
// most one for each key, to one object.
func (o *Object) Edits(body []byte, dst []Edit, changes ...Change) []Edit {
	first := len(dst)
	gone := make([]field, 0, len(changes))
	for _, c := range changes {
		if v := o.Get(c.Key); c.Raw == nil && v.Exists() {
			gone = append(gone, o.fields[c.Key])
		} else if v.Exists() {
			dst = append(dst, Edit{v.Start, v.End, c.Raw})
		}
	}
	sort.Slice(gone, func(i, j int) bool { return gone[i].key < gone[j].key })
	for i := 0; i < len(gone); {
		last := i
		for last+1 < len(gone) && neighbours(body, gone[last].value.End, gone[last+1].key) {
			last++
		}
		dst = append(dst, o.deleteRun(body, gone[i].key, gone[last].value.End))
		i = last + 1
	}
	SortEdits(dst[first:])
	comma := o.Members > len(gone)
	for _, c := range changes {
		if c.Raw != nil && !o.Get(c.Key).Exists() {
			dst = append(dst, o.insert(o.keys.names[c.Key], c.Raw, comma))
			comma = true
		}
	}
	return dst
}

// neighbours reports whether only a comma lies between the end of a member and
// the name of another.
func neighbours(body []byte, end, key int) bool {
	i := skipSpace(body, end)
	return i < key && body[i] == ',' && skipSpace(body, i+1) == key
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }
