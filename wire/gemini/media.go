package gemini

import (
	"encoding/base64"
	"strings"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// media reads inlineData or fileData.
func (r *reader) media(v jsonscan.Value, at *path, file bool) wire.Block {
	m := new(wire.Media)
	r.members(v, at, func(name string, at *path, v jsonscan.Value) {
		switch name {
		case "mimeType":
			m.MIME = r.text(v, at)
		case "displayName":
			m.Name = r.text(v, at)
		case "data":
			m.Data = standardBase64(r.long(v, at))
		case "fileUri":
			if uri := r.text(v, at); isGoogles(uri) {
				m.FileID = uri
			} else {
				m.URL = uri
			}
		default:
			r.extra(at, v)
		}
	})
	if file && m.URL == "" && m.FileID == "" {
		r.fail(at.member("fileUri"), "is missing")
	}
	return mediaBlock(m)
}

func mediaBlock(m *wire.Media) wire.Block {
	kind := m.MIME
	if kind == "" {
		kind = mimeOf(m.URL + m.FileID)
	}
	b := wire.Block{Type: wire.DocumentBlock, Media: m}
	switch kind, _, _ = strings.Cut(kind, "/"); kind {
	case "image":
		b.Type = wire.ImageBlock
	case "audio":
		b.Type = wire.AudioBlock
	case "video":
		b.Type = wire.VideoBlock
	}
	return b
}

// isGoogles reports whether a URI names a file that only Google can read: one
// of its Files API or of Cloud Storage. That is what other vendors call an id.
func isGoogles(uri string) bool {
	return strings.HasPrefix(uri, "gs://") || strings.HasPrefix(uri, "files/") || strings.HasPrefix(uri, "https://generativelanguage.googleapis.com/")
}

// standardBase64 is data in the standard alphabet with padding; protocol
// buffers also take the alphabet for URLs, and none.
func standardBase64(data string) string {
	if strings.ContainsAny(data, "-_") {
		data = strings.NewReplacer("-", "+", "_", "/").Replace(data)
	}
	if short := len(data) % 4; short > 1 {
		data += "=="[:4-short]
	}
	return data
}

// mimes are types by the end of a URL's path. Vertex wants a type with every
// file.
var mimes = []struct{ end, mime string }{
	{".png", "image/png"},
	{".jpg", "image/jpeg"},
	{".jpeg", "image/jpeg"},
	{".gif", "image/gif"},
	{".webp", "image/webp"},
	{".heic", "image/heic"},
	{".pdf", "application/pdf"},
	{".txt", "text/plain"},
	{".mp3", "audio/mpeg"},
	{".wav", "audio/wav"},
	{".flac", "audio/flac"},
	{".ogg", "audio/ogg"},
	{".mp4", "video/mp4"},
	{".mov", "video/quicktime"},
	{".webm", "video/webm"},
}

func mimeOf(uri string) string {
	if strings.HasPrefix(uri, "https://www.youtube.com/") || strings.HasPrefix(uri, "https://youtu.be/") {
		return "video/mp4"
	}
	uri, _, _ = strings.Cut(uri, "#")
	uri, _, _ = strings.Cut(uri, "?")
	uri = strings.ToLower(uri)
	for _, m := range mimes {
		if strings.HasSuffix(uri, m.end) {
			return m.mime
		}
	}
	return ""
}

// defaultMIME stands in where neither the client nor the URL tells the type.
func defaultMIME(t wire.BlockType) string {
	switch t {
	case wire.ImageBlock:
		return "image/jpeg"
	case wire.AudioBlock:
		return "audio/mpeg"
	case wire.VideoBlock:
		return "video/mp4"
	default:
		return "application/pdf"
	}
}

// mediaPart writes an attachment as a part. Nothing is fetched: Gemini reads
// URLs itself.
func (e *encoder) mediaPart(b *wire.Block) error {
	m := b.Media
	if m == nil {
		return wire.Unmappable(e.where, "empty "+b.Type.String()+" blocks", "Gemini")
	}
	mime := m.MIME
	if b.Type == wire.ImageBlock && !e.own {
		mime = m.ImageType()
	}
	if mime == "" && !e.own {
		if mime = mimeOf(m.URL + m.FileID); mime == "" {
			mime = defaultMIME(b.Type)
		}
	}
	if m.FileID != "" && !isGoogles(m.FileID) {
		return wire.Unmappable(e.where, "the file '"+m.FileID+"' of another vendor", "Gemini")
	}
	// AI Studio refuses displayName, which says nothing to a model. The title of a
	// text goes into it there.
	name, text := m.Name, m.Text
	if !e.own && !e.vertex {
		if name != "" && text != "" {
			text = name + ":\n" + text
		}
		name = ""
	}
	w := &e.w
	w.Object()
	switch {
	case m.URL != "" || m.FileID != "":
		w.Key("fileData")
		w.Object()
		w.StrIf("mimeType", mime)
		w.StrIf("displayName", name)
		w.Str("fileUri", m.URL+m.FileID)
		w.End()
	default:
		data := m.Data
		if data == "" && text != "" {
			mime, data = "text/plain", base64.StdEncoding.EncodeToString([]byte(text))
		}
		w.Key("inlineData")
		w.Object()
		w.StrIf("mimeType", mime)
		w.StrIf("displayName", name)
		w.Str("data", data)
		w.End()
	}
	if m.Detail != "" {
		e.detail(m.Detail)
	}
	w.End()
	if m.Cite {
		e.loss.Drop("citations")
	}
	return nil
}

// detail writes mediaResolution, which models before Gemini 3 have for the
// whole request only.
func (e *encoder) detail(detail string) {
	level := detailOut(detail)
	switch {
	case level != "" && (e.own || e.ability.Levels):
		e.w.Key("mediaResolution")
		e.w.Object()
		e.w.Str("level", level)
		e.w.End()
	case level != "":
		e.loss.Drop("detail")
	}
}

func detailIn(level string) string {
	switch level {
	case "MEDIA_RESOLUTION_LOW":
		return "low"
	case "MEDIA_RESOLUTION_HIGH":
		return "high"
	case "MEDIA_RESOLUTION_ULTRA_HIGH":
		return "original"
	default:
		return ""
	}
}

func detailOut(detail string) string {
	switch detail {
	case "low":
		return "MEDIA_RESOLUTION_LOW"
	case "high":
		return "MEDIA_RESOLUTION_HIGH"
	case "original":
		return "MEDIA_RESOLUTION_ULTRA_HIGH"
	default:
		return ""
	}
}
