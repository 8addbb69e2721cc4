package gemini

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// partialArgs puts the arguments of a call together that come as values at
// JSONPaths (RFC 9535, names and indexes only). Strings come in pieces.
type partialArgs struct {
	root node
}

// node is a value being put together.
type node struct {
	name  string // in an object
	kind  jsonscan.Kind
	kids  []*node
	text  []byte // of a string, or the raw form of anything else
	depth int
}

// maxArgs bounds the depth of arguments and the elements of an array, which a
// path can make without sending them.
const (
	maxArgsDepth = 64
	maxArgsIndex = 4096
)

func (p *partialArgs) add(d *wire.Doc, piece jsonscan.Value) error {
	n, err := p.at(d.StrAt(piece, "jsonPath"))
	if err != nil {
		return err
	}
	for name, v := range d.Members(piece) {
		switch {
		case name == "stringValue" && v.Kind == jsonscan.String:
			n.kind, n.kids = jsonscan.String, nil
			n.text = append(n.text, d.Bytes(v)...)
		case name == "numberValue" || name == "boolValue":
			n.kind, n.kids = v.Kind, nil
			n.text = wire.AppendCompact(n.text[:0], v.Raw(d.Data))
		case name == "nullValue":
			n.kind, n.kids = jsonscan.Null, nil
			n.text = append(n.text[:0], "null"...)
		}
	}
	return nil
}

// at is the node at a path, made if it is not there.
func (p *partialArgs) at(path string) (*node, error) {
	n := &p.root
	rest, ok := strings.CutPrefix(path, "$")
	for ok && rest != "" {
		var name string
		var index int
		if name, index, rest, ok = step(rest); !ok {
			break
		}
		if n.depth >= maxArgsDepth {
			return nil, fmt.Errorf("reading arguments: %w: nested too deeply", wire.ErrMalformed)
		}
		if index >= 0 {
			n = n.element(index)
		} else {
			n = n.member(name)
		}
	}
	if !ok {
		return nil, fmt.Errorf("reading arguments: %w: no path '%.100s'", wire.ErrMalformed, path)
	}
	return n, nil
}

// step cuts one segment off a path: .name, ['name'], ["name"] or [index].
func step(path string) (name string, index int, rest string, ok bool) {
	switch {
	case strings.HasPrefix(path, "['"), strings.HasPrefix(path, `["`):
		name, rest, ok = strings.Cut(path[2:], path[1:2]+"]")
		return name, -1, rest, ok
	case path[0] == '[':
		digits, rest, ok := strings.Cut(path[1:], "]")
		index, err := strconv.Atoi(digits)
		return "", index, rest, ok && err == nil && index >= 0 && index < maxArgsIndex
	case path[0] == '.':
		path = path[1:]
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		return path[:end], -1, path[end:], end > 0
	default:
		return "", 0, "", false
	}
}

func (n *node) member(name string) *node {
	if n.kind != jsonscan.ObjectKind {
		n.kind, n.kids, n.text = jsonscan.ObjectKind, nil, nil
	}
	for _, kid := range n.kids {
		if kid.name == name {
			return kid
		}
	}
	kid := &node{name: name, depth: n.depth + 1}
	n.kids = append(n.kids, kid)
	return kid
}

func (n *node) element(index int) *node {
	if n.kind != jsonscan.Array {
		n.kind, n.kids, n.text = jsonscan.Array, nil, nil
	}
	for len(n.kids) <= index {
		n.kids = append(n.kids, &node{depth: n.depth + 1})
	}
	return n.kids[index]
}

// append appends the arguments as an object.
func (p *partialArgs) append(dst []byte) []byte {
	if p.root.kind != jsonscan.ObjectKind {
		return append(dst, "{}"...)
	}
	w := jsonw.Writer{B: dst}
	p.root.write(&w)
	return w.B
}

func (n *node) write(w *jsonw.Writer) {
	switch n.kind {
	case jsonscan.ObjectKind:
		w.Object()
		for _, kid := range n.kids {
			w.String(kid.name)
			w.B = append(w.B, ':')
			kid.write(w)
		}
		w.End()
	case jsonscan.Array:
		w.Array()
		for _, kid := range n.kids {
			kid.write(w)
		}
		w.EndArray()
	case jsonscan.String:
		w.Text(n.text)
	case jsonscan.Invalid:
		w.Null()
	default:
		w.Raw(string(n.text))
	}
}
