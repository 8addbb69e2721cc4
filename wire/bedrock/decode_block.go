package bedrock

import (
	"encoding/base64"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// block reads one block of content and appends it to blocks. A cache point
// marks the block before it. What has no canonical place is kept raw.
func (r *reader) block(param string, v jsonscan.Value, blocks []wire.Block) []wire.Block {
	if !r.object(param, v) {
		return blocks
	}
	for kind, val := range r.Members(v) {
		switch kind {
		case "text":
			if val.Kind != jsonscan.String {
				r.fail(param+".text", "'"+param+".text' must be a string")
			}
			return append(blocks, wire.Block{Type: wire.TextBlock, Text: r.Str(val)})
		case "json":
			return append(blocks, wire.Block{Type: wire.TextBlock, Text: r.Raw(val)})
		case "reasoningContent":
			return append(blocks, r.reasoning(val))
		case "citationsContent":
			return append(blocks, r.cited(val))
		case "toolUse":
			if kind := r.StrAt(val, "type"); kind != "" && kind != "tool_use" {
				break // a tool that the vendor runs itself
			}
			return append(blocks, wire.Block{Type: wire.CallBlock, Call: &wire.Call{
				ID: r.StrAt(val, "toolUseId"), Name: r.StrAt(val, "name"), Arguments: r.RawAt(val, "input"),
			}})
		case "toolResult":
			if r.Get(val, "type").Exists() {
				break
			}
			return append(blocks, r.result(param, val))
		case "image", "document", "video", "audio":
			if b, ok := r.media(kind, val); ok {
				return append(blocks, b)
			}
		case "cachePoint":
			if n := len(blocks); n > 0 {
				blocks[n-1].Cache = r.mark(val)
				return blocks
			}
		}
		break
	}
	return append(blocks, wire.Block{Type: wire.RawBlock, Vendor: wire.VendorBedrock, Raw: r.Raw(v)})
}

func (r *reader) mark(v jsonscan.Value) *wire.CacheMark {
	return &wire.CacheMark{TTL: r.StrAt(v, "ttl")}
}

// reasoning reads reasoningContent. Signatures are Claude's: they are as good
// at its own vendor.
func (r *reader) reasoning(v jsonscan.Value) wire.Block {
	if redacted := r.Get(v, "redactedContent"); redacted.Exists() {
		b := wire.Block{Type: wire.RedactedBlock}
		b.Vendor, b.ID, b.Signature = openRedacted(r.Bytes(redacted))
		return b
	}
	b := wire.Block{Type: wire.ThinkingBlock, Text: r.StrAt(v, "reasoningText", "text")}
	b.Vendor, b.ID, b.Signature = wire.OpenSignature(wire.VendorAnthropic, r.StrAt(v, "reasoningText", "signature"))
	return b
}

// openRedacted reads a redactedContent. Of Claude's, it is the base64 of what
// Claude's own API gives as a string; another model's blob stays as it is.
func openRedacted(blob []byte) (vendor wire.Vendor, id, signature string) {
	decoded, err := base64.StdEncoding.DecodeString(string(blob))
	if err != nil {
		return wire.VendorBedrock, "", string(blob)
	}
	for _, c := range decoded {
		if c <= ' ' || c > '~' {
			return wire.VendorBedrock, "", string(blob)
		}
	}
	return wire.OpenSignature(wire.VendorAnthropic, string(decoded))
}

// redactedFor is the reverse.
func redactedFor(vendor wire.Vendor, id, signature string) string {
	if vendor == wire.VendorBedrock {
		return signature
	}
	return base64.StdEncoding.EncodeToString([]byte(wire.SignatureFor(wire.VendorAnthropic, vendor, id, signature)))
}

// cited reads a text with its sources.
func (r *reader) cited(v jsonscan.Value) wire.Block {
	b := wire.Block{Type: wire.TextBlock}
	for part := range r.Elements(r.Get(v, "content")) {
		b.Text += r.StrAt(part, "text")
	}
	for c := range r.Elements(r.Get(v, "citations")) {
		b.Citations = append(b.Citations, r.citation(c))
	}
	return b
}

// citation reads one source. The places that the vendor gives are places in
// the source, so Start and End stay unsaid.
func (r *reader) citation(v jsonscan.Value) wire.Citation {
	c := wire.Citation{URL: r.StrAt(v, "location", "web", "url"), Title: r.StrAt(v, "title")}
	if c.URL == "" {
		c.URL = r.StrAt(v, "source")
	}
	for part := range r.Elements(r.Get(v, "sourceContent")) {
		c.Text += r.StrAt(part, "text")
	}
	return c
}

func (r *reader) result(param string, v jsonscan.Value) wire.Block {
	res := &wire.Result{CallID: r.StrAt(v, "toolUseId"), IsError: r.StrAt(v, "status") == "error"}
	i := 0
	for e := range r.array(param+".toolResult.content", r.Get(v, "content")) {
		res.Content = r.block(at(param+".toolResult.content", i), e, res.Content)
		i++
	}
	return wire.Block{Type: wire.ResultBlock, Result: res}
}

// media reads an attachment; ok is false when it has something that Media has
// no place for.
func (r *reader) media(kind string, v jsonscan.Value) (b wire.Block, ok bool) {
	m := &wire.Media{}
	formats := imageFormats
	switch kind {
	case "image":
		b.Type = wire.ImageBlock
	case "document":
		b.Type, formats = wire.DocumentBlock, documentFormats
		m.Name = r.StrAt(v, "name")
		m.Cite = r.Bool(r.Get(v, "citations", "enabled"))
	case "video":
		b.Type, formats = wire.VideoBlock, videoFormats
	case "audio":
		b.Type, formats = wire.AudioBlock, audioFormats
	}
	if m.MIME = mimeOf(formats, r.StrAt(v, "format")); m.MIME == "" {
		return b, false
	}
	source := r.Get(v, "source")
	m.Data, m.Text, m.URL = r.StrAt(source, "bytes"), r.StrAt(source, "text"), r.StrAt(source, "s3Location", "uri")
	if m.Data == "" && m.Text == "" && m.URL == "" || r.Get(source, "s3Location", "bucketOwner").Exists() || r.Get(v, "context").Exists() {
		return b, false
	}
	b.Media = m
	return b, true
}
