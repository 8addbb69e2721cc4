package handlers

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/weirproxy/weir/wire"
)

// withVars gives a request the variables that Caddy's server gives it.
func withVars(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
}

// TestSpool reads back what was written, whether it fits in memory or not,
// and as often as one likes.
func TestSpool(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, tt := range []struct {
		name  string
		write int // bytes at once
		total int
		file  bool
	}{
		{"empty", 1, 0, false},
		{"small", 7, 1000, false},
		{"to the byte", 1 << 10, formMemory, false},
		{"one more", 1<<10 + 1, formMemory + 1<<10 + 1, true},
		{"at once", 3 << 20, 3 << 20, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := make([]byte, tt.total)
			for i := range data {
				data[i] = byte(i * 31 >> 3)
			}
			s := &spool{}
			defer s.close()
			for rest := data; len(rest) > 0; {
				n := min(tt.write, len(rest))
				if _, err := s.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if (s.file != nil) != tt.file || s.memory.Len() > formMemory || s.size != int64(tt.total) {
				t.Errorf("file %v, %d bytes in memory, size %d", s.file != nil, s.memory.Len(), s.size)
			}
			_, _ = io.CopyN(io.Discard, s.reader(), 100)
			got, err := io.ReadAll(s.reader())
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// TestDelimiters counts what begins a line as the boundary does, in whatever
// pieces it comes.
func TestDelimiters(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "--bb": 1, " --bb": 0, "\r\n--bb": 1, "\n--bb\n--bb\r--bb": 3, "--bb--bb": 1, "--b\n--bb--\r\n": 1, "---bb\n---bb": 0, "--bb\r\n\r\n--bbx\n": 2,
	} {
		for size := 1; size <= len(text)+1; size++ {
			d := newDelimiters("bb")
			for rest := []byte(text); len(rest) > 0; {
				n := min(size, len(rest))
				_, _ = d.Write(rest[:n])
				rest = rest[n:]
			}
			if d.count != want {
				t.Errorf("%q by %d: %d, want %d", text, size, d.count, want)
			}
		}
	}
}

// FuzzForm reads forms of any bytes: nothing may panic, and a form that is
// accepted says the same of its model after it has been written anew.
func FuzzForm(f *testing.F) {
	const head = "--b\r\nContent-Disposition: form-data; name="
	for _, seed := range []string{
		head + "\"model\"\r\n\r\nm\r\n--b--\r\n",
		head + "\"file\"; filename=\"a\"\r\n\r\nRIFF\r\n" + head + "model\r\n\r\nm\r\n--b--",
		head + "\"file\"\r\n\r\nRIFF\r\n--b--\r\n",
		head + "\"model\"\r\n\r\nm\r\n" + head + "\"MODEL\"\r\n\r\nn\r\n--b--\r\n",
		head + "\"x\"; name=\"model\"\r\n\r\nm\r\n--b--\r\n", head + "\"model\"; name*=utf-8''x\r\n\r\nm\r\n--b--\r\n", head + "\"file\"\r\n\r\nx\n" + head + "\"model\"\n\nm\n--b--\r\n",
		"--b\r\n\r\n--b--", "--b--\r\n", "", "preamble\r\n--b\nContent-Disposition: form-data; name=model\n\nm\n--b--\nepilogue",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		read := func(data []byte) (*form, error) {
			form := &form{spool: &spool{}, boundary: "b"}
			if _, err := form.spool.Write(data); err != nil {
				t.Fatal(err)
			}
			return form, form.scan(wire.ImageEdit)
		}
		form, err := read(data)
		if err != nil {
			return
		}
		body, length := form.send(form.model)
		if length != int64(len(data)) {
			t.Fatalf("length %d of %d", length, len(data))
		}
		if same, err := io.ReadAll(body); err != nil || !bytes.Equal(same, data) {
			t.Fatalf("the form changed: %q, %v", same, err)
		}
		if form.model == "other" {
			return
		}
		body, _ = form.send("other")
		renamed, err := io.ReadAll(body)
		if err != nil {
			t.Fatalf("writing anew: %v", err)
		}
		again, err := read(renamed)
		if err != nil || again.model != "other" || again.stream != form.stream {
			t.Fatalf("read again: %+v, %v; was %+v; %q", again, err, form, renamed)
		}
	})
}

// TestFormSendClosed lets a transport give up on a form in the middle, which
// must not leave the goroutine that writes it behind; TestMain looks for it.
func TestFormSendClosed(t *testing.T) {
	f := &form{spool: &spool{}, boundary: "b", model: "m"}
	_, _ = f.spool.Write([]byte("--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n" + strings.Repeat("x", 1<<20) + "\r\n--b--\r\n"))
	defer f.spool.close()
	body, _ := f.send("other")
	_, _ = io.CopyN(io.Discard, iotest.OneByteReader(body), 10)
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if _, err := body.Read(make([]byte, 1)); err == nil {
		t.Error("a closed body can be read")
	}
}
