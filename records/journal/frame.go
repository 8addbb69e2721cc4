package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/weirproxy/weir/records/ledger"
)

// A frame is 3 bytes of mark, its kind, the payload's length and the CRC-32C
// of kind, length and payload, both little-endian, and the payload. The mark's
// first byte is in no UTF-8 text, so that names which clients choose can not
// look like a frame to a reader that looks for the next one.
const (
	mark       = "\xf5WJ"
	headerSize = 12
	maxPayload = 64 << 10
)

// The kinds of frames.
const (
	kindOpen     = 'o' // a row that is not final: the request has begun
	kindProgress = 'p' // what a request has used so far
	kindForget   = 'f' // a request that was not admitted after all
	kindRow      = 'r' // a final row
	kindProbe    = 'x' // nothing
	kindSnapshot = 'b' // what follows are all the requests that are open,
	kindEnd      = 'e' // up to here, this many: what came before says nothing any more
)

type frame struct {
	kind    byte
	payload []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// beginFrame appends a header that endFrame completes.
func beginFrame(dst []byte, kind byte) []byte {
	return append(append(dst, mark...), kind, 0, 0, 0, 0, 0, 0, 0, 0)
}

// endFrame completes the frame that begins at start.
func endFrame(b []byte, start int) []byte {
	f := b[start:]
	binary.LittleEndian.PutUint32(f[4:], uint32(len(f)-headerSize))
	binary.LittleEndian.PutUint32(f[8:], checksum(f))
	return b
}

func checksum(f []byte) uint32 {
	return crc32.Update(crc32.Checksum(f[3:8], castagnoli), castagnoli, f[headerSize:])
}

func appendRow(dst []byte, kind byte, row *ledger.Row) []byte {
	start := len(dst)
	return endFrame(ledger.AppendRow(beginFrame(dst, kind), row), start)
}

func appendProgress(dst []byte, id string, p ledger.Progress) []byte {
	start := len(dst)
	return endFrame(ledger.AppendProgress(beginFrame(dst, kindProgress), id, p), start)
}

func appendForget(dst []byte, id string) []byte {
	start := len(dst)
	return endFrame(ledger.AppendProgress(beginFrame(dst, kindForget), id, ledger.Progress{}), start)
}

func appendMark(dst []byte, kind byte, count int) []byte {
	start := len(dst)
	return endFrame(binary.AppendUvarint(beginFrame(dst, kind), uint64(count)), start)
}

// appendProbe appends a frame that says nothing, of the size of a block.
func appendProbe(dst []byte) []byte {
	start := len(dst)
	return endFrame(append(beginFrame(dst, kindProbe), make([]byte, 4096-headerSize)...), start)
}

// scan finds the first whole frame in b. skip bytes before it are none; n is
// its size with its header. Without a frame n is 0 and skip says how much of b
// can be given up: not what could be the begin of a frame, unless b is all
// that there is.
func scan(b []byte, all bool) (f frame, skip, n int) {
	for {
		i := bytes.Index(b[skip:], []byte(mark))
		if i < 0 {
			if all {
				return f, len(b), 0
			}
			return f, max(skip, len(b)-len(mark)+1), 0
		}
		skip += i
		rest := b[skip:]
		if len(rest) >= headerSize {
			length := int(binary.LittleEndian.Uint32(rest[4:]))
			switch {
			case length > maxPayload:
				skip++
				continue
			case len(rest) >= headerSize+length:
				n = headerSize + length
				if checksum(rest[:n]) == binary.LittleEndian.Uint32(rest[8:]) {
					return frame{rest[3], rest[headerSize:n]}, skip, n
				}
				skip++
				continue
			}
		}
		if !all {
			return f, skip, 0
		}
		skip++
	}
}

const window = 4 * (maxPayload + headerSize)

// reader reads the frames of a segment from off to limit.
type reader struct {
	file       io.ReaderAt
	off, limit int64 // off is that of buf[0]
	buf        []byte
	room       []byte // what buf is a part of; that of a reader before, if any

	// skipped counts bytes that were in no frame, gaps the places where they
	// were.
	skipped int64
	gaps    int
	inGap   bool
}

// next returns the next whole frame, whose payload is valid until the next
// call, or io.EOF.
func (r *reader) next() (frame, error) {
	for {
		all := r.off+int64(len(r.buf)) >= r.limit
		f, skip, n := scan(r.buf, all)
		r.skipped += int64(skip)
		if skip > 0 && !r.inGap {
			r.gaps++
		}
		r.inGap = (skip > 0 || r.inGap) && n == 0
		r.off += int64(skip + n)
		r.buf = r.buf[skip+n:]
		if n > 0 {
			return f, nil
		}
		if all {
			return frame{}, io.EOF
		}
		if err := r.fill(); err != nil {
			return frame{}, err
		}
	}
}

// offset is where the next frame is looked for.
func (r *reader) offset() int64 { return r.off }

func (r *reader) fill() error {
	if size := int(min(r.limit-r.off, window)); cap(r.room) < size {
		r.room = make([]byte, size)
	} else {
		r.room = r.room[:size]
	}
	buf := r.room
	have := copy(buf, r.buf)
	n, err := r.file.ReadAt(buf[have:], r.off+int64(have))
	r.buf = buf[:have+n]
	if errors.Is(err, io.EOF) && n == 0 {
		// Shorter than it was: what is missing will not come.
		r.limit = r.off + int64(have)
		return nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
