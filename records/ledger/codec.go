package ledger

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/weirproxy/weir/wire"
)

// errEncoding says that bytes are no encoded row. Their checksum was good, so
// it is a version that this one cannot read.
var errEncoding = errors.New("decoding row: not the encoding of a row")

// AppendRow appends r's encoding to dst. Each kind of field is preceded by the
// number of its fields: a reader takes those that it knows, and leaves those
// that the writer did not know at their zero.
func AppendRow(dst []byte, r *Row) []byte {
	texts, counts, flags := r.texts(), r.counts(), r.flags()
	dst = binary.AppendVarint(dst, r.Time.UnixMicro())
	dst = binary.AppendUvarint(dst, uint64(len(texts)))
	for _, s := range texts {
		dst = appendText(dst, *s)
	}
	dst = binary.AppendUvarint(dst, uint64(len(counts)))
	for _, n := range counts {
		dst = binary.AppendVarint(dst, *n)
	}
	var bits uint64
	for i, f := range flags {
		if *f {
			bits |= 1 << i
		}
	}
	return binary.AppendUvarint(dst, bits)
}

// DecodeRow is the inverse of AppendRow. The row shares nothing with b.
func DecodeRow(b []byte) (Row, error) {
	var r Row
	d := decoder{b: b, all: string(b)}
	r.Time = time.UnixMicro(d.varint()).UTC()
	texts, counts, flags := r.texts(), r.counts(), r.flags()
	for i := range d.number() {
		s := d.text()
		if i < uint64(len(texts)) {
			*texts[i] = s
		}
	}
	for i := range d.number() {
		n := d.varint()
		if i < uint64(len(counts)) {
			*counts[i] = n
		}
	}
	bits := d.uvarint()
	for i, f := range flags {
		*f = bits&(1<<i) != 0
	}
	if d.bad || r.RequestID == "" {
		return Row{}, errEncoding
	}
	r.Clean()
	return r, nil
}

// AppendProgress appends the encoding of the progress of the request id.
func AppendProgress(dst []byte, id string, p Progress) []byte {
	dst = appendText(dst, id)
	for _, n := range [...]int64{p.Usage.Input, p.Usage.Output, p.Usage.CacheRead, p.Usage.CacheWrite, p.Usage.Reasoning, p.CostNano, p.BytesOut} {
		dst = binary.AppendVarint(dst, n)
	}
	return dst
}

// DecodeProgress is the inverse of AppendProgress.
func DecodeProgress(b []byte) (id string, p Progress, err error) {
	d := decoder{b: b, all: string(b)}
	id = d.text()
	p.Usage = wire.Usage{Input: d.varint(), Output: d.varint(), CacheRead: d.varint(), CacheWrite: d.varint(), Reasoning: d.varint()}
	p.CostNano, p.BytesOut = d.varint(), d.varint()
	if d.bad || id == "" {
		return "", Progress{}, errEncoding
	}
	return id, p, nil
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// decoder reads what appendText and the varints wrote. After the first thing
// that is not there, everything is zero and bad is set.
type decoder struct {
	b   []byte
	all string // what b was at first: texts are parts of it
	bad bool
}

func (d *decoder) fail() {
	d.b, d.bad = nil, true
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

// number is how many fields follow. Each has a byte at least.
func (d *decoder) number() uint64 {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return n
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return ""
	}
	at := len(d.all) - len(d.b)
	s := d.all[at : at+int(n)]
	d.b = d.b[n:]
	return s
}
