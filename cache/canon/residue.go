package canon

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/gemini"
)

// reader walks through a request beside its decoder and writes what the
// canonical form has not taken over: members that no shape names, values of
// another kind than the decoder reads, and turns that it joins. Were they
// passed over, an upstream that understands them could be made to answer one
// question under the digest of another.
type reader struct {
	*writer
	doc     *wire.Doc
	dialect wire.Dialect
	path    []byte
	err     error
}

// residue writes what of the document is not part of the shape.
func (r *reader) residue(s *shape) error {
	r.object(r.doc.Root, s)
	return r.err
}

// twice is the error for a member that stands twice.
func twice(name string) error { return fmt.Errorf("%w: '%s' stands twice", ErrAmbiguous, name) }

// note writes a value as residue.
func (r *reader) note(v jsonscan.Value, how order) {
	r.byte(tagResidue)
	r.str(string(r.dialect))
	r.str(string(r.path))
	r.json = appendJSON(r.json[:0], r.doc.Data, v, how)
	r.scratch()
	r.seek(string(r.path), string(v.Raw(r.doc.Data)))
}

// remark writes a fact about the value at the path as residue.
func (r *reader) remark(what string) {
	r.byte(tagResidue)
	r.str(what)
	r.str(string(r.path))
}

func (r *reader) value(v jsonscan.Value, u *rule) {
	switch {
	case u.special != nil:
		u.special(r, v)
	case v.Kind == jsonscan.ObjectKind && u.object != nil:
		r.object(v, u.object)
	case v.Kind == jsonscan.Array && u.elements != nil:
		r.elements(v, u)
	case !u.whole.has(v.Kind), u.only != nil && v.Kind == jsonscan.String && !slices.Contains(u.only, r.doc.Str(v)):
		r.note(v, asWritten)
	case u.positive && v.Kind == jsonscan.Number:
		if r.json = appendNumber(r.json[:0], v.Raw(r.doc.Data)); string(r.json) == "0" {
			r.remark("zero")
		}
	}
}

func (r *reader) elements(v jsonscan.Value, u *rule) {
	at, i := len(r.path), 0
	var before turn
	for e := range r.doc.Elements(v) {
		r.path = append(strconv.AppendInt(append(r.path, '['), int64(i), 10), ']')
		if u.turns {
			now := r.turn(e)
			// What is left out makes neighbours of its neighbours.
			joined := now.empty || before.empty || now.speaker != "" && now.speaker == before.speaker
			if joined || now.moved || now.result && before.speaker == "user" {
				r.remark("turn") // as it is, which says where it begins and ends
				r.note(e, sorted)
			}
			before = now
		}
		r.value(e, u.elements)
		r.path = r.path[:at]
		i++
	}
}

func (r *reader) object(v jsonscan.Value, s *shape) {
	first := len(r.tree)
	r.tree = membersOf(r.tree, r.doc.Data, v)
	last := len(r.tree)
	defer func() { r.tree = r.tree[:first] }()
	if r.dialect == wire.Gemini { // whose parsers take two spellings
		for i := first; i < last; i++ {
			if bytes.IndexByte(r.tree[i].name, '_') >= 0 {
				r.tree[i].name = []byte(gemini.Camel(string(r.tree[i].name)))
			}
		}
		slices.SortStableFunc(r.tree[first:last], func(a, b member) int { return bytes.Compare(a.name, b.name) })
	}
	which := ""
	for i := first; i < last; i++ {
		if i > first && bytes.Equal(r.tree[i-1].name, r.tree[i].name) {
			r.err = twice(string(r.tree[i].name))
			return
		}
		if s.by != "" && string(r.tree[i].name) == s.by {
			which = r.doc.Str(r.tree[i].value)
		}
	}
	if s.by != "" {
		variant, ok := s.variants[which]
		if !ok {
			r.note(v, asWritten)
			return
		}
		s = variant
	}
	list := r.tree[first:last:last] // stays when the tree grows
	for _, m := range list {
		if r.err != nil {
			return
		}
		at := r.enter(m.name)
		switch u := s.members[string(m.name)]; {
		case u == nil:
			r.note(m.value, asWritten)
		case m.value.Kind != jsonscan.Null:
			r.value(m.value, u)
		}
		r.path = r.path[:at]
	}
	for _, group := range s.rivals {
		r.rivals(list, group)
	}
}

// enter goes on to a member and returns where the path ends without it. A name
// that looks like a path itself is quoted, so that no two places have one path.
func (r *reader) enter(name []byte) (at int) {
	at = len(r.path)
	if r.path = append(r.path, '.'); bytes.ContainsAny(name, `.["`) {
		r.path = jsonscan.AppendString(r.path, string(name))
	} else {
		r.path = append(r.path, name...)
	}
	return at
}

// rivals writes the members of a group when there are several.
func (r *reader) rivals(list []member, group []string) {
	rival := func(m member) bool {
		return m.value.Kind != jsonscan.Null && slices.Contains(group, string(m.name))
	}
	n := 0
	for _, m := range list {
		if rival(m) {
			n++
		}
	}
	for _, m := range list {
		if n > 1 && rival(m) {
			at := r.enter(m.name)
			r.note(m.value, asWritten)
			r.path = r.path[:at]
		}
	}
}
