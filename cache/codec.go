package cache

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// A sealed answer is
//
//	'W' 'A'  version  kind  key (32)  length of the content (4)  sum (32)  content, by zstd
//
// The sum is over all that is before and after it. Its kind is an HMAC where the
// fleet has a secret, so that whoever can write to the store cannot make answers;
// else it only finds damage. The key, and the scope in the content, make a reply
// that was meant for somebody else no answer.
const (
	magic      = "WA"
	schema     = 1
	kindSum    = 's'
	kindHMAC   = 'h'
	atKey      = 4
	atLength   = atKey + len(Key{})
	atSum      = atLength + 4
	atContent  = atSum + sha256.Size
	lastLength = 1 << 30
)

// slack is how much larger a sealed content may be than the answer's bodies: its
// names and tags.
const slack = 256 << 10

// errSealed is a value that is not the answer that was asked for.
var errSealed = errors.New("opening a kept answer: it is damaged, of another version or not ours")

// codec seals answers. Its encoders and decoders are bounded by how many run at
// once.
type codec struct {
	secret []byte
	limit  int
	zip    *zstd.Encoder
	unzip  *zstd.Decoder
}

// atOnce is how many values are compressed, or decompressed, at a time.
const atOnce = 4

// newCodec opens contents of up to limit bytes.
func newCodec(secret []byte, limit int64) (*codec, error) {
	limit = min(max(limit, 0)+slack, lastLength)
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(atOnce), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("making an encoder: %w", err)
	}
	// The window of a frame may not ask for more memory than its content may.
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(atOnce), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(uint64(limit)))
	if err != nil {
		return nil, fmt.Errorf("making a decoder: %w", err)
	}
	return &codec{secret: secret, limit: int(limit), zip: zip, unzip: unzip}, nil
}

func (c *codec) kind() byte {
	if len(c.secret) > 0 {
		return kindHMAC
	}
	return kindSum
}

// sum is over a sealed value without its sum.
func (c *codec) sum(sealed []byte) []byte {
	h := sha256.New()
	if len(c.secret) > 0 {
		h = hmac.New(sha256.New, c.secret)
	}
	h.Write(sealed[:atSum])
	h.Write(sealed[atContent:])
	return h.Sum(nil)
}

// longest is how long a sealed value may be. What cannot be compressed becomes a
// little longer.
func (c *codec) longest() int { return atContent + c.limit + c.limit/128 + 1024 }

// seal returns what a Remote keeps; nil for what it cannot.
func (c *codec) seal(e *sealed) []byte {
	content, ok := e.append(nil)
	if !ok || len(content) > c.limit {
		return nil
	}
	b := make([]byte, atContent, atContent+len(content)/2+64)
	copy(b, magic)
	b[2], b[3] = schema, c.kind()
	copy(b[atKey:], e.key[:])
	binary.LittleEndian.PutUint32(b[atLength:], uint32(len(content)))
	b = c.zip.EncodeAll(content, b)
	copy(b[atSum:], c.sum(b))
	return b
}

// open reads what seal has written for key and scope.
func (c *codec) open(b []byte, key Key, scope string) (*sealed, error) {
	if len(b) < atContent || string(b[:2]) != magic || b[2] != schema || b[3] != c.kind() || Key(b[atKey:atLength]) != key {
		return nil, errSealed
	}
	if !hmac.Equal(c.sum(b), b[atSum:atContent]) {
		return nil, errSealed
	}
	// Without a secret the length is anybody's word; it is bounded all the same.
	length := int(binary.LittleEndian.Uint32(b[atLength:]))
	if length > c.limit {
		return nil, errSealed
	}
	content, err := c.unzip.DecodeAll(b[atContent:], make([]byte, 0, length))
	if err != nil || len(content) != length {
		return nil, errSealed
	}
	e := &sealed{key: key}
	if !e.read(content) || e.scope != scope {
		return nil, errSealed
	}
	return e, nil
}
