package wire

import "strings"

// Name is the block's type in messages to clients; that of a block that only its
// vendor has is as the vendor spells it.
func (b *Block) Name() string {
	if b.Type != RawBlock {
		return b.Type.String()
	}
	d, err := ParseDoc([]byte(b.Raw))
	if err != nil {
		return b.Type.String()
	}
	if kind := d.StrAt(d.Root, "type"); kind != "" { // Anthropic, OpenAI
		return kind
	}
	for name := range d.Members(d.Root) { // Gemini, Bedrock
		return strings.Clone(name)
	}
	return b.Type.String()
}
