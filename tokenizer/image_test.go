package tokenizer

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
)

func TestImageSize(t *testing.T) {
	picture := image.NewPaletted(image.Rect(0, 0, 321, 123), color.Palette{color.Black, color.White})
	encode := map[string]func(*bytes.Buffer) error{
		"png":  func(b *bytes.Buffer) error { return png.Encode(b, picture) },
		"jpeg": func(b *bytes.Buffer) error { return jpeg.Encode(b, picture, nil) },
		"gif":  func(b *bytes.Buffer) error { return gif.Encode(b, picture, nil) },
		"webp lossy": func(b *bytes.Buffer) error {
			b.WriteString("RIFF\x00\x00\x00\x00WEBPVP8 \x00\x00\x00\x00\x00\x00\x00\x9d\x01\x2a\x41\x01\x7b\x00")
			return nil
		},
		"webp lossless": func(b *bytes.Buffer) error {
			n := uint32(320) | uint32(122)<<14
			b.WriteString("RIFF\x00\x00\x00\x00WEBPVP8L\x00\x00\x00\x00\x2f")
			b.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24), 0, 0, 0, 0, 0})
			return nil
		},
		"webp extended": func(b *bytes.Buffer) error {
			b.WriteString("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x40\x01\x00\x7a\x00\x00")
			return nil
		},
	}
	head := make([]byte, headBytes)
	for name, write := range encode {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			data := base64.StdEncoding.EncodeToString(b.Bytes())
			for _, text := range []string{data, "data:image/x;base64," + data} {
				if w, h := imageSize([]byte(text), head); w != 321 || h != 123 {
					t.Errorf("%d by %d, want 321 by 123", w, h)
				}
			}
		})
	}
}

func TestImageCost(t *testing.T) {
	tests := []struct {
		model, detail string
		w, h, want    int
	}{
		{"gpt-4o", "low", 4000, 4000, 85},
		{"gpt-4o", "high", 1024, 1024, 765},
		{"gpt-4o", "auto", 2048, 4096, 1105},
		{"gpt-4o", "", 100, 100, 255},
		{"gpt-4.1-mini", "", 1024, 1024, 1659},
		{"claude-sonnet-4-5", "", 200, 200, 64},
		{"claude-opus-4-8", "", 1024, 1024, 1369},
		{"gemini-2.5-flash", "", 300, 300, 258},
		{"gemini-2.5-flash", "", 1500, 700, 516},
		{"gemini-3-pro", "", 1500, 700, 1120},
	}
	for _, test := range tests {
		if got := ForModel(test.model).rules.image.cost(test.detail, test.w, test.h); got != test.want {
			t.Errorf("%s %s %dx%d: %d tokens, want %d", test.model, test.detail, test.w, test.h, got, test.want)
		}
	}
}

func FuzzImageSize(f *testing.F) {
	f.Add([]byte("data:image/png;base64,iVBORw0KGgo="))
	f.Add([]byte("/9j/4AAQSkZJRgABAQAAAQABAAD/"))
	head := make([]byte, headBytes)
	f.Fuzz(func(t *testing.T, data []byte) {
		w, h := imageSize(data, head)
		for _, model := range []string{"gpt-4o", "gpt-4.1-mini", "claude-opus-4-8", "gemini-2.5-pro", "grok-4"} {
			if got := ForModel(model).rules.image.cost("", w, h); got <= 0 {
				t.Errorf("%s: an image of %d by %d costs %d", model, w, h, got)
			}
		}
	})
}
