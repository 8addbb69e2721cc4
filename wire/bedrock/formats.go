package bedrock

import (
	"strconv"
	"strings"
)

// format is a vendor's word for a kind of file.
type format struct{ name, mime string }

var imageFormats = []format{
	{"png", "image/png"}, {"jpeg", "image/jpeg"}, {"gif", "image/gif"}, {"webp", "image/webp"},
}

var documentFormats = []format{
	{"pdf", "application/pdf"},
	{"csv", "text/csv"},
	{"doc", "application/msword"},
	{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{"xls", "application/vnd.ms-excel"},
	{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{"html", "text/html"},
	{"txt", "text/plain"},
	{"md", "text/markdown"},
}

var videoFormats = []format{
	{"mp4", "video/mp4"},
	{"mov", "video/quicktime"},
	{"mkv", "video/x-matroska"},
	{"webm", "video/webm"},
	{"flv", "video/x-flv"},
	{"mpeg", "video/mpeg"},
	{"mpg", "video/mpg"},
	{"wmv", "video/x-ms-wmv"},
	{"three_gp", "video/3gpp"},
}

var audioFormats = []format{
	{"mp3", "audio/mpeg"},
	{"mp3", "audio/mp3"},
	{"wav", "audio/wav"},
	{"wav", "audio/x-wav"},
	{"opus", "audio/opus"},
	{"aac", "audio/aac"},
	{"flac", "audio/flac"},
	{"mp4", "audio/mp4"},
	{"ogg", "audio/ogg"},
	{"m4a", "audio/m4a"},
	{"webm", "audio/webm"},
	{"pcm", "audio/pcm"},
	{"mkv", "audio/x-matroska"},
	{"mka", "audio/mka"},
	{"mpeg", "audio/mpg"},
	{"mpga", "audio/mpga"},
	{"x-aac", "audio/x-aac"},
}

// formatOf finds the vendor's word for a media type; empty when it has none.
func formatOf(formats []format, mime string) string {
	mime, _, _ = strings.Cut(strings.ToLower(mime), ";")
	mime = strings.TrimSpace(mime)
	for _, f := range formats {
		if f.mime == mime {
			return f.name
		}
	}
	return ""
}

// mimeOf is the reverse.
func mimeOf(formats []format, name string) string {
	for _, f := range formats {
		if f.name == name {
			return f.mime
		}
	}
	return ""
}

// documentName is a name as the vendor allows it: letters, digits, hyphens,
// parentheses, brackets and single spaces, and none twice in a request. used
// counts the names given out.
func documentName(name, ext string, used map[string]int) string {
	name = strings.TrimSuffix(name, "."+ext)
	legal := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '(', c == ')', c == '[', c == ']':
			legal = append(legal, c)
		case len(legal) > 0 && legal[len(legal)-1] != ' ':
			legal = append(legal, ' ')
		}
	}
	name = strings.TrimSpace(string(legal[:min(len(legal), maxDocumentName)]))
	if name == "" {
		name = "document"
	}
	for base := name; used[name] > 0; {
		used[base]++
		name = base + " " + strconv.Itoa(used[base])
	}
	used[name]++
	return name
}

// maxDocumentName leaves room for a number in the vendor's 200 characters.
const maxDocumentName = 190
