package openai

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/internal/jsonw"
	"github.com/weirproxy/weir/wire"
)

// formats are OpenRouter's names for whose reasoning an entry of
// reasoning_details is.
var formats = map[wire.Vendor]string{
	wire.VendorAnthropic: "anthropic-claude-v1",
	wire.VendorGemini:    "google-gemini-v1",
	wire.VendorOpenAI:    "openai-responses-v1",
}

// vendorOf is the reverse. A format of another vendor stands for the vendor
// itself, so that it goes back as it came.
func vendorOf(format string) wire.Vendor {
	switch format {
	case "anthropic-claude-v1":
		return wire.VendorAnthropic
	case "google-gemini-v1":
		return wire.VendorGemini
	case "openai-responses-v1", "azure-openai-responses-v1":
		return wire.VendorOpenAI
	}
	return wire.Vendor(format)
}

// detail is an entry of reasoning_details.
type detail struct {
	kind      string // after "reasoning."
	text      string
	vendor    wire.Vendor
	id        string
	signature string
}

func readDetail(d *wire.Doc, v jsonscan.Value) detail {
	kind := strings.TrimPrefix(d.StrAt(v, "type"), "reasoning.")
	x := detail{kind: kind, vendor: vendorOf(d.StrAt(v, "format")), id: d.StrAt(v, "id")}
	var held string
	switch kind {
	case "encrypted":
		held = d.StrAt(v, "data")
	case "summary":
		x.text = d.StrAt(v, "summary")
		held = d.StrAt(v, "signature")
	default:
		x.text = d.StrAt(v, "text")
		held = d.StrAt(v, "signature")
	}
	if vendor, id, signature, ok := wire.Unseal(held); ok {
		x.vendor, x.id, x.signature = vendor, id, signature
	} else {
		x.signature = held
	}
	return x
}

// encryptedOf reports whether x is the encrypted half of the thinking t: the
// Responses API gives one item a summary and an encrypted content.
func (x *detail) encryptedOf(t *wire.Block) bool {
	return x.kind == "encrypted" && t.Type == wire.ThinkingBlock && t.Signature == "" && (t.Vendor == x.vendor || t.Vendor == "") &&
		x.vendor != wire.VendorAnthropic && x.vendor != wire.VendorGemini
}

// readThinking reads what was thought before the content of message m, from
// the carrier that has signatures if there are several. Clients that keep the
// pieces of a stream send them as they came: entries with one index.
func readThinking(d *wire.Doc, m jsonscan.Value) []wire.Block {
	var blocks []wire.Block
	texts, open := false, int64(-1) // the index of the last block while it may go on
	for v := range d.Elements(d.Get(m, "reasoning_details")) {
		x := readDetail(d, v)
		texts = texts || x.text != ""
		index, numbered := d.Get(v, "index").Int(d.Data)
		var last *wire.Block
		if n := len(blocks); n > 0 {
			last = &blocks[n-1]
		}
		switch {
		case last != nil && x.encryptedOf(last):
			last.Vendor, last.ID, last.Signature = x.vendor, x.id, x.signature
			open = -1
		case x.kind == "encrypted" && x.vendor == wire.VendorGemini && belongsToCall(d, m, x.id):
		case x.text == "" && x.signature == "":
		case last != nil && x.kind != "encrypted" && numbered && open == index && last.Signature == "":
			last.Text += x.text
			if x.signature != "" {
				last.Vendor, last.Signature = x.vendor, x.signature
			}
		case x.text == "" && x.kind == "encrypted" && x.vendor != wire.VendorOpenAI:
			blocks = append(blocks, wire.Block{Type: wire.RedactedBlock, Vendor: x.vendor, ID: x.id, Signature: x.signature})
			open = -1
		default:
			b := wire.Block{Type: wire.ThinkingBlock, Text: x.text, Vendor: x.vendor, Signature: x.signature}
			if x.signature != "" {
				b.ID = x.id
			}
			blocks = append(blocks, b)
			if open = -1; numbered && x.kind != "encrypted" {
				open = index
			}
		}
	}
	if len(blocks) == 0 {
		blocks = thinkingBlocks(d, m)
		texts = len(blocks) > 0
	}
	if !texts {
		blocks = plainThinking(d, m, blocks)
	}
	for i := range blocks {
		if blocks[i].Signature == "" {
			blocks[i].Vendor = "" // names the owner of a signature
		}
	}
	return blocks
}

