package mark

import "bytes"

// Reader finds marks in bytes that come in pieces of any size. The zero value
// is ready.
type Reader struct {
	held [Size]byte // the beginning of a mark whose end has not come
	n    int
}

// Feed calls found for each mark that ends in b.
func (r *Reader) Feed(b []byte, found func(Mark)) {
	for r.n > 0 && len(b) > 0 {
		take := min(Size-r.n, len(b))
		copy(r.held[r.n:], b[:take])
		r.n += take
		b = b[take:]
		if r.n < Size {
			return
		}
		if m, ok := parse(r.held[:]); ok {
			found(m)
			r.n = 0
			break
		}
		// What looked like a mark was none, and a real one may begin in it.
		next := bytes.IndexByte(r.held[1:], '@')
		if next < 0 {
			r.n = 0
			break
		}
		r.n = copy(r.held[:], r.held[1+next:])
	}
	for {
		i := bytes.IndexByte(b, '@')
		if i < 0 {
			return
		}
		b = b[i:]
		if len(b) < Size {
			r.n = copy(r.held[:], b)
			return
		}
		if m, ok := parse(b[:Size]); ok {
			found(m)
			b = b[Size:]
		} else {
			b = b[1:]
		}
	}
}

// Reset forgets what was held.
func (r *Reader) Reset() { r.n = 0 }
