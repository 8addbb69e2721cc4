package bedrock

import (
	"strings"

	"github.com/weirproxy/weir/wire"
)

// text writes a block of text.
func (e *encoder) text(s string) {
	e.Object()
	e.Str("text", s)
	e.End()
}

// block writes a block that keep has let through.
func (e *encoder) block(b *wire.Block) {
	switch b.Type {
	case wire.TextBlock, wire.RefusalBlock:
		e.cited(b)
	case wire.ThinkingBlock, wire.RedactedBlock:
		e.reasoning(b)
	case wire.CallBlock:
		e.call(b.Call)
	case wire.ResultBlock:
		e.result(b.Result)
	case wire.RawBlock:
		if b.Vendor != wire.VendorBedrock {
			e.fail(wire.Unmappable("messages", "a "+b.Name()+" block of the "+string(b.Vendor)+" API alone", where))
			return
		}
		e.Raw(b.Raw)
	default:
		e.media(b)
	}
}

// cited writes text; its sources go along to a reader of this dialect only.
func (e *encoder) cited(b *wire.Block) {
	if len(b.Citations) == 0 || e.req.Dialect != wire.Bedrock {
		e.text(b.Text)
		return
	}
	e.Object()
	e.Key("citationsContent")
	e.Object()
	e.Key("content")
	e.Array()
	e.text(b.Text)
	e.EndArray()
	e.Key("citations")
	e.Array()
	for i := range b.Citations {
		e.citation(&b.Citations[i])
	}
	e.EndArray()
	e.End()
	e.End()
}

func (e *encoder) citation(c *wire.Citation) {
	e.Object()
	e.StrIf("title", c.Title)
	if c.URL != "" {
		e.Str("source", c.URL)
	}
	if c.Text != "" {
		e.Key("sourceContent")
		e.Array()
		e.text(c.Text)
		e.EndArray()
	}
	e.End()
}

func (e *encoder) reasoning(b *wire.Block) {
	e.Object()
	e.Key("reasoningContent")
	e.Object()
	if b.Type == wire.RedactedBlock {
		e.Str("redactedContent", redactedFor(b.Vendor, b.ID, b.Signature))
	} else {
		e.Key("reasoningText")
		e.Object()
		e.Str("text", b.Text)
		e.StrIf("signature", wire.SignatureFor(wire.VendorAnthropic, b.Vendor, b.ID, b.Signature))
		e.End()
	}
	e.End()
	e.End()
}

func (e *encoder) call(c *wire.Call) {
	arguments := c.Arguments
	if c.Custom {
		arguments = wire.WrapCustom(arguments)
	}
	e.Object()
	e.Key("toolUse")
	e.Object()
	e.Str("toolUseId", wire.SafeCallID(c.ID))
	e.Str("name", c.Name)
	e.RawMember("input", wire.ArgumentsObject(arguments))
	e.End()
	e.End()
}

func (e *encoder) result(r *wire.Result) {
	e.Object()
	e.Key("toolResult")
	e.Object()
	e.Str("toolUseId", wire.SafeCallID(r.CallID))
	e.Key("content")
	e.Array()
	for i := range r.Content {
		b := &r.Content[i]
		switch b.Type {
		case wire.TextBlock, wire.RefusalBlock:
			if strings.TrimSpace(b.Text) != "" {
				e.text(b.Text)
			}
		default:
			e.block(b)
		}
	}
	e.EndArray()
	if r.IsError {
		e.Str("status", "error")
	}
	e.End()
	e.End()
}

// media writes an attachment. Its bytes go along, or it lies in S3: the vendor
// fetches no other address, and neither does Weir.
func (e *encoder) media(b *wire.Block) {
	m := b.Media
	kind, formats, what := "image", imageFormats, "an image"
	mime := m.MIME
	switch b.Type {
	case wire.ImageBlock:
		mime = m.ImageType()
		if m.Detail != "" && m.Detail != "auto" {
			e.loss.Drop("detail")
		}
	case wire.DocumentBlock:
		kind, formats, what = "document", documentFormats, "a document"
		if m.Text != "" && formatOf(formats, mime) == "" {
			mime = "text/plain"
		}
	case wire.VideoBlock:
		kind, formats, what = "video", videoFormats, "a video"
	case wire.AudioBlock:
		kind, formats, what = "audio", audioFormats, "an audio clip"
	}
	word := formatOf(formats, mime)
	inS3 := strings.HasPrefix(m.URL, "s3://")
	switch {
	case e.maker == makerClaude && (b.Type == wire.AudioBlock || b.Type == wire.VideoBlock):
		e.fail(wire.Unmappable("messages", what, "model '"+e.req.Model+"'"))
		return
	case m.FileID != "":
		e.fail(wire.Unmappable("messages", what+" by the id of an uploaded file", where))
		return
	case m.Data == "" && m.Text == "" && !inS3:
		e.fail(wire.Unmappable("messages", what+" by its URL", where+", which takes the data itself (base64)"))
		return
	case word == "":
		e.fail(wire.Unmappable("messages", what+" of type '"+m.MIME+"'", where))
		return
	}
	e.Object()
	e.Key(kind)
	e.Object()
	e.Str("format", word)
	if kind == "document" {
		e.Str("name", documentName(m.Name, word, e.names))
	}
	e.Key("source")
	e.Object()
	switch {
	case m.Data != "":
		e.Str("bytes", m.Data)
	case m.Text != "":
		e.Str("text", m.Text)
	default:
		e.Key("s3Location")
		e.Object()
		e.Str("uri", m.URL)
		e.End()
	}
	e.End()
	if m.Cite {
		e.RawMember("citations", `{"enabled":true}`)
	}
	e.End()
	e.End()
}

// markOf is the cache mark behind a block: its own, or one of its content.
func markOf(b *wire.Block) *wire.CacheMark {
	if b.Cache != nil || b.Type != wire.ResultBlock {
		return b.Cache
	}
	for i := range b.Result.Content {
		if c := b.Result.Content[i].Cache; c != nil {
			return c
		}
	}
	return nil
}

// maxMarks is how many cache points a request may have.
const maxMarks = 4

// mark writes a cache point, which stands behind what it marks.
func (e *encoder) mark(c *wire.CacheMark) {
	if c == nil {
		return
	}
	if e.marks == maxMarks || e.maker == makerOpenAI || e.maker == makerOther {
		e.loss.Drop("cache_control")
		return
	}
	e.marks++
	e.Object()
	e.Key("cachePoint")
	e.Object()
	e.Str("type", "default")
	if e.maker != makerNova && (c.TTL == "5m" || c.TTL == "1h") {
		e.Str("ttl", c.TTL)
	}
	e.End()
	e.End()
}
