package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strconv"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// form is a multipart body that had to be read before it can be sent on: the
// field that names the model may stand behind the file. The first MiB stays
// in memory, the rest goes to a temporary file.
type form struct {
	spool    *spool
	boundary string
	model    string
	stream   bool

	// fields are the names of all fields, temperature the value of one of
	// them; nil when there is none. unread says that it is there and no number.
	fields      []string
	temperature *float64
	unread      bool
}

// formMemory is how much of a form is kept in memory.
const formMemory = 1 << 20

// maxField bounds a field that is read for its value.
const maxField = 4 << 10

// maxParts bounds the parts of a form.
const maxParts = 1000

// readForm takes in a multipart body and finds its model.
func (c *call) readForm(boundary string) error {
	if multipart.NewWriter(io.Discard).SetBoundary(boundary) != nil {
		return gateway.Invalid("", "the multipart body has no valid boundary (RFC 2046, 5.1.1)")
	}
	limit := c.proxy.MaxUpload
	if c.r.ContentLength > limit {
		return tooLarge("form", "max_upload", limit, c.r.ContentLength)
	}
	f := &form{spool: &spool{}, boundary: boundary}
	c.form = f
	n, err := io.Copy(f.spool, io.LimitReader(c.r.Body, limit+1))
	c.r.Body = http.NoBody
	switch {
	case err != nil:
		return c.readFailed(err)
	case n > limit:
		return tooLarge("form", "max_upload", limit, 0)
	}
	if err := f.scan(c.route.Operation); err != nil {
		return err
	}
	c.x.Update(func() {
		c.x.Model, c.x.Stream = f.model, f.stream
		c.x.Envelope = f.envelope(c.route.Operation)
	})
	return c.proxy.policy.Check(gateway.ScopeSite, "", &c.x.Envelope)
}

// envelope is what policies are checked against.
func (f *form) envelope(op *wire.Operation) wire.Envelope {
	env := wire.Envelope{Operation: op, Model: f.model, Stream: f.stream, Choices: 1, Fields: f.fields}
	env.TemperatureInvalid = f.unread
	if f.temperature != nil {
		env.Temperature, env.HasTemperature = *f.temperature, true
	}
	return env
}

// scan reads the fields that decide, each of which may stand once.
func (f *form) scan(op *wire.Operation) error {
	f.model = op.DefaultModel
	seen := make(map[string]bool)
	found := newDelimiters(f.boundary)
	watched := io.TeeReader(f.spool.reader(), found)
	err := f.parts(watched, func(part *multipart.Part) error {
		name, err := fieldName(part)
		if err != nil {
			return err
		}
		f.fields = append(f.fields, name)
		if !slices.Contains(decisive, name) {
			return nil
		}
		if seen[name] {
			return severalFields(name)
		}
		seen[name] = true
		value, err := io.ReadAll(io.LimitReader(part, maxField+1))
		if err != nil {
			return fmt.Errorf("reading field: %w", err)
		}
		if len(value) > maxField {
			return gateway.Invalid(name, "'%s' is too long", name)
		}
		switch name {
		case "model":
			f.model = string(value)
		case "stream":
			f.stream, _ = strconv.ParseBool(string(value))
		case "temperature":
			t, err := strconv.ParseFloat(string(value), 64)
			if f.unread = err != nil; !f.unread {
				f.temperature = &t
			}
		}
		return nil
	})
	if err == nil {
		_, err = io.Copy(io.Discard, watched) // what stands behind the last part
	}
	var known *gateway.Error
	switch {
	case errors.As(err, &known):
		return known
	case err == nil && found.count != len(f.fields)+1:
		return gateway.Invalid("", "the form's boundary stands in other places than between its parts")
	case err != nil:
		return &gateway.Error{Kind: wire.KindInvalid, Message: "the multipart body is not valid or not complete", Cause: err}
	case f.model == "":
		return gateway.Invalid("model", "missing required parameter: 'model'")
	}
	if err := wire.CheckModel(f.model); err != nil {
		return gateway.AsError(err)
	}
	return nil
}

// parts calls use with each part of the form, which is read from r.
func (f *form) parts(r io.Reader, use func(*multipart.Part) error) error {
	mr := multipart.NewReader(r, f.boundary)
	for i := 0; ; i++ {
		part, err := mr.NextRawPart()
		switch {
		case err == io.EOF && i > 0:
			return nil
		case err != nil:
			return fmt.Errorf("reading part: %w", err)
		case i >= maxParts:
			return gateway.Invalid("", "the form has more than %d parts", maxParts)
		}
		if err := use(part); err != nil {
			return err
		}
	}
}

// contentType names the boundary that the form was read with: what the client has
// written may name another to another parser (RFC 2231).
func (f *form) contentType() string {
	return mime.FormatMediaType("multipart/form-data", map[string]string{"boundary": f.boundary})
}

// send returns the form as it goes upstream: as it came, or, when the model
// has another name there, written anew with the same boundary.
func (f *form) send(model string) (body io.ReadCloser, length int64) {
	if model == f.model {
		return io.NopCloser(f.spool.reader()), f.spool.size
	}
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(f.rewrite(pw, model)) }()
	return pr, -1
}

func (f *form) rewrite(w io.Writer, model string) error {
	mw := multipart.NewWriter(w)
	if err := mw.SetBoundary(f.boundary); err != nil {
		return fmt.Errorf("setting boundary: %w", err)
	}
	named := false
	err := f.parts(f.spool.reader(), func(part *multipart.Part) error {
		out, err := mw.CreatePart(part.Header)
		if err != nil {
			return fmt.Errorf("writing part: %w", err)
		}
		if part.FormName() == "model" {
			named = true
			_, err = io.WriteString(out, model)
		} else {
			_, err = io.Copy(out, part)
		}
		return err
	})
	if err == nil && !named { // the client meant the vendor's default
		err = mw.WriteField("model", model)
	}
	if err != nil {
		return err
	}
	return mw.Close()
}

// spool is a byte sequence of any length in bounded memory.
type spool struct {
	memory bytes.Buffer
	file   *os.File
	size   int64
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	if s.file == nil && s.memory.Len()+len(p) <= formMemory {
		return s.memory.Write(p)
	}
	if s.file == nil {
		file, err := os.CreateTemp("", "weir-form-*")
		if err != nil {
			return 0, fmt.Errorf("creating temporary file: %w", err)
		}
		// Without a name, the file vanishes with the process, however it ends.
		_ = os.Remove(file.Name())
		s.file = file
	}
	return s.file.Write(p)
}

// reader returns a reader from the beginning; readers do not disturb each
// other.
func (s *spool) reader() io.Reader {
	memory := bytes.NewReader(s.memory.Bytes())
	if s.file == nil {
		return memory
	}
	return io.MultiReader(memory, io.NewSectionReader(s.file, 0, s.size-int64(s.memory.Len())))
}

// close gives the temporary file back.
func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}
