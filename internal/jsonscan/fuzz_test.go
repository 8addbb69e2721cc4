package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
)

// fuzzLimits let through everything but nesting, which is bounded by design.
var fuzzLimits = Limits{Depth: maxDepth, Nodes: 1 << 30, KeyLen: 1 << 30, NumberLen: 1 << 30}

func addSeeds(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"model":"a","max_tokens":12,"stream_options":{"include_usage":true}}`,
		`{"model":"a","Model":"b"}`, `{"\u006dodel":"a"}`, "{\"max_to\u212aens\":1}", "{\"\u017ftream\":[1.0,1e3]}",
		`[1,"\ud83d\ude00",{"a":null,"a":[true,false]}]`, "{\"a\":\"\xff\\n\xfe\"}", `{"a":"` + string(bytes.Repeat([]byte(`x\n`), 40)) + `"}`,
		"\xef\xbb\xbf{}", `{"a":1,}`, `[[[[[[]]]]]]`, `"\ud800\ud800\udc00"`, `-0.0e-0`, ` {"stream" : tru } `,
	} {
		f.Add([]byte(s))
	}
	f.Add(chatBody(1 << 10))
	f.Add([]byte(`{"a":"` + strings.Repeat(`words without and é with \"\\]\n\u00e9\ud83d escapes `, 9) + `"}`))
}

// FuzzScan compares with encoding/json: the same inputs are valid, and what Scan
// accepts, a lenient decoder reads the same way.
func FuzzScan(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		var o Object
		err := Scan(body, testKeys, fuzzLimits, &o)
		trimmed := bytes.TrimLeft(body, " \t\r\n")
		valid := json.Valid(body) && trimmed[0] == '{'
		var syntax *SyntaxError
		var dup *DuplicateError
		switch {
		case errors.As(err, &syntax):
			if valid {
				t.Fatalf("refused: %v", err)
			}
			if syntax.Offset < 0 || syntax.Offset > len(body) {
				t.Fatalf("offset %d", syntax.Offset)
			}
			return
		case errors.As(err, &dup):
			if body[dup.Offset] != '"' || !bytes.HasPrefix(body[dup.Offset+1:], []byte(dup.Found)) {
				t.Fatalf("wrong place: %v", dup)
			}
			return
		case err != nil:
			return
		case !valid:
			t.Fatal("accepted")
		}
		var lenient struct {
			Model           json.RawMessage `json:"model"`
			Stream          json.RawMessage `json:"stream"`
			MaxTokens       json.RawMessage `json:"max_tokens"`
			StreamOptions   json.RawMessage `json:"stream_options"`
			MaxOutputTokens json.RawMessage `json:"maxOutputTokens"`
		}
		if err := json.Unmarshal(body, &lenient); err != nil {
			t.Fatal(err)
		}
		for i, want := range []json.RawMessage{
			lenient.Model, lenient.Stream, lenient.MaxTokens,
			lenient.StreamOptions, lenient.MaxOutputTokens,
		} {
			if got := o.Get(i).Raw(body); !bytes.Equal(got, want) {
				t.Fatalf("%s: %s, but a decoder reads %s", testKeys.Name(i), got, want)
			}
		}
		var again Object
		if err := ScanObject(body, Value{ObjectKind, o.Start, o.End}, testKeys, &again); err != nil {
			t.Fatalf("ScanObject: %v", err)
		}
		for i := range testKeys.Len() {
			if again.Get(i) != o.Get(i) || again.Members != o.Members {
				t.Fatalf("ScanObject differs in %s", testKeys.Name(i))
			}
		}
	})
}

// FuzzWalk compares what iteration yields with the tokens of json.Decoder.
func FuzzWalk(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := ParseLimits(body, Limits{Depth: 200, Nodes: 1 << 30, KeyLen: 1 << 30, NumberLen: 1 << 30})
		var limit *LimitError
		if errors.As(err, &limit) {
			return
		}
		if (err == nil) != json.Valid(body) {
			t.Fatalf("Parse says %v", err)
		}
		if err != nil {
			return
		}
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		compare(t, d, body, v)
	})
}

func compare(t *testing.T, d *json.Decoder, body []byte, v Value) {
	t.Helper()
	tok, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch want := tok.(type) {
	case json.Delim:
		if v.Kind == Array {
			for e := range Elements(body, v) {
				compare(t, d, body, e)
			}
		} else {
			for key, val := range Members(body, v) {
				compare(t, d, body, key)
				compare(t, d, body, val)
			}
		}
		if end, err := d.Token(); err != nil || end != closing[want] {
			t.Fatalf("%v closes at %v, %v", want, end, err)
		}
	case json.Number:
		compareNumber(t, body, v, want)
	case string:
		got, ok := v.Text(body, nil)
		if !ok || string([]rune(string(got))) != want {
			t.Fatalf("text %q, want %q", got, want)
		}
		if ok != v.Is(body, string(got)) {
			t.Fatalf("%q is not itself", got)
		}
	case bool:
		if got, ok := v.Bool(body); got != want || !ok {
			t.Fatalf("bool %v, %v", got, ok)
		}
	case nil:
		if v.Kind != Null {
			t.Fatalf("kind %v, want null", v.Kind)
		}
	}
}

var closing = map[json.Delim]json.Token{'[': json.Delim(']'), '{': json.Delim('}')}

func compareNumber(t *testing.T, body []byte, v Value, want json.Number) {
	t.Helper()
	if v.Kind != Number || string(v.Raw(body)) != want.String() {
		t.Fatalf("number %s, want %s", v.Raw(body), want)
	}
	f, ok := v.Float(body)
	if wantF, err := want.Float64(); ok != (err == nil) || (ok && f != wantF) {
		t.Fatalf("Float(%s) = %v, %v", want, f, ok)
	}
	// An exponent of a million digits is one thing for us and minutes for big.
	if i := bytes.IndexAny(v.Raw(body), "eE"); i >= 0 && len(v.Raw(body))-i > 5 {
		return
	}
	r, ok := new(big.Rat).SetString(want.String())
	if !ok {
		t.Fatalf("big.Rat refuses %s", want)
	}
	n, ok := v.Int(body)
	if exact := r.IsInt() && r.Num().IsInt64(); ok != exact || (ok && n != r.Num().Int64()) {
		t.Fatalf("Int(%s) = %d, %v", want, n, ok)
	}
}

// FuzzEdits changes, adds and removes members and reads the result again.
func FuzzEdits(f *testing.F) {
	for _, s := range []string{`{}`, `{"model":1}`, `{"stream":1,"x":[],"model":"a","max_tokens":2}`, "{ \"\\u006dodel\" : 1\n}"} {
		for ops := range 27 {
			f.Add([]byte(s), byte(ops))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, ops byte) {
		var o Object
		if Scan(body, testKeys, fuzzLimits, &o) != nil {
			return
		}
		var changes []Change
		var want [3][]byte
		for i := range want {
			want[i] = o.Get(i).Raw(body)
			switch ops % 3 {
			case 1:
				changes, want[i] = append(changes, Change{Key: i}), nil
			case 2:
				want[i] = []byte(`{"set":true}`)
				changes = append(changes, Change{i, want[i]})
			}
			ops /= 3
		}
		out := Splice(nil, body, o.Edits(body, nil, changes...))
		var after Object
		if err := Scan(out, testKeys, fuzzLimits, &after); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		for i := range want {
			if got := after.Get(i).Raw(out); !bytes.Equal(got, want[i]) {
				t.Fatalf("%s: %s is %s, want %s", out, testKeys.Name(i), got, want[i])
			}
		}
		if !bytes.Equal(after.Get(3).Raw(out), o.Get(3).Raw(body)) {
			t.Fatalf("%s: another member changed", out)
		}
	})
}

// FuzzAppendString checks that any string survives being quoted.
func FuzzAppendString(f *testing.F) {
	f.Add("a\"\\\n\x00é\xff😀")
	f.Add(strings.Repeat("words without and é with \"\\\n\x00] escapes ", 9))
	f.Fuzz(func(t *testing.T, s string) {
		out := AppendString(nil, s)
		v, err := Parse(out)
		if err != nil || v.Kind != String {
			t.Fatalf("%s: %v", out, err)
		}
		if got, _ := v.Text(out, nil); string(got) != string([]rune(s)) {
			t.Fatalf("%q became %q", s, got)
		}
	})
}
