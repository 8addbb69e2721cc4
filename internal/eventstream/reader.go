package eventstream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Reader splits a stream into frames. It is not safe for concurrent use.
type Reader struct {
	src   io.Reader
	limit int
	buf   []byte
	start int // of what has not been handed out
	end   int // of what has been read
	err   error
}

// NewReader returns a reader of src whose frames have at most limit bytes;
// [MaxFrame] if it is not positive.
func NewReader(src io.Reader, limit int) *Reader {
	if limit <= 0 {
		limit = MaxFrame
	}
	return &Reader{src: src, limit: limit}
}

// Next reads the next frame into f. The error is io.EOF at a clean end,
// io.ErrUnexpectedEOF when the stream ends within a frame, one that wraps
// [ErrMalformed], or the source's own; it comes again from then on.
func (r *Reader) Next(f *Frame) error {
	if r.err == nil {
		r.err = r.next(f)
	}
	if r.err != nil {
		*f = Frame{}
	}
	return r.err
}

func (r *Reader) next(f *Frame) error {
	if err := r.fill(preludeSize); err != nil {
		return err
	}
	prelude := r.buf[r.start : r.start+preludeSize]
	total := binary.BigEndian.Uint32(prelude)
	headers := binary.BigEndian.Uint32(prelude[4:])
	// The lengths are believed only after their CRC, else one flipped bit
	// would make the reader wait for gigabytes.
	if crc32.ChecksumIEEE(prelude[:8]) != binary.BigEndian.Uint32(prelude[8:]) {
		return fmt.Errorf("%w: the CRC of the prelude does not match", ErrMalformed)
	}
	if uint64(total) > uint64(r.limit) {
		return fmt.Errorf("%w: %d bytes, more than %d", ErrMalformed, total, r.limit)
	}
	if total < minFrame || headers > maxHeaders || headers > total-minFrame {
		return fmt.Errorf("%w: %d bytes with %d of headers", ErrMalformed, total, headers)
	}
	if err := r.fill(int(total)); err != nil {
		return err
	}
	frame := r.buf[r.start : r.start+int(total)]
	body, crc := frame[:len(frame)-trailerSize], frame[len(frame)-trailerSize:]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(crc) {
		return fmt.Errorf("%w: the CRC of the frame does not match", ErrMalformed)
	}
	r.start += len(frame)
	split := preludeSize + int(headers)
	return f.read(body[preludeSize:split:split], body[split:])
}

// Ready reports whether Next would return a frame without reading.
func (r *Reader) Ready() bool {
	held := r.buf[r.start:r.end]
	return r.err == nil && len(held) >= preludeSize && uint64(len(held)) >= uint64(binary.BigEndian.Uint32(held))
}

// fill reads until n bytes from start are there. The buffer grows with what
// has arrived and not with what is announced.
func (r *Reader) fill(n int) error {
	for idle := 0; r.end-r.start < n; {
		if len(r.buf)-r.start < n && r.start > 0 {
			r.end = copy(r.buf, r.buf[r.start:r.end])
			r.start = 0
		}
		if r.end == len(r.buf) {
			grown := make([]byte, min(max(2*len(r.buf), 8<<10), r.limit+minFrame))
			copy(grown, r.buf[:r.end])
			r.buf = grown
		}
		read, err := r.src.Read(r.buf[r.end:])
		if read < 0 || read > len(r.buf)-r.end {
			return errors.New("reading frame: the source returned an impossible count")
		}
		r.end += read
		if r.end-r.start >= n {
			return nil
		}
		switch {
		case errors.Is(err, io.EOF) && r.end == r.start:
			return io.EOF
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case read == 0:
			if idle++; idle == 100 {
				return io.ErrNoProgress
			}
		default:
			idle = 0
		}
	}
	return nil
}
