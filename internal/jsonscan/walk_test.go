package jsonscan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestElements(t *testing.T) {
	tests := []struct {
		body string
		want []string
	}{
		{`[]`, nil},
		{`[ ]`, nil},
		{`[1,"a,]",[2,[3]],{"x":[4]}, null ,true,-1.5e3]`, []string{`1`, `"a,]"`, `[2,[3]]`, `{"x":[4]}`, `null`, `true`, `-1.5e3`}},
		{"[\n1\t]", []string{`1`}},
		{`{"a":1}`, nil},
		{`"x"`, nil},
	}
	for _, tt := range tests {
		var got []string
		for e := range Elements([]byte(tt.body), parse(t, tt.body)) {
			got = append(got, string(e.Raw([]byte(tt.body))))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.body, diff)
		}
	}
}

func TestMembers(t *testing.T) {
	body := `{ "a" : 1 ,"b\"":{"c":"}"},"a":[ ] }`
	var got []string
	for key, val := range Members([]byte(body), parse(t, body)) {
		got = append(got, string(key.Raw([]byte(body))), string(val.Raw([]byte(body))), val.Kind.String())
	}
	want := []string{`"a"`, `1`, "number", `"b\""`, `{"c":"}"}`, "object", `"a"`, `[ ]`, "array"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for range Members([]byte(`[1]`), Value{Array, 0, 3}) {
		t.Error("members of an array")
	}
}

func TestIterationStops(t *testing.T) {
	body := []byte(`[1,2,3]`)
	n := 0
	for range Elements(body, Value{Array, 0, 7}) {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d elements", n)
	}
}

func TestLookup(t *testing.T) {
	body := `{"id":"x","choices":[{"delta":{"content":"a"}},{"d\u0065lta":{"content":"b"}}],"usage":null,"usage":1}`
	tests := []struct {
		path []string
		want string
	}{
		{nil, body},
		{[]string{"id"}, `"x"`},
		{[]string{"choices", "0", "delta", "content"}, `"a"`},
		{[]string{"choices", "1", "delta", "content"}, `"b"`},
		{[]string{"choices", "2"}, ``},
		{[]string{"choices", "-1"}, ``},
		{[]string{"choices", "x"}, ``},
		{[]string{"usage"}, `null`},
		{[]string{"usage", "x"}, ``},
		{[]string{"ID"}, ``},
	}
	for _, tt := range tests {
		if got := string(Lookup([]byte(body), parse(t, body), tt.path...).Raw([]byte(body))); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.path, got, tt.want)
		}
	}
}

// A caller that walks bytes nobody validated gets nonsense, never a panic or an
// endless loop.
func TestWalkSurvivesUnvalidated(t *testing.T) {
	for _, body := range []string{`[`, `[1`, `[[[`, `["`, `["\`, `[tru`, `{"a`, `{"a"`, `{"a":`, `{1:2}`, `[}`, `[@]`, `{"\u`} {
		for _, kind := range []Kind{Array, ObjectKind} {
			n := 0
			for range Elements([]byte(body), Value{kind, 0, len(body)}) {
				n++
			}
			for range Members([]byte(body), Value{kind, 0, len(body)}) {
				n++
			}
			if n > len(body) {
				t.Errorf("%s: %d values", body, n)
			}
			Lookup([]byte(body), Value{kind, 0, len(body)}, "a")
		}
	}
}

func TestNoAllocations(t *testing.T) {
	body := chatBody(2 << 10)
	var o Object
	if err := Scan(body, chatKeys, DefaultLimits, &o); err != nil {
		t.Fatal(err)
	}
	root := Value{ObjectKind, o.Start, o.End}
	number := []byte(`12.5e-3`)
	escaped := []byte(`{"m\u006fdel":"a\nb","N":1}`)
	scratch := make([]byte, 0, 64)
	tests := map[string]func(){
		"Scan":   func() { _ = Scan(body, chatKeys, DefaultLimits, &o) },
		"Parse":  func() { _, _ = Parse(body) },
		"Lookup": func() { Lookup(body, root, "tools", "0", "function", "name") },
		"Float":  func() { Value{Number, 0, len(number)}.Float(number) },
		"Text":   func() { Value{String, 14, 20}.Text(escaped, scratch) },
		"ScanObject": func() {
			_ = ScanObject(body, o.Get(2), optionKeys, &inner)
		},
		"iteration": func() {
			for m := range Elements(body, o.Get(9)) {
				for key, val := range Members(body, m) {
					if key.Is(body, "role") {
						sink += uint64(val.Start)
					}
				}
			}
		},
	}
	for name, f := range tests {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

var (
	optionKeys = NewKeys("include_usage")
	inner      Object
)

func TestDeepIterationNeedsNoStack(t *testing.T) {
	body := []byte(strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20))
	n := 0
	for e := range Elements(body, Value{Array, 0, len(body)}) {
		n += e.End - e.Start
	}
	if n != len(body)-2 {
		t.Errorf("%d bytes", n)
	}
}
