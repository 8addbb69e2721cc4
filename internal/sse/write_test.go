package sse

import (
	"strings"
	"testing"
)

func TestAppendEvent(t *testing.T) {
	tests := []struct{ name, event, data, want string }{
		{"plain", "", `{"a":1}`, "data: {\"a\":1}\n\n"},
		{"done", "", `[DONE]`, "data: [DONE]\n\n"},
		{"named", "ping", `{}`, "event: ping\ndata: {}\n\n"},
		{"several lines", "", "a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n"},
		{"line ends at the end", "", "a\r\n\n\r", "data: a\ndata: \ndata: \ndata: \n\n"},
		{"leading space survives", "", " a", "data:  a\n\n"},
		{"empty", "", "", "data: \n\n"},
		{"forged name", "a\ndata: x", "y", "event: a\ndata: y\n\n"},
		{"forged name with cr", "a\rdata: x", "y", "event: a\ndata: y\n\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(AppendEvent([]byte("x"), tt.event, []byte(tt.data))); got != "x"+tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAppendComment(t *testing.T) {
	for text, want := range map[string]string{
		"":            ":\n\n",
		"heartbeat":   ": heartbeat\n\n",
		"a\nb\r\n\rc": ": a\n: b\n:\n: c\n\n",
	} {
		if got := string(AppendComment([]byte("x"), text)); got != "x"+want {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestManyLineEndsStayLinear(t *testing.T) {
	for _, end := range []string{"\r", "\n", "\r\n"} {
		data := []byte(strings.Repeat(end, 1<<20))
		if n := len(AppendEvent(nil, "", data)); n != 7*(1<<20+1)+1 {
			t.Errorf("%q: %d bytes", end, n)
		}
	}
}
