package http1

import "errors"

var errChunk = errors.New("malformed chunked encoding")

const (
	maxChunkLine = 4 << 10  // with its extensions
	maxTrailer   = 64 << 10 // all fields together
	maxChunk     = 1 << 56  // another digit does not overflow
)

// chunks takes chunked transfer coding off (RFC 9112, 7.1). It keeps no bytes,
// so that those of many chunks can be decoded where they lie.
type chunks struct {
	state  chunkState
	digits bool  // the size has one
	line   int   // bytes of the line at hand, or of all trailers
	remain int64 // of the chunk's data
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	trailerBegin // of a line
	trailerField
	trailerLF
	lastLF
	chunksDone
)

func (c *chunks) done() bool { return c.state == chunksDone }

// decode writes the data of src to dst, which may begin where src does, and
// returns how much of both it went through: all of src unless dst is full or
// the last chunk has ended.
func (c *chunks) decode(dst, src []byte) (nd, ns int, err error) {
	for ns < len(src) && c.state != chunksDone {
		if c.state != chunkData {
			if !c.step(src[ns]) {
				return nd, ns, errChunk
			}
			ns++
			continue
		}
		n := copy(dst[nd:], src[ns:ns+int(min(c.remain, int64(len(src)-ns)))])
		if n == 0 {
			break
		}
		nd, ns = nd+n, ns+n
		if c.remain -= int64(n); c.remain == 0 {
			c.state = chunkDataCR
		}
	}
	return nd, ns, nil
}

// step takes a byte that is not data. Lines end in CR and LF here: who takes
// less for an end may see other chunks than who does not.
func (c *chunks) step(b byte) bool {
	switch c.state {
	case chunkSize:
		return c.size(b)
	case chunkExtension:
		if c.line++; b == '\r' {
			c.state = chunkSizeLF
		}
		return b != '\n' && c.line <= maxChunkLine
	case chunkSizeLF:
		c.digits, c.line = false, 0
		if c.state = chunkData; c.remain == 0 {
			c.state = trailerBegin
		}
		return b == '\n'
	case chunkDataCR:
		c.state = chunkDataLF
		return b == '\r'
	case chunkDataLF:
		c.state = chunkSize
		return b == '\n'
	case trailerBegin:
		if c.state = trailerField; b == '\r' {
			c.state = lastLF
		}
		return b != '\n'
	case trailerField:
		if c.line++; b == '\r' {
			c.state = trailerLF
		}
		return b != '\n' && c.line <= maxTrailer
	case trailerLF:
		c.state = trailerBegin
		return b == '\n'
	default: // lastLF
		c.state = chunksDone
		return b == '\n'
	}
}

func (c *chunks) size(b byte) bool {
	var digit byte
	switch {
	case '0' <= b && b <= '9':
		digit = b - '0'
	case 'a' <= b && b <= 'f':
		digit = b - 'a' + 10
	case 'A' <= b && b <= 'F':
		digit = b - 'A' + 10
	case !c.digits:
		return false
	case b == '\r':
		c.state = chunkSizeLF
		return true
	case b == ';', b == ' ', b == '\t':
		c.state = chunkExtension
		return true
	default:
		return false
	}
	c.digits = true
	c.line++
	c.remain = c.remain<<4 | int64(digit)
	return c.remain < maxChunk && c.line <= maxChunkLine
}
