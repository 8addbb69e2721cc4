package wire

import "strings"

// ImageType is the media type of an inline image, by its first bytes where they
// tell it: vendors compare the two, others have let clients name any type.
func (m *Media) ImageType() string {
	for _, magic := range [...]struct{ prefix, mime string }{
		{"iVBOR", "image/png"}, {"/9j/", "image/jpeg"}, {"R0lG", "image/gif"}, {"UklGR", "image/webp"},
	} {
		if strings.HasPrefix(m.Data, magic.prefix) {
			return magic.mime
		}
	}
	mime, _, _ := strings.Cut(strings.ToLower(m.MIME), ";")
	if mime = strings.TrimSpace(mime); mime == "image/jpg" {
		return "image/jpeg"
	}
	return mime
}
