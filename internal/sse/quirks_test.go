package sse

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQuirks(t *testing.T) {
	json := `{"a":1}`
	tests := []struct {
		name, stream string
		want         []got
	}{
		{"empty", "", nil},
		{"byte order mark alone", "\ufeff", nil},
		{"half a byte order mark", "\xef\xbb", []got{{Raw: "\xef\xbb", Unknown: true, Partial: true}}},
		{"plain", "data: " + json + "\n\n", []got{{Raw: "data: " + json + "\n\n", Data: json, HasData: true, Clean: true}}},
		{"no space", "data:" + json + "\n\n", []got{{Raw: "data:" + json + "\n\n", Data: json, HasData: true, Clean: true}}},
		{"one space only is dropped", "data:  x\n\n", []got{{Raw: "data:  x\n\n", Data: " x", HasData: true, Clean: true}}},
		{"tab is no space", "data:\tx\n\n", []got{{Raw: "data:\tx\n\n", Data: "\tx", HasData: true, Clean: true}}},
		{"crlf", "data: x\r\n\r\n", []got{{Raw: "data: x\r\n\r\n", Data: "x", HasData: true, Clean: true}}},
		{"lone cr", "data: x\r\rdata: y\r\r", []got{
			{Raw: "data: x\r\r", Data: "x", HasData: true},
			{Raw: "data: y\r\r", Data: "y", HasData: true},
		}},
		{"lone cr, then crlf blank", "data: x\r\r\ndata: y\n\n", []got{
			{Raw: "data: x\r\r", Data: "x", HasData: true},
			{Raw: "data: y\n\n", Data: "y", HasData: true, Clean: true},
		}},
		{"mixed", "data: x\n\r\ndata: y\r\n\ndata: z\r\n\r", []got{
			{Raw: "data: x\n\r\n", Data: "x", HasData: true, Clean: true},
			{Raw: "data: y\r\n\n", Data: "y", HasData: true, Clean: true},
			{Raw: "data: z\r\n\r", Data: "z", HasData: true},
		}},
		{"byte order mark", "\ufeffdata: x\n\n\ufeffdata: y\n\n", []got{
			{Raw: "data: x\n\n", Data: "x", HasData: true},
			{Raw: "\ufeffdata: y\n\n", Unknown: true},
		}},
		{"named", "event: ping\ndata: " + json + "\n\n", []got{
			{Raw: "event: ping\ndata: " + json + "\n\n", Name: "ping", HasName: true, Data: json, HasData: true, Clean: true},
		}},
		{"last name wins", "event: a\ndata: x\nevent:b\n\n", []got{
			{Raw: "event: a\ndata: x\nevent:b\n\n", Name: "b", HasName: true, Data: "x", HasData: true, Clean: true},
		}},
		{"empty name", "event:\ndata: x\n\n", []got{{Raw: "event:\ndata: x\n\n", HasName: true, Data: "x", HasData: true}}},
		{"name without data", "event: ping\n\n", []got{{Raw: "event: ping\n\n", Name: "ping", HasName: true}}},
		{"comment", ": keep\n\n", []got{{Raw: ": keep\n\n", Clean: true}}},
		{"comment before data", ":\ndata: x\n\n", []got{{Raw: ":\ndata: x\n\n", Data: "x", HasData: true, Clean: true}}},
		{"comment with name only", ": x\nevent: a\n\n", []got{{Raw: ": x\nevent: a\n\n", Name: "a", HasName: true}}},
		{"blank lines", "\n\r\n\n", []got{{Raw: "\n"}, {Raw: "\r\n"}, {Raw: "\n"}}},
		{"id", "id: 7\ndata: x\n\n", []got{{Raw: "id: 7\ndata: x\n\n", Data: "x", HasData: true}}},
		{"retry alone", "retry: 3000\n\n", []got{{Raw: "retry: 3000\n\n"}}},
		{"id and comment", "id: 1\n: c\n\n", []got{{Raw: "id: 1\n: c\n\n"}}},
		{"unknown field", "foo: 1\ndata: x\n\n", []got{{Raw: "foo: 1\ndata: x\n\n", Data: "x", HasData: true, Unknown: true}}},
		{"json body", json, []got{{Raw: json, Unknown: true, Partial: true}}},
		{"fields without colon", "data\nevent\nid\n\n", []got{{Raw: "data\nevent\nid\n\n", HasName: true, HasData: true}}},
		{"names are case-sensitive", "Data: x\n\n", []got{{Raw: "Data: x\n\n", Unknown: true}}},
		{"space before the colon", "data : x\n\n", []got{{Raw: "data : x\n\n", Unknown: true}}},
		{"longer field name", "database: x\n\n", []got{{Raw: "database: x\n\n", Unknown: true}}},
		{"empty data", "data:\n\ndata: \n\ndata:   \n\n", []got{
			{Raw: "data:\n\n", HasData: true},
			{Raw: "data: \n\n", HasData: true},
			{Raw: "data:   \n\n", Data: "  ", HasData: true},
		}},
		{"several data lines", "data: a\ndata\ndata:b\n\n", []got{
			{Raw: "data: a\ndata\ndata:b\n\n", Data: "a\n\nb", HasData: true, Clean: true},
		}},
		{"two empty data lines", "data\ndata\n\n", []got{{Raw: "data\ndata\n\n", Data: "\n", HasData: true}}},
		{"colons in the value", "data: a:b: c\n\n", []got{{Raw: "data: a:b: c\n\n", Data: "a:b: c", HasData: true, Clean: true}}},
		{"unicode line ends are text", "data: a\u2028b\u0085c\vd\fe\n\n", []got{
			{Raw: "data: a\u2028b\u0085c\vd\fe\n\n", Data: "a\u2028b\u0085c\vd\fe", HasData: true, Clean: true},
		}},
		{"done", "data: [DONE]\n\n", []got{{Raw: "data: [DONE]\n\n", Data: "[DONE]", HasData: true, Clean: true}}},
		{"done without space", "data:[DONE]\n\n", []got{{Raw: "data:[DONE]\n\n", Data: "[DONE]", HasData: true, Clean: true}}},
		{"done padded", "data: [DONE] \n\ndata:  [DONE]\n\n", []got{
			{Raw: "data: [DONE] \n\n", Data: "[DONE] ", HasData: true},
			{Raw: "data:  [DONE]\n\n", Data: " [DONE]", HasData: true},
		}},
		{"done on two lines", "data: [DONE]\ndata:\n\n", []got{{Raw: "data: [DONE]\ndata:\n\n", Data: "[DONE]\n", HasData: true}}},
		{"done with a name", "event: data\ndata: [DONE]\n\n", []got{
			{Raw: "event: data\ndata: [DONE]\n\n", Name: "data", HasName: true, Data: "[DONE]", HasData: true},
		}},
		{"no blank line", "data: x\n", []got{{Raw: "data: x\n", Data: "x", HasData: true, Partial: true}}},
		{"no line end", "data: a\ndata: x", []got{{Raw: "data: a\ndata: x", Data: "a\nx", HasData: true, Partial: true}}},
		{"cr at the end", "data: x\r", []got{{Raw: "data: x\r", Data: "x", HasData: true, Partial: true}}},
		{"NUL", "data: \x00\n\n", []got{{Raw: "data: \x00\n\n", Data: "\x00", HasData: true, Clean: true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			events := readString(t, tt.stream)
			if diff := cmp.Diff(tt.want, events); diff != "" {
				t.Error(diff)
			}
			sameAsOracle(t, tt.stream, events)
			splitEverywhere(t, tt.stream, events)
		})
	}
}
