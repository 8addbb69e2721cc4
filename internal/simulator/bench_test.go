package simulator

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkStream is the cost of a token when nothing waits: load tests need
// the simulator to be cheaper than what they measure.
func BenchmarkStream(b *testing.B) {
	for _, e := range endpoints {
		b.Run(e.name, func(b *testing.B) {
			s := New(Config{OutputTokens: 1000})
			body := `{"model":"tokens-1000","stream":true,"max_tokens":1000,` + hello + `}`
			if e.name == "responses" {
				body = askStream(e.path, "tokens-1000")
			}
			b.ReportAllocs()
			for b.Loop() {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://simulator.invalid"+e.path, strings.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				res, err := s.RoundTrip(req)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, res.Body)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(n)
			}
		})
	}
}
