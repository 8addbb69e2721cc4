package tokenizer

import (
	"bytes"
	"encoding/base64"
)

// imageRule says what one image costs. Vendors' documents and bills disagree
// by a few per cent, so a prompt with an image is always an estimate.
type imageRule struct {
	kind  imageKind
	base  int // imageTiles: the image; imageFlat: every image
	each  int // imageTiles: a tile; imagePatches: thousandths of a token for a patch
	limit int // most patches, or most tokens for imageClaude
}

type imageKind uint8

const (
	imageFlat imageKind = iota
	imageTiles
	imagePatches
	imageClaude
	imageGemini2
)

// unknownSide stands for an image whose size cannot be seen.
const unknownSide = 1024

func (r imageRule) cost(detail string, width, height int) int {
	if width <= 0 || height <= 0 {
		width, height = unknownSide, unknownSide
	}
	w, h := float64(width), float64(height)
	switch r.kind {
	case imageTiles:
		if detail == "low" {
			return r.base
		}
		// Into a square of 2048, then the shorter side to 768, in tiles of 512.
		w, h = shrink(w, h, 2048/max(w, h))
		w, h = shrink(w, h, 768/min(w, h))
		return r.base + r.each*parts(w, 512)*parts(h, 512)
	case imagePatches:
		n := min(parts(w, 32)*parts(h, 32), r.limit)
		if detail == "low" {
			n = min(n, 256)
		}
		return (n*r.each + 999) / 1000
	case imageClaude:
		side := 1568.0
		if r.limit > 1568 {
			side = 2576
		}
		w, h = shrink(w, h, side/max(w, h))
		return min(parts(w, 28)*parts(h, 28), r.limit)
	case imageGemini2:
		if width <= 384 && height <= 384 {
			return 258
		}
		return 258 * parts(w, 768) * parts(h, 768)
	}
	return r.base
}

func shrink(w, h, factor float64) (float64, float64) {
	if factor >= 1 {
		return w, h
	}
	return w * factor, h * factor
}

// parts returns how many pieces of size cover length.
func parts(length, size float64) int {
	n := int(length / size)
	if float64(n)*size < length-1e-6 {
		n++
	}
	return max(n, 1)
}

// headBytes is how much of an image is decoded to find its size; JPEG puts
// EXIF data and thumbnails before it.
const headBytes = 96 << 10

// imageSize reads the size of an image from a data URL or bare base64 data.
// head is scratch of headBytes. Zero when the format is not PNG, JPEG, GIF or
// WebP, or the size is further in.
func imageSize(data, head []byte) (width, height int) {
	if bytes.HasPrefix(data, []byte("data:")) {
		comma := bytes.IndexByte(data[:min(len(data), 256)], ',')
		if comma < 0 {
			return 0, 0
		}
		data = data[comma+1:]
	}
	data = data[:min(len(data), base64.StdEncoding.EncodedLen(len(head))/4*4)&^3]
	n, _ := base64.StdEncoding.Decode(head, data) // the part before an error is good
	b := head[:n]
	switch {
	case len(b) >= 24 && bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return int(be32(b[16:])), int(be32(b[20:]))
	case len(b) >= 10 && bytes.HasPrefix(b, []byte("GIF8")):
		return int(b[6]) | int(b[7])<<8, int(b[8]) | int(b[9])<<8
	case len(b) >= 30 && bytes.HasPrefix(b, []byte("RIFF")) && bytes.Equal(b[8:12], []byte("WEBP")):
		return webpSize(b)
	case len(b) >= 4 && b[0] == 0xFF && b[1] == 0xD8:
		return jpegSize(b)
	}
	return 0, 0
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// jpegSize walks the segments to the start-of-frame marker (ITU T.81, B.2.2).
func jpegSize(b []byte) (width, height int) {
	for i := 2; i+9 < len(b); {
		if b[i] != 0xFF {
			return 0, 0
		}
		marker := b[i+1]
		switch {
		case marker == 0xFF: // fill byte
			i++
			continue
		case marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC:
			return int(b[i+7])<<8 | int(b[i+8]), int(b[i+5])<<8 | int(b[i+6])
		case marker == 0x01 || marker >= 0xD0 && marker <= 0xD8:
			i += 2
			continue
		}
		i += 2 + (int(b[i+2])<<8 | int(b[i+3]))
	}
	return 0, 0
}

// webpSize reads the first chunk of a WebP file (RFC 9649).
func webpSize(b []byte) (width, height int) {
	switch string(b[12:16]) {
	case "VP8X":
		return 1 + (int(b[24]) | int(b[25])<<8 | int(b[26])<<16), 1 + (int(b[27]) | int(b[28])<<8 | int(b[29])<<16)
	case "VP8L":
		n := uint32(b[21]) | uint32(b[22])<<8 | uint32(b[23])<<16 | uint32(b[24])<<24
		return int(n&0x3FFF) + 1, int(n>>14&0x3FFF) + 1
	case "VP8 ":
		return (int(b[26]) | int(b[27])<<8) & 0x3FFF, (int(b[28]) | int(b[29])<<8) & 0x3FFF
	}
	return 0, 0
}
