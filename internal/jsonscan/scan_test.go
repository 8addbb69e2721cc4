package jsonscan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var testKeys = NewKeys("model", "stream", "max_tokens", "stream_options", "maxOutputTokens")

func scan(t *testing.T, body string) *Object {
	t.Helper()
	var o Object
	if err := Scan([]byte(body), testKeys, DefaultLimits, &o); err != nil {
		t.Fatalf("Scan(%s): %v", body, err)
	}
	return &o
}

func TestScanFindsPolicyKeys(t *testing.T) {
	tests := []struct {
		name, body string
		want       [5]string
		members    int
	}{
		{"empty", `{}`, [5]string{}, 0},
		{"spaces", " \t\r\n{ \n} ", [5]string{}, 0},
		{
			"all", `{"model":"a","stream":true,"max_tokens":7,"stream_options":{"x":[]},"maxOutputTokens":null}`,
			[5]string{`"a"`, `true`, `7`, `{"x":[]}`, `null`},
			5,
		},
		{"loose", "{ \"model\"\n:\t\"a\" ,\r\"stream\" : false }", [5]string{`"a"`, `false`}, 2},
		{
			"nested ones do not count", `{"messages":[{"model":1}],"metadata":{"model":"x","MODEL":"y"},"model":"z"}`,
			[5]string{`"z"`},
			3,
		},
		{"value texts do not count", `{"x":"model","model":"stream"}`, [5]string{`"stream"`}, 2},
		{"unknown members repeat", `{"x":1,"x":2,"X":3,"max_tokens":-1.5e+3}`, [5]string{2: `-1.5e+3`}, 4},
		{"escaped name", `{"\u006dodel":"a","str\u0065am":[1,[2]]}`, [5]string{`"a"`, `[1,[2]]`}, 2},
		{"near misses", `{"models":1,"mode":2,"m\u00f6del":3,"maxtokens":4,"model ":5,"":6}`, [5]string{}, 6},
		{"quotes and escapes in values", `{"a":"\"model\":\\","model":"q\"\\"}`, [5]string{`"q\"\\"`}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := scan(t, tt.body)
			var got [5]string
			for i := range got {
				got[i] = string(o.Get(i).Raw([]byte(tt.body)))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if o.Members != tt.members {
				t.Errorf("Members = %d, want %d", o.Members, tt.members)
			}
			if tt.body[o.Start] != '{' || tt.body[o.End-1] != '}' {
				t.Errorf("object at %d to %d", o.Start, o.End)
			}
		})
	}
}

func TestScanReuse(t *testing.T) {
	o := scan(t, `{"model":"a","max_tokens":1}`)
	body := []byte(`{"stream":true}`)
	if err := Scan(body, NewKeys("stream", "model"), DefaultLimits, o); err != nil {
		t.Fatal(err)
	}
	if !o.Get(0).Exists() || o.Get(1).Exists() || o.Get(2).Exists() || o.Get(-1).Exists() {
		t.Errorf("found %v", o)
	}
	if err := Scan(body, nil, DefaultLimits, o); err != nil || o.Members != 1 {
		t.Errorf("without keys: %v, %d members", err, o.Members)
	}
}

func TestScanDuplicates(t *testing.T) {
	tests := []struct {
		name, body string
		want       *DuplicateError
	}{
		{"twice", `{"model":"a","model":"a"}`, &DuplicateError{"model", "model", 13}},
		{"upper case alone", `{"MODEL":"a"}`, &DuplicateError{"model", "MODEL", 1}},
		{"title case after", `{"model":"a","Model":"b"}`, &DuplicateError{"model", "Model", 13}},
		{"escaped repeat", `{"model":"a","\u006dodel":"b"}`, &DuplicateError{"model", `\u006dodel`, 13}},
		{"escaped first", `{"\u006dodel":"a","model":"b"}`, &DuplicateError{"model", "model", 18}},
		{"escaped variant", `{"\u004dodel":"a"}`, &DuplicateError{"model", `\u004dodel`, 1}},
		{"kelvin sign", "{\"max_to\u212aens\":1}", &DuplicateError{"max_tokens", "max_to\u212aens", 1}},
		{"escaped kelvin sign", `{"max_to\u212Aens":1}`, &DuplicateError{"max_tokens", `max_to\u212Aens`, 1}},
		{"long s", "{\"\u017ftream\":true}", &DuplicateError{"stream", "\u017ftream", 1}},
		{"escaped long s", `{"\u017Ftream_option\u017f":{}}`, &DuplicateError{"stream_options", `\u017Ftream_option\u017f`, 1}},
		{"camel case lowered", `{"maxoutputtokens":1}`, &DuplicateError{"maxOutputTokens", "maxoutputtokens", 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var o Object
			err := Scan([]byte(tt.body), testKeys, DefaultLimits, &o)
			var got *DuplicateError
			if !errors.As(err, &got) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			nested := `{"extra":` + tt.body + `}`
			v := Lookup([]byte(nested), Value{ObjectKind, 0, len(nested)}, "extra")
			if err := ScanObject([]byte(nested), v, testKeys, &o); !errors.As(err, &got) {
				t.Errorf("nested: error %v", err)
			}
		})
	}
}

