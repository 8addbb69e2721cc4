package handlers

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"
)

// TestCodings holds that the names of codings are read as RFC 9110 has them, of
// clients' bodies and of upstreams' answers.
func TestCodings(t *testing.T) {
	var packed bytes.Buffer
	zw := gzip.NewWriter(&packed)
	_, _ = zw.Write([]byte("text"))
	_ = zw.Close()
	for name, body := range map[string]string{
		"": "text", "identity": "text", "Identity": "text", "gzip": packed.String(), "GZIP": packed.String(), "x-gzip": packed.String(), "X-Gzip": packed.String(),
	} {
		header := http.Header{"Content-Encoding": {name}}
		src, _, err := plain(bytes.NewReader([]byte(body)), header, 1000)
		if err != nil {
			t.Errorf("a request's %q: %v", name, err)
		} else if got, err := io.ReadAll(src); string(got) != "text" || err != nil {
			t.Errorf("a request's %q: %q, %v", name, got, err)
		}
		src, err = unpack(&http.Response{Header: header, Body: io.NopCloser(bytes.NewReader([]byte(body)))})
		if err != nil {
			t.Errorf("an answer's %q: %v", name, err)
		} else if got, err := io.ReadAll(src); string(got) != "text" || err != nil {
			t.Errorf("an answer's %q: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"br", "deflate", "gzip, gzip", "zstd"} {
		header := http.Header{"Content-Encoding": {name}}
		if _, _, err := plain(bytes.NewReader(packed.Bytes()), header, 1000); err == nil {
			t.Errorf("a request's %q was taken", name)
		}
		if _, err := unpack(&http.Response{Header: header, Body: io.NopCloser(bytes.NewReader(packed.Bytes()))}); err == nil {
			t.Errorf("an answer's %q was taken", name)
		}
	}
}
