package sqlite

import (
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// statement is a compiled statement. Its values stay bound from one run to the
// next: most of a row are those of the row before, and cost a comparison.
type statement struct {
	conn   *conn
	handle uintptr
	values []value
	next   int   // the value that is bound next
	rc     int32 // of the first value that could not be bound
}

// value is what a parameter is bound to.
type value struct {
	bound  bool
	number int64
	text   string
	memory uintptr // of libc's, which holds text for SQLite
	size   int     // of memory
}

// addNumber binds the next value.
func (s *statement) addNumber(n int64) {
	v := &s.values[s.next]
	s.next++
	if v.bound && v.number == n {
		return
	}
	v.number = n
	s.bound(v, lib.Xsqlite3_bind_int64(s.conn.tls, s.handle, int32(s.next), n))
}

// addText binds the next value.
func (s *statement) addText(text string) {
	v := &s.values[s.next]
	s.next++
	if v.bound && v.text == text {
		return
	}
	if v.memory == 0 || v.size < len(text) {
		v.size = max(2*len(text), 64)
		v.memory = libc.Xrealloc(s.conn.tls, v.memory, libc.Tsize_t(v.size))
		if v.memory == 0 {
			v.size, v.bound = 0, false
			s.fail(lib.SQLITE_NOMEM)
			return
		}
	}
	v.text = text
	copy(unsafe.Slice((*byte)(pointer(v.memory)), v.size), text)
	// No destructor: the memory is the statement's own.
	s.bound(v, lib.Xsqlite3_bind_text(s.conn.tls, s.handle, int32(s.next), v.memory, int32(len(text)), 0))
}

func (s *statement) bound(v *value, rc int32) {
	v.bound = rc == lib.SQLITE_OK
	if !v.bound {
		s.fail(rc)
	}
}

func (s *statement) fail(rc int32) {
	if s.rc == lib.SQLITE_OK {
		s.rc = rc
	}
}

// run runs the statement with its values, to its end.
func (s *statement) run() error {
	rc := s.rc
	s.next, s.rc = 0, lib.SQLITE_OK
	if rc != lib.SQLITE_OK {
		return s.conn.check(rc)
	}
	for rc = lib.SQLITE_ROW; rc == lib.SQLITE_ROW; {
		rc = lib.Xsqlite3_step(s.conn.tls, s.handle)
	}
	err := s.conn.check(rc) // before reset, which forgets the message
	lib.Xsqlite3_reset(s.conn.tls, s.handle)
	return err
}

func (s *statement) close() {
	lib.Xsqlite3_finalize(s.conn.tls, s.handle)
	for i := range s.values {
		libc.Xfree(s.conn.tls, s.values[i].memory)
	}
	s.values = nil
}
