package http1

import (
	"net/http"
	"sync"
)

// Recycler is implemented by the bodies of answers whose memory can be used again.
type Recycler interface {
	// Recycle gives the answer's header back, which then is nil; nobody may have a
	// copy of it, or of its values' slices. The body must have been read to its end or
	// closed. done says that nothing of the request is in use any more either.
	Recycle() (done bool)
}

// fields are the memory of a head's fields.
type fields struct {
	header http.Header
	values []string
}

var allFields = sync.Pool{New: func() any { return new(fields) }}

// mostFields are as many as are kept for later answers.
const mostFields = 64

// of returns an empty header, and room for as many values.
func (f *fields) of(count int) (http.Header, []string) {
	clear(f.header)
	clear(f.values)
	if f.header == nil {
		f.header = make(http.Header, count)
	}
	if cap(f.values) < count {
		f.values = make([]string, count)
	}
	f.values = f.values[:count]
	return f.header, f.values
}

// Recycle implements Recycler.
func (x *exchange) Recycle() (done bool) {
	if f := x.fields; f != nil && x.left.Load() {
		x.fields, x.res.Header = nil, nil
		if cap(f.values) <= mostFields {
			clear(f.header)
			clear(f.values)
			allFields.Put(f)
		}
	}
	return x.parts.Load() == 0
}

// Interface guard.
var _ Recycler = (*exchange)(nil)
