package sqlite

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// conn is the connection that rows are added with. It is SQLite's own
// interface: database/sql and its driver take longer for the 45 values of a
// row than SQLite does for the row. It belongs to one goroutine at a time.
type conn struct {
	tls        *libc.TLS
	db         uintptr
	statements []*statement
}

// failure is an error of SQLite's.
type failure struct {
	code    int32 // an extended result code
	message string
}

func (f *failure) Error() string { return fmt.Sprintf("%s (%d)", f.message, f.code) }

// dial opens the database at path, which is there.
func dial(path string) (*conn, error) {
	c := &conn{tls: libc.NewTLS()}
	name, err := libc.CString(path)
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	defer libc.Xfree(c.tls, name)
	db := libc.Xcalloc(c.tls, 1, pointerSize)
	defer libc.Xfree(c.tls, db)
	// One goroutine has it at a time, so that its locks are for nothing.
	rc := lib.Xsqlite3_open_v2(c.tls, name, db, lib.SQLITE_OPEN_READWRITE|lib.SQLITE_OPEN_NOMUTEX, 0)
	c.db = *(*uintptr)(pointer(db))
	if err := c.check(rc); err != nil {
		return nil, errors.Join(err, c.close())
	}
	lib.Xsqlite3_extended_result_codes(c.tls, c.db, 1)
	lib.Xsqlite3_busy_timeout(c.tls, c.db, int32(busyTimeout.Milliseconds()))
	return c, nil
}

const pointerSize = libc.Tsize_t(unsafe.Sizeof(uintptr(0)))

// pointer is where p points to: memory of libc's, which the collector neither
// frees nor moves.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// check makes an error of a result code.
func (c *conn) check(rc int32) error {
	switch rc {
	case lib.SQLITE_OK, lib.SQLITE_DONE, lib.SQLITE_ROW:
		return nil
	}
	f := &failure{code: rc, message: libc.GoString(lib.Xsqlite3_errstr(c.tls, rc))}
	if c.db != 0 {
		f.code = lib.Xsqlite3_extended_errcode(c.tls, c.db)
		f.message = libc.GoString(lib.Xsqlite3_errmsg(c.tls, c.db))
	}
	return f
}

// during runs do, which is interrupted when ctx ends.
func (c *conn) during(ctx context.Context, do func() error) error {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		lib.Xsqlite3_interrupt(c.tls, c.db)
		close(interrupted)
	})
	err := do()
	if !stop() {
		<-interrupted
	}
	return err
}

// prepare compiles a statement, which close ends.
func (c *conn) prepare(text string) (*statement, error) {
	sql, err := libc.CString(text)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(c.tls, sql)
	handle := libc.Xcalloc(c.tls, 1, pointerSize)
	defer libc.Xfree(c.tls, handle)
	if err := c.check(lib.Xsqlite3_prepare_v2(c.tls, c.db, sql, -1, handle, 0)); err != nil {
		return nil, err
	}
	s := &statement{conn: c, handle: *(*uintptr)(pointer(handle))}
	s.values = make([]value, lib.Xsqlite3_bind_parameter_count(c.tls, s.handle))
	c.statements = append(c.statements, s)
	return s, nil
}

// exec runs a statement that has no values.
func (c *conn) exec(text string) error {
	s, err := c.prepare(text)
	if err != nil {
		return err
	}
	return s.run()
}

// changes is how many rows the last statement changed.
func (c *conn) changes() int32 { return lib.Xsqlite3_changes(c.tls, c.db) }

func (c *conn) close() error {
	for _, s := range c.statements {
		s.close()
	}
	c.statements = nil
	rc := int32(lib.SQLITE_OK)
	if c.db != 0 {
		rc = lib.Xsqlite3_close_v2(c.tls, c.db)
		c.db = 0
	}
	c.tls.Close()
	if rc != lib.SQLITE_OK {
		return fmt.Errorf("closing the records: %d", rc)
	}
	return nil
}
