package openai

import (
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// readPart reads a part of a message's content, in a request or an answer. A
// part that only this dialect knows becomes a raw block; problem says what is
// wrong with one that is known.
func readPart(d *wire.Doc, p jsonscan.Value) (b wire.Block, problem string) {
	if p.Kind == jsonscan.String {
		return wire.Block{Text: d.Long(p)}, ""
	}
	if p.Kind != jsonscan.ObjectKind {
		return b, "must be an object"
	}
	kind := d.StrAt(p, "type")
	switch kind {
	case "text", "input_text", "output_text":
		text := d.Get(p, "text")
		if text.Kind != jsonscan.String {
			return b, "has no text"
		}
		b.Text = d.Long(text)
		b.Vendor, b.ID, b.Signature = googleSignature(d, p)
		return b, ""
	case "refusal":
		return wire.Block{Type: wire.RefusalBlock, Text: d.StrAt(p, "refusal")}, ""
	case "thinking": // Mistral
		return wire.Block{Type: wire.ThinkingBlock, Text: thoughts(d, d.Get(p, "thinking"))}, ""
	case "image_url":
		v := d.Get(p, "image_url")
		media := &wire.Media{Detail: d.StrAt(v, "detail")}
		b.Type, b.Media = wire.ImageBlock, media
		if v.Kind == jsonscan.ObjectKind {
			v = d.Get(v, "url")
		}
		return b, readURL(media, d.Long(v), "image_url")
	case "video_url":
		media := &wire.Media{}
		b.Type, b.Media = wire.VideoBlock, media
		return b, readURL(media, d.Long(d.Get(p, "video_url", "url")), "video_url")
	case "input_audio":
		a := d.Get(p, "input_audio")
		b.Type = wire.AudioBlock
		b.Media = &wire.Media{Data: d.Long(d.Get(a, "data")), MIME: audioMIME(d.StrAt(a, "format"))}
		if b.Media.Data == "" {
			return b, "has no input_audio.data"
		}
		return b, ""
	case "file":
		f := d.Get(p, "file")
		media := &wire.Media{FileID: d.StrAt(f, "file_id"), Name: d.StrAt(f, "filename")}
		b.Type, b.Media = wire.DocumentBlock, media
		if media.FileID != "" {
			return b, ""
		}
		return b, readFile(media, d.Long(d.Get(f, "file_data")))
	case "":
		return b, "has no type"
	}
	return wire.Block{Type: wire.RawBlock, Vendor: wire.VendorOpenAI, Raw: d.LongRaw(p)}, ""
}

// thoughts joins the texts of Mistral's thinking, a string in old answers.
func thoughts(d *wire.Doc, v jsonscan.Value) string {
	if v.Kind == jsonscan.String {
		return d.Str(v)
	}
	var b strings.Builder
	for t := range d.Elements(v) {
		b.Write(d.Bytes(d.Get(t, "text")))
	}
	return b.String()
}

// readURL splits a data URL (RFC 2397) into its type and data.
func readURL(m *wire.Media, url, member string) (problem string) {
	if url == "" {
		return "has no " + member + ".url"
	}
	if len(url) < 5 || !strings.EqualFold(url[:5], "data:") {
		m.URL = url
		return ""
	}
	head, data, ok := strings.Cut(url[5:], ",")
	mime, params, _ := strings.Cut(head, ";")
	if !ok || !strings.HasSuffix(strings.ToLower(";"+params), ";base64") {
		return "must have its data URL in base64"
	}
	m.MIME, m.Data = mime, data
	return ""
}

// readFile reads file_data: a data URL, a URL as OpenRouter takes it, or bare
// base64.
func readFile(m *wire.Media, data string) (problem string) {
	switch {
	case data == "":
		return "has neither file.file_id nor file.file_data"
	case strings.Contains(data[:min(len(data), 8)], ":"):
		return readURL(m, data, "file.file_data")
	}
	m.MIME, m.Data = "application/pdf", data
	if name := strings.ToLower(m.Name); strings.HasSuffix(name, ".txt") || strings.HasSuffix(name, ".md") {
		m.MIME = "text/plain"
	}
	return ""
}

func audioMIME(format string) string {
	if format == "mp3" {
		return "audio/mpeg"
	}
	return "audio/" + format
}

func audioFormat(mime string) string {
	switch format := strings.TrimPrefix(mime, "audio/"); format {
	case "mpeg":
		return "mp3"
	case "x-wav", "wave", "vnd.wave":
		return "wav"
	default:
		return format
	}
}

// readCall reads an element of tool_calls. Ollama and others have the
// arguments as an object.
func readCall(d *wire.Doc, c jsonscan.Value) wire.Block {
	call := &wire.Call{}
	var signature string
	call.ID, signature = openID(d.StrAt(c, "id"))
	if custom := d.Get(c, "custom"); custom.Kind == jsonscan.ObjectKind {
		call.Custom = true
		call.Name, call.Arguments = d.StrAt(custom, "name"), d.Long(d.Get(custom, "input"))
	} else {
		f := d.Get(c, "function")
		call.Name = d.StrAt(f, "name")
		if args := d.Get(f, "arguments"); args.Kind == jsonscan.String {
			call.Arguments = d.Long(args)
		} else {
			call.Arguments = d.LongRaw(args)
		}
	}
	b := wire.Block{Type: wire.CallBlock, Call: call}
	if b.Vendor, b.ID, b.Signature = googleSignature(d, c); b.Signature == "" && signature != "" {
		b.Vendor, b.Signature = wire.VendorGemini, signature
	}
	return b
}

// googleSignature reads extra_content.google.thought_signature, the carrier
// that Google's own compatible API gave to Gemini's signatures.
func googleSignature(d *wire.Doc, v jsonscan.Value) (vendor wire.Vendor, id, signature string) {
	return wire.OpenSignature(wire.VendorGemini, d.StrAt(v, "extra_content", "google", "thought_signature"))
}

// placeSignatures finds the signatures of calls, blocks[first:], that stand
// elsewhere in the message m. One of the whole message goes to its first call
// or else to its last text.
func placeSignatures(d *wire.Doc, m jsonscan.Value, blocks []wire.Block, first int) {
	for i := first; i < len(blocks); i++ {
		if b := &blocks[i]; b.Type == wire.CallBlock && b.Signature == "" {
			if b.Signature = callSignature(d, m, b.Call.ID); b.Signature != "" {
				b.Vendor = wire.VendorGemini
			}
		}
	}
	vendor, id, signature := googleSignature(d, m)
	if signature == "" {
		return
	}
	at := first
	if at >= len(blocks) || blocks[at].Signature != "" {
		for at = first - 1; at >= 0 && blocks[at].Type != wire.TextBlock; at-- {
		}
	}
	if at >= 0 && blocks[at].Signature == "" {
		blocks[at].Vendor, blocks[at].ID, blocks[at].Signature = vendor, id, signature
	}
}
