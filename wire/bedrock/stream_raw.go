package bedrock

import (
	"fmt"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// rawBlock puts together a block that only this vendor has, such as a call of
// a tool that it runs itself, in the form in which a whole answer has it.
type rawBlock struct {
	kind string
	head jsonw.Writer // {"kind":{ and the members of the start
	text []byte       // the input's JSON, or the image's base64
	list jsonw.Writer // elements of a result
}

func (b *rawBlock) start(d *wire.Doc, kind string, v jsonscan.Value) {
	*b = rawBlock{kind: strings.Clone(kind)}
	b.head.Object()
	b.head.String(kind)
	b.head.B = append(b.head.B, ":{"...)
	for name, val := range d.Members(v) {
		b.head.String(name)
		b.head.B = append(b.head.B, ':')
		b.head.Raw(string(val.Raw(d.Data)))
	}
}

func (b *rawBlock) add(d *wire.Doc, kind string, v jsonscan.Value) error {
	switch {
	case kind == "toolUse":
		b.text = append(b.text, d.Bytes(d.Get(v, "input"))...)
	case kind == "image":
		b.text = joinBase64(b.text, d.Bytes(d.Get(v, "source", "bytes")))
	case v.Kind == jsonscan.Array:
		for e := range d.Elements(v) {
			b.list.Raw(string(e.Raw(d.Data)))
		}
	}
	if len(b.text)+len(b.list.B) > maxHeld {
		return fmt.Errorf("reading stream event: %w: a block without end", wire.ErrMalformed)
	}
	return nil
}

func (b *rawBlock) finish() string {
	w := &b.head
	switch b.kind {
	case "toolUse":
		w.RawMember("input", wire.ArgumentsObject(string(b.text)))
	case "image":
		w.Key("source")
		w.Object()
		w.Str("bytes", string(b.text))
		w.End()
	default:
		w.Key("content")
		w.Array()
		w.B = append(w.B, b.list.B...)
		w.EndArray()
	}
	w.End()
	w.End()
	return string(w.B)
}
