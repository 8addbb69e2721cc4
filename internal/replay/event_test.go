package replay

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		name, stream string
		events       []string
		data         []bool
	}{
		{"none", "", nil, nil},
		{"one", "data: a\n\n", []string{"data: a\n\n"}, []bool{true}},
		{"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", []string{"data: a\r\n\r\n", "data: b\r\n\r\n"}, []bool{true, true}},
		{"named", "event: x\ndata: a\ndata: b\n\nevent: y\ndata:b\n\n", []string{"event: x\ndata: a\ndata: b\n\n", "event: y\ndata:b\n\n"}, []bool{true, true}},
		{"comments", ": keep-alive\n\ndata: a\n\n: b", []string{": keep-alive\n\n", "data: a\n\n", ": b"}, []bool{false, true, false}},
		{"a comment within", ": b\ndata: a\n\n", []string{": b\ndata: a\n\n"}, []bool{true}},
		{"not ended", "data: a\n\ndata: b\n", []string{"data: a\n\n", "data: b\n"}, []bool{true, true}},
		{"no data", "data\n\ndatabase: a\n\nevent: a\n\n", []string{"data\n\n", "database: a\n\n", "event: a\n\n"}, []bool{true, false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var events []string
			var data []bool
			for rest := []byte(tt.stream); len(rest) > 0; {
				var event []byte
				event, rest = Cut(rest)
				events, data = append(events, string(event)), append(data, HasData(event))
			}
			if diff := cmp.Diff(tt.events, events); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.data, data); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzCut cuts any bytes into pieces that are the whole together.
func FuzzCut(f *testing.F) {
	f.Add([]byte("event: x\r\ndata: a\r\n\r\n: b\n\ndata: c"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		var joined []byte
		for rest := stream; len(rest) > 0; {
			var event []byte
			if event, rest = Cut(rest); len(event) == 0 {
				t.Fatal("an empty event")
			}
			joined = append(joined, event...)
			HasData(event)
		}
		if !bytes.Equal(joined, stream) {
			t.Errorf("got %q", joined)
		}
	})
}
