package jsonscan

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSetEdit(t *testing.T) {
	tests := []struct{ name, body, raw, want string }{
		{"replace", `{"a":1,"model":"x","b":2}`, `"yy"`, `{"a":1,"model":"yy","b":2}`},
		{"replace keeps spelling around", "{ \"\\u006dodel\" :\t[1, 2] }", `null`, "{ \"\\u006dodel\" :\tnull }"},
		{"insert", `{"a":1}`, `"m"`, `{"a":1,"model":"m"}`},
		{"insert into empty", `{}`, `"m"`, `{"model":"m"}`},
		{"insert into spaces", `{ }`, `"m"`, `{ "model":"m"}`},
		{"insert before trailing space", "{\"a\":1\n}\n", `"m"`, "{\"a\":1\n,\"model\":\"m\"}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := scan(t, tt.body)
			e := o.SetEdit([]byte(tt.body), 0, "model", []byte(tt.raw))
			if got := string(Splice(nil, []byte(tt.body), []Edit{e})); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDeleteEdit(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"only", `{ "model":1 }`, `{  }`},
		{"first", `{"model":1, "a":2}`, `{ "a":2}`},
		{"last", `{"a":2 , "model":1}`, `{"a":2 }`},
		{"middle", `{"a":2,"model":{"x":1},"b":3}`, `{"a":2,"b":3}`},
		{"absent", `{"a":2}`, `{"a":2}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := scan(t, tt.body)
			e := o.DeleteEdit([]byte(tt.body), 0)
			if got := string(Splice(nil, []byte(tt.body), []Edit{e})); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// Every set of changes to every arrangement of members leaves valid JSON that
// says what was asked for.
func TestEditsCombine(t *testing.T) {
	keys := NewKeys("a", "b", "c")
	bodies := []string{
		`{}`, `{"a":1}`, `{"x":0}`, `{"a":1,"b":2}`, `{"b":2 , "a":1}`, `{"a":1,"b":2,"c":3}`,
		`{"c":3,"x":0,"a":1}`, "{ \"x\":0,\n\"c\":3,\n\"b\":2 }", `{"a":1,"x":0,"b":2,"c":3}`, `{"a":1,"b":2,"x":0,"y":0,"c":3}`,
	}
	raws := []string{"keep", "", "9", `{"n":[1,2]}`}
	for _, body := range bodies {
		for combo := range len(raws) * len(raws) * len(raws) {
			want := map[string]any{}
			if err := json.Unmarshal([]byte(body), &want); err != nil {
				t.Fatal(err)
			}
			var changes []Change
			for i, n := 0, combo; i < 3; i, n = i+1, n/len(raws) {
				switch raw := raws[n%len(raws)]; raw {
				case "keep":
				case "":
					changes = append(changes, Change{Key: i})
					delete(want, keys.Name(i))
				default:
					changes = append(changes, Change{i, []byte(raw)})
					var v any
					_ = json.Unmarshal([]byte(raw), &v)
					want[keys.Name(i)] = v
				}
			}
			var o Object
			if err := Scan([]byte(body), keys, DefaultLimits, &o); err != nil {
				t.Fatal(err)
			}
			edits := o.Edits([]byte(body), nil, changes...)
			out := Splice(nil, []byte(body), edits)
			if pieces := bytes.Join(Pieces(nil, []byte(body), edits), nil); !bytes.Equal(pieces, out) {
				t.Fatalf("%s: in pieces %s", out, pieces)
			}
			got := map[string]any{}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%s with %v: %s: %v", body, changes, out, err)
			}
			a, _ := json.Marshal(want)
			b, _ := json.Marshal(got)
			if string(a) != string(b) {
				t.Fatalf("%s with %v: %s", body, changes, out)
			}
		}
	}
}

func TestSplice(t *testing.T) {
	body := []byte("0123456789")
	edits := []Edit{{0, 0, []byte("<")}, {2, 4, nil}, {6, 6, []byte("a")}, {6, 6, []byte("b")}, {6, 7, []byte("c")}, {10, 10, []byte(">")}}
	got := Splice([]byte("pre:"), body, edits)
	if want := "pre:<0145abc789>"; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := Splice(nil, body, edits); cap(got) != len(got) {
		t.Errorf("length %d, capacity %d", len(got), cap(got))
	}
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(10, func() { Splice(buf, body, edits) }); n != 0 {
		t.Errorf("%v allocations into a buffer with room", n)
	}
	for _, bad := range [][]Edit{{{4, 5, nil}, {2, 3, nil}}, {{2, 5, nil}, {4, 6, nil}}, {{5, 4, nil}}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v does not panic", bad)
				}
			}()
			Splice(nil, body, bad)
		}()
	}
}

func TestAppendString(t *testing.T) {
	texts := []string{"", "plain", "q\"b\\", "\b\f\n\r\t\x00\x1f\x7f", "Grüße 😀 \u2028", "a\xff\xc3b"}
	// Short ones, with something at each place.
	for _, odd := range []string{"\"", "\\", "\x1f", " ", "é", "\xff"} {
		for before := range 20 {
			for after := range 20 {
				texts = append(texts, strings.Repeat("a", before)+odd+strings.Repeat("z", after))
			}
		}
	}
	for _, s := range texts {
		out := AppendString([]byte("x"), s)
		var got string
		if err := json.Unmarshal(out[1:], &got); err != nil {
			t.Fatalf("%q: %s: %v", s, out, err)
		}
		if want := string([]rune(s)); got != want || !utf8.Valid(out) {
			t.Errorf("%q became %q", s, out)
		}
	}
	if got := string(AppendString(nil, "<é>\n\x01")); got != `"<é>\n\u0001"` {
		t.Errorf("got %s", got)
	}
}
