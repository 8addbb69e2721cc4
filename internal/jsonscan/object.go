package jsonscan

import "sync"

// Object is what Scan and ScanObject found; the zero Object is ready, and is
// meant to be reused.
type Object struct {
	Start, End int // of the object in the body, braces included
	Members    int // all members, known or not
	keys       *Keys
	fields     []field
	room       *room // where fields are, if that is from rooms
}

// room is the memory of an Object with many keys, rooms of those that were
// released.
type room [28]field

var rooms = sync.Pool{New: func() any { return new(room) }}

// fewKeys are so few that pooled memory would be a waste.
const fewKeys = 8

// Release empties the object, and gives its memory to others. An object that is
// not released is garbage like any other.
func (o *Object) Release() {
	if o.room != nil {
		rooms.Put(o.room)
	}
	*o = Object{}
}

type field struct {
	key   int // offset of the member name's opening quote
	value Value
}

// Get returns the value of key i, absent when the object does not have it.
func (o *Object) Get(i int) Value {
	if i < 0 || i >= len(o.fields) {
		return Value{}
	}
	return o.fields[i].value
}

// reset forgets what was found and makes room for keys.
func (o *Object) reset(keys *Keys) {
	n := 0
	if keys != nil {
		n = len(keys.names)
	}
	if cap(o.fields) < n {
		if o.room = nil; fewKeys < n && n <= len(room{}) {
			o.room = rooms.Get().(*room)
			o.fields = o.room[:]
		} else {
			o.fields = make([]field, n)
		}
	}
	o.fields = o.fields[:n]
	clear(o.fields)
	o.Start, o.End, o.Members, o.keys = 0, 0, 0, keys
}

// meet looks up the member name spelled in body[start:end], quotes included,
// and sets member to its policy key, or to -1 when it has none.
func (o *Object) meet(body []byte, start, end int, member *int) error {
	*member = -1
	if len(o.fields) == 0 {
		return nil
	}
	raw := body[start+1 : end-1]
	i, exact := o.keys.find(raw)
	if i < 0 {
		return nil
	}
	if !exact || o.fields[i].key != 0 { // a name is never at offset 0: a brace is before it
		return &DuplicateError{Key: o.keys.names[i], Found: string(raw), Offset: start}
	}
	o.fields[i].key = start
	*member = i
	return nil
}

// ScanObject is Scan for an object inside a body that has been validated: only
// the rule about policy keys is checked. The error is a *DuplicateError, or a
// *SyntaxError when v is not an object.
func ScanObject(body []byte, v Value, keys *Keys, out *Object) error {
	out.reset(keys)
	if v.Kind != ObjectKind {
		return &SyntaxError{Offset: v.Start, Msg: "an object is expected, not " + v.Kind.String()}
	}
	out.Start, out.End = v.Start, v.End
	for key, val := range Members(body, v) {
		var member int
		if err := out.meet(body, key.Start, key.End, &member); err != nil {
			return err
		}
		out.Members++
		if member >= 0 {
			out.fields[member].value = val
		}
	}
	return nil
}
