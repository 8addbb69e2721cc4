package wire_test

import (
	"testing"

	"github.com/weirproxy/weir/wire"
)

func TestImageType(t *testing.T) {
	for _, tt := range []struct{ mime, data, want string }{
		{"image/png", "iVBORw0KGgo=", "image/png"},
		{"image/png", "/9j/4AAQ", "image/jpeg"},
		{"image/jpg", "R0lGODlh", "image/gif"},
		{"", "UklGRg==", "image/webp"},
		{"image/jpg", "AAAA", "image/jpeg"},
		{"IMAGE/PNG; charset=x", "AAAA", "image/png"},
		{"image/heic", "AAAA", "image/heic"},
		{"", "", ""},
	} {
		if got := (&wire.Media{MIME: tt.mime, Data: tt.data}).ImageType(); got != tt.want {
			t.Errorf("%q of %q is %q, want %q", tt.mime, tt.data, got, tt.want)
		}
	}
}
