package semantic

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/weirproxy/weir/cache"
)

// rowVersion begins a shared row. Others are not read: an older or newer
// instance wrote them.
const rowVersion = 2

const (
	sumSize  = 16
	rowFixed = 1 + sumSize + 8 + len(cache.Key{}) + 2 + 2
)

// errRow is the error of a row that was changed, cut, or written by another
// version.
var errRow = errors.New("reading a shared row: it is damaged, or of another version")

// appendRow writes a row as instances share it: version, sum, expiry, key, sizes
// of features and vector, features, vector; all little-endian.
func appendRow(dst, secret []byte, p *Partition, row *Row) []byte {
	start := len(dst)
	dst = append(dst, rowVersion)
	dst = append(dst, make([]byte, sumSize)...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(row.Expires.UnixNano()))
	dst = append(dst, row.Key[:]...)
	sizes := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = row.Features.AppendBinary(dst)
	binary.LittleEndian.PutUint16(dst[sizes:], uint16(len(dst)-sizes-4))
	binary.LittleEndian.PutUint16(dst[sizes+2:], uint16(len(row.Vector)))
	for _, v := range row.Vector {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
	}
	written := dst[start:]
	copy(written[1:], rowSum(secret, p, written[1+sumSize:]))
	return dst
}

// readRow reads what appendRow wrote for the same partition.
func readRow(raw, secret []byte, p *Partition) (row Row, err error) {
	if len(raw) < rowFixed || raw[0] != rowVersion || !hmac.Equal(raw[1:1+sumSize], rowSum(secret, p, raw[1+sumSize:])) {
		return row, errRow
	}
	// Without a secret the sum proves nothing about the sizes.
	b := raw[1+sumSize:]
	row.Expires = time.Unix(0, int64(binary.LittleEndian.Uint64(b)))
	b = b[8+copy(row.Key[:], b[8:]):]
	features, dims := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
	if b = b[4:]; len(b) != features+4*dims {
		return row, errRow
	}
	if row.Features, err = UnmarshalFeatures(b[:features]); err != nil {
		return row, err
	}
	row.Vector = make([]float32, dims)
	for i := range row.Vector {
		row.Vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[features+4*i:]))
	}
	return row, nil
}

// rowSum binds a row to its partition: a row that was moved to another one does
// not count there. With a secret only those who have it can write rows.
func rowSum(secret []byte, p *Partition, content []byte) []byte {
	h := sha256.New()
	if len(secret) > 0 {
		h = hmac.New(sha256.New, secret)
	}
	h.Write([]byte("weir semantic row\x00"))
	h.Write(p[:])
	h.Write(content)
	return h.Sum(nil)[:sumSize]
}