func TestScanSyntax(t *testing.T) {
	tests := []struct {
		name, body string
		offset     int
		msg        string
	}{
		{"empty", ``, 0, "ends too early"},
		{"spaces only", ` `, 1, "ends too early"},
		{"byte order mark", "\xef\xbb\xbf{}", 0, "byte order mark"},
		{"array", `[]`, 0, "must be a JSON object"},
		{"string", ` "a"`, 1, "must be a JSON object"},
		{"trailing garbage", `{} x`, 3, "after the end"},
		{"two objects", `{}{}`, 2, "after the end"},
		{"NUL after", "{}\x00", 2, "after the end"},
		{"open brace", `{`, 1, "name in quotes"},
		{"unquoted name", `{a:1}`, 1, "name in quotes"},
		{"single quotes", `{'a':1}`, 1, "name in quotes"},
		{"trailing comma", `{"a":1,}`, 7, "name in quotes"},
		{"no colon", `{"a" 1}`, 5, "colon"},
		{"no value", `{"a":}`, 5, "no value"},
		{"cut after colon", `{"a":`, 5, "ends too early"},
		{"cut after value", `{"a":1`, 6, "ends too early"},
		{"no comma", `{"a":1 "b":2}`, 7, "comma"},
		{"wrong bracket", `{"a":[1}`, 7, "comma"},
		{"wrong brace", `{"a":[{]}`, 7, "name in quotes"},
		{"mismatched close", `{"a":[1]]`, 8, "comma"},
		{"array trailing comma", `{"a":[1,]}`, 8, "no value"},
		{"array double comma", `{"a":[1,,2]}`, 8, "no value"},
		{"array leading comma", `{"a":[,1]}`, 6, "no value"},
		{"control in string", "{\"a\":\"x\ny\"}", 7, "control character"},
		{"control late in a long string", "{\"a\":\"" + strings.Repeat("x", 50) + "\x1f\"}", 56, "control character"},
		{"control in name", "{\"a\tb\":1}", 3, "control character"},
		{"open string", `{"a":"x`, 7, "closing quote"},
		{"open long string", `{"a":"` + strings.Repeat("x", 70), 76, "closing quote"},
		{"bad escape", `{"a":"\x"}`, 6, "escape"},
		{"bad escape in a long string", `{"a":"` + strings.Repeat("x", 40) + `\q` + strings.Repeat("x", 40) + `"}`, 46, "escape"},
		{"short unicode escape", `{"a":"\u12"}`, 6, "escape"},
		{"bad unicode escape", `{"a":"\u12g4"}`, 6, "escape"},
		{"backslash last", `{"a":"\`, 6, "escape"},
		{"escaped closing quote", `{"a":"\"}`, 9, "closing quote"},
		{"leading zero", `{"a":01}`, 6, "comma"},
		{"plus", `{"a":+1}`, 5, "no value"},
		{"bare minus", `{"a":-}`, 6, "digit"},
		{"point first", `{"a":.5}`, 5, "no value"},
		{"point last", `{"a":1.}`, 7, "digit"},
		{"empty exponent", `{"a":1e}`, 7, "digit"},
		{"empty signed exponent", `{"a":1e+}`, 8, "digit"},
		{"NaN", `{"a":NaN}`, 5, "no value"},
		{"truth", `{"a":trve}`, 5, "literal"},
		{"cut literal", `{"a":tru`, 5, "literal"},
		{"long literal", `{"a":nulls}`, 9, "comma"},
		{"comment", `{/**/"a":1}`, 1, "name in quotes"},
		{"no-break space", "{\u00a0}", 1, "name in quotes"},
		{"form feed", "{\f}", 1, "name in quotes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var o Object
			err := Scan([]byte(tt.body), testKeys, DefaultLimits, &o)
			var got *SyntaxError
			if !errors.As(err, &got) {
				t.Fatalf("error %v", err)
			}
			if got.Offset != tt.offset || !strings.Contains(got.Error(), tt.msg) {
				t.Errorf("got %v, want %q at %d", got, tt.msg, tt.offset)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	nested := func(n int) string {
		return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	small := Limits{Depth: 3, Nodes: 5, KeyLen: 4, NumberLen: 3}
	tests := []struct {
		name, body string
		lim        Limits
		want       *LimitError
	}{
		{"depth at", nested(3), small, nil},
		{"depth over", nested(4), small, &LimitError{"depth", 3, 7}},
		{"nodes at", `{"a":[1,2,3]}`, small, nil},
		{"nodes over", `{"a":[1,2,3,4]}`, small, &LimitError{"nodes", 5, 12}},
		{"key at", `{"abcd":1}`, small, nil},
		{"key over", `{"abcde":1}`, small, &LimitError{"key length", 4, 1}},
		{"nested key over", `{"a":{"abcde":1}}`, small, &LimitError{"key length", 4, 6}},
		{"number at", `{"a":1e9}`, small, nil},
		{"number over", `{"a":-123}`, small, &LimitError{"number length", 3, 5}},
		{"default depth at", nested(64), Limits{}, nil},
		{"default depth over", nested(65), Limits{}, &LimitError{"depth", 64, 68}},
		{"depth 9,999", nested(9_999), DefaultLimits, &LimitError{"depth", 64, 68}},
		{"depth 1,000,000", nested(1_000_000), DefaultLimits, &LimitError{"depth", 64, 68}},
		{"open depth", strings.Repeat(`{"a":`, 1_000_000), DefaultLimits, &LimitError{"depth", 64, 320}},
		{"deepest settable", nested(1024), Limits{Depth: 5000}, nil},
		{"deeper than settable", nested(1025), Limits{Depth: 5000}, &LimitError{"depth", 1024, 1028}},
		{
			"10 MB of objects", `{"a":[{}` + strings.Repeat(`,{}`, 10<<20/3) + `]}`, DefaultLimits,
			&LimitError{"nodes", 100_000, 6 + 3*99_998},
		},
		{"1 MB number", `{"a":` + strings.Repeat("9", 1<<20) + `}`, DefaultLimits, &LimitError{"number length", 64, 5}},
		{"100 KB key", `{"` + strings.Repeat("k", 100_000) + `":1}`, DefaultLimits, &LimitError{"key length", 256, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var o Object
			var got *LimitError
			err := Scan([]byte(tt.body), testKeys, tt.lim, &o)
			if tt.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.As(err, &got) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestManyKeysStayLinear(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"model":"a"`)
	for i := range 90_000 {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	b.WriteString(`}`)
	if o := scan(t, b.String()); o.Members != 90_001 {
		t.Errorf("%d members", o.Members)
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		body string
		want Value
	}{
		{`null`, Value{Null, 0, 4}},
		{` true `, Value{Bool, 1, 5}},
		{`-0.5e-7`, Value{Number, 0, 7}},
		{`"x"`, Value{String, 0, 3}},
		{"[1,[2,{\"a\":[]}]]\n", Value{Array, 0, 16}},
		{`{"a":{"b":{}}}`, Value{ObjectKind, 0, 14}},
	}
	for _, tt := range tests {
		got, err := Parse([]byte(tt.body))
		if err != nil || got != tt.want {
			t.Errorf("Parse(%s) = %v, %v", tt.body, got, err)
		}
	}
	for _, bad := range []string{``, `[`, `]`, `1 2`, `"`, `{"a":[}`, `[1}`, `tru`} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("Parse(%s) accepts", bad)
		}
	}
	if _, err := ParseLimits([]byte(`[[]]`), Limits{Depth: 1}); err == nil {
		t.Error("the depth limit is ignored")
	}
}

func TestScanObjectNeedsObject(t *testing.T) {
	var o Object
	body := []byte(`{"stream_options":[1]}`)
	err := ScanObject(body, Value{Array, 18, 21}, testKeys, &o)
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || !strings.Contains(err.Error(), "not array") {
		t.Errorf("error %v", err)
	}
}

func TestNewKeysPanics(t *testing.T) {
	for _, names := range [][]string{
		{""}, {"a", "A"}, {"m\u00f6del"}, {`a"b`}, {strings.Repeat("k", 65)}, make([]string, 65),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("NewKeys(%q) does not panic", names)
				}
			}()
			NewKeys(names...)
		}()
	}
	if k := NewKeys("a", "b"); k.Len() != 2 || k.Name(1) != "b" {
		t.Error("Len or Name")
	}
}