// plainThinking reads the text of thinking beside entries that hold none. It
// belongs to the first signature, as in a stream, where the text has gone out
// before its signature is known.
func plainThinking(d *wire.Doc, m jsonscan.Value, blocks []wire.Block) []wire.Block {
	for _, name := range []string{"reasoning_content", "reasoning"} {
		text := d.StrAt(m, name)
		if text == "" {
			continue
		}
		if len(blocks) > 0 && blocks[0].Type == wire.ThinkingBlock {
			blocks[0].Text = text
			return blocks
		}
		return append([]wire.Block{{Type: wire.ThinkingBlock, Text: text}}, blocks...)
	}
	return blocks
}

// thinkingBlocks reads LiteLLM's carrier of Claude's thinking.
func thinkingBlocks(d *wire.Doc, m jsonscan.Value) []wire.Block {
	var blocks []wire.Block
	for v := range d.Elements(d.Get(m, "thinking_blocks")) {
		b := wire.Block{Type: wire.ThinkingBlock, Text: d.StrAt(v, "thinking")}
		held := d.StrAt(v, "signature")
		if d.StrAt(v, "type") == "redacted_thinking" {
			b.Type, held = wire.RedactedBlock, d.StrAt(v, "data")
		}
		b.Vendor, b.ID, b.Signature = wire.OpenSignature(wire.VendorAnthropic, held)
		if b.Text != "" || b.Signature != "" {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// belongsToCall reports whether a signature of Gemini's is that of a call, by
// whose id OpenRouter names it.
func belongsToCall(d *wire.Doc, m jsonscan.Value, id string) bool {
	if id == "" {
		return false
	}
	for c := range d.Elements(d.Get(m, "tool_calls")) {
		if d.Get(c, "id").Is(d.Data, id) {
			return true
		}
	}
	return false
}

// callSignature is the signature in reasoning_details for call id.
func callSignature(d *wire.Doc, m jsonscan.Value, id string) string {
	for v := range d.Elements(d.Get(m, "reasoning_details")) {
		if x := readDetail(d, v); x.kind == "encrypted" && x.vendor == wire.VendorGemini && id != "" && x.id == id {
			return x.signature
		}
	}
	return ""
}

// writeDetail writes b as an entry, or two when a summary has an encrypted
// content too. Signatures of vendors without a format, and those that have an
// id where the format has none, are sealed.
func writeDetail(w *jsonw.Writer, b *wire.Block, index int64) {
	format, held, id := formats[b.Vendor], b.Signature, ""
	switch {
	case b.Signature == "":
		format = "unknown"
	case format == "" && strings.Contains(string(b.Vendor), "-v"):
		format, id = string(b.Vendor), b.ID
	case format == "" || b.ID != "" && b.Vendor != wire.VendorOpenAI:
		format, held = "unknown", wire.Seal(b.Vendor, b.ID, b.Signature)
	case b.Vendor == wire.VendorOpenAI:
		id = b.ID
	}
	encrypted := b.Type == wire.RedactedBlock || id != "" || b.Vendor == wire.VendorOpenAI && held != ""
	if b.Type == wire.ThinkingBlock && (b.Text != "" || !encrypted) {
		w.Object()
		if encrypted {
			w.Str("type", "reasoning.summary")
			w.Str("summary", b.Text)
		} else {
			w.Str("type", "reasoning.text")
			w.Str("text", b.Text)
			w.StrIf("signature", held)
		}
		w.Str("format", format)
		w.Num("index", index)
		w.End()
	}
	if encrypted {
		w.Object()
		w.Str("type", "reasoning.encrypted")
		w.Str("data", held)
		w.StrIf("id", id)
		w.Str("format", format)
		w.Num("index", index)
		w.End()
	}
}
