package flight

import "slices"

// Append puts a piece of the answer, whole events of a stream, on the tape. It is
// the leader's.
func (f *Flight) Append(piece []byte, kind Kind) { f.put(piece, kind, false) }

// Put is Append for a piece that nobody changes any more: it is not copied. It is
// the leader's.
func (f *Flight) Put(piece []byte, kind Kind) { f.put(piece, kind, true) }

func (f *Flight) put(piece []byte, kind Kind, fixed bool) {
	if len(piece) == 0 && kind != Last {
		return
	}
	f.mu.Lock()
	open := !f.closed
	if gone := f.last == nil && f.size > 0; !f.done && (!gone || len(f.readers) > 0) {
		f.putLocked(piece, kind, fixed)
		f.wakeLocked()
	}
	closed := open && f.closed
	f.mu.Unlock()
	if closed {
		f.set.forget(f)
	}
}

func (f *Flight) putLocked(piece []byte, kind Kind, fixed bool) {
	start := f.size
	f.size += int64(len(piece))
	switch {
	case fixed:
		f.addLocked(ofOne(start, piece, kind))
	case f.last != nil && f.last.fits(len(piece)):
		f.last.append(piece, kind)
	default:
		c := newChunk(start, len(piece))
		c.append(piece, kind)
		f.addLocked(c)
	}
}

// addLocked puts a chunk at the end of the tape, which has its size already.
func (f *Flight) addLocked(c *chunk) {
	if c.start == 0 {
		f.first, f.oldest = c, c
	}
	if f.first != nil && (f.size > f.set.limit || !f.countLocked(c)) {
		// Nobody can join any more.
		f.closed, f.first = true, nil
	}
	if f.first == nil {
		f.makeRoomLocked(c)
	}
	for r := range f.readers {
		if r.at == nil && !r.lost {
			r.at = c
		}
	}
	if f.last != nil {
		f.last.next = c
	}
	if f.last = c; f.first == nil && len(f.readers) == 0 {
		f.last = nil
	}
}

// countLocked takes the chunk's memory from the set's budget, if it is there.
func (f *Flight) countLocked(c *chunk) bool {
	if !c.counted && f.set.take(c.cost()) {
		c.counted = true
	}
	return c.counted
}

// makeRoomLocked is for a tape whose beginning is gone, before c is put behind it.
// What everybody has read goes, and so does who is behind by more than a tape may
// be long, or than there is room for.
func (f *Flight) makeRoomLocked(c *chunk) {
	for {
		slowest := c.start
		for r := range f.readers {
			if r.at != nil {
				slowest = min(slowest, r.at.start)
			}
		}
		for f.oldest != nil && f.oldest != c && f.oldest.start < slowest {
			f.oldest = f.releaseLocked(f.oldest)
		}
		if len(f.readers) == 0 {
			f.oldest = f.releaseLocked(c)
			return
		}
		if f.oldest == nil {
			f.oldest = c
		}
		if f.size-slowest <= f.set.limit+largest && f.countLocked(c) {
			return
		}
		if slowest == c.start || f.last != nil && slowest == f.last.start {
			return // nobody is behind
		}
		for r := range f.readers {
			if r.at != nil && r.at.start == slowest {
				r.lost, r.at = true, nil
			}
		}
	}
}

// releaseLocked gives the chunk's memory back, and returns the next one.
func (f *Flight) releaseLocked(c *chunk) *chunk {
	if c.counted {
		c.counted = false
		f.set.give(c.cost())
	}
	return c.next
}

// releaseAllLocked ends the counting, when nobody reads any more.
func (f *Flight) releaseAllLocked() {
	for f.oldest != nil {
		f.oldest = f.releaseLocked(f.oldest)
	}
}

// Body returns all that has been shown and Hidden, in one piece; ok is false if
// its beginning is gone.
func (f *Flight) Body() (body []byte, ok bool) { return f.AppendBody(nil) }

// AppendBody is Body in memory of the caller's: behind what is in it.
func (f *Flight) AppendBody(body []byte) (_ []byte, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == nil {
		return body, false
	}
	body = slices.Grow(body, int(f.size))
	for c := f.first; c != nil; c = c.next {
		from := 0
		for i, end := range c.ends {
			if c.kinds[i] != Own {
				body = append(body, c.data[from:end]...)
			}
			from = int(end)
		}
	}
	return body, true
}
