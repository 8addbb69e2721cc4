package jsonscan

import (
	"math"
	"testing"
)

func parse(t *testing.T, body string) Value {
	t.Helper()
	v, err := Parse([]byte(body))
	if err != nil {
		t.Fatalf("Parse(%s): %v", body, err)
	}
	return v
}

func TestText(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"empty", `""`, ""},
		{"plain", `"gpt-4.1"`, "gpt-4.1"},
		{"utf-8", `"Grüße"`, "Grüße"},
		{"invalid utf-8 without escapes is kept", "\"a\xffb\"", "a\xffb"},
		{"invalid utf-8 with escapes is replaced", "\"\\na\xff\xfeb\"", "\na\ufffd\ufffdb"},
		{"simple escapes", `"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t"},
		{"unicode escape", `"\u00e9\u0041"`, "éA"},
		{"surrogate pair", `"\ud83d\ude00!"`, "😀!"},
		{"lone high surrogate", `"\ud83dx"`, "\ufffdx"},
		{"lone high surrogate last", `"\ud83d"`, "\ufffd"},
		{"lone low surrogate", `"\ude00\u0041"`, "\ufffdA"},
		{"two high surrogates", `"\ud83d\ud83d\ude00"`, "\ufffd😀"},
		{"high surrogate and another escape", `"\ud83d\n"`, "\ufffd\n"},
		{"NUL", `"\u0000"`, "\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := parse(t, tt.body)
			scratch := []byte("kept")
			got, ok := v.Text([]byte(tt.body), scratch)
			if !ok || string(got) != tt.want {
				t.Errorf("Text = %q, %v, want %q", got, ok, tt.want)
			}
			if string(scratch) != "kept" {
				t.Errorf("scratch became %q", scratch)
			}
		})
	}
	for _, body := range []string{`1`, `null`, `[]`, `{}`, `true`} {
		if _, ok := parse(t, body).Text([]byte(body), nil); ok {
			t.Errorf("Text of %s", body)
		}
	}
}

func TestIs(t *testing.T) {
	tests := []struct {
		body, s string
		want    bool
	}{
		{`"abc"`, "abc", true},
		{`"abc"`, "ab", false},
		{`"ab"`, "abc", false},
		{`"\u0061bc"`, "abc", true},
		{`"\u0061b"`, "abc", false},
		{`"\u0061bcd"`, "abc", false},
		{`"\u00e9"`, "é", true},
		{`1`, "1", false},
	}
	for _, tt := range tests {
		if got := parse(t, tt.body).Is([]byte(tt.body), tt.s); got != tt.want {
			t.Errorf("%s is %q: %v", tt.body, tt.s, got)
		}
	}
}

func TestInt(t *testing.T) {
	tests := []struct {
		body string
		want int64
		ok   bool
	}{
		{`0`, 0, true},
		{`-0`, 0, true},
		{`-0.0e5`, 0, true},
		{`0e999999999999999999999999`, 0, true},
		{`7`, 7, true},
		{`-12`, -12, true},
		{`1e3`, 1000, true},
		{`1E+3`, 1000, true},
		{`1.0`, 1, true},
		{`1.50e1`, 15, true},
		{`1.5`, 0, false},
		{`15e-1`, 0, false},
		{`150e-1`, 15, true},
		{`10000000000000000000000e-20`, 100, true},
		{`0.000000000000000000001e21`, 1, true},
		{`9223372036854775807`, math.MaxInt64, true},
		{`9223372036854775808`, 0, false},
		{`-9223372036854775808`, math.MinInt64, true},
		{`-9223372036854775809`, 0, false},
		{`9223372036854775807.0`, math.MaxInt64, true},
		{`18446744073709551616`, 0, false},
		{`1e18`, 1e18, true},
		{`1e19`, 0, false},
		{`1e20`, 0, false},
		{`1e999999999999999999999`, 0, false},
		{`1e-999999999999999999999`, 0, false},
		{`99999999999999999999`, 0, false},
		{`"1"`, 0, false},
		{`null`, 0, false},
	}
	for _, tt := range tests {
		got, ok := parse(t, tt.body).Int([]byte(tt.body))
		if got != tt.want || ok != tt.ok {
			t.Errorf("Int(%s) = %d, %v", tt.body, got, ok)
		}
	}
	if _, ok := (Value{}).Int(nil); ok {
		t.Error("Int of an absent value")
	}
}

func TestFloatBoolRaw(t *testing.T) {
	if f, ok := parse(t, `0.7`).Float([]byte(`0.7`)); f != 0.7 || !ok {
		t.Errorf("Float = %v, %v", f, ok)
	}
	for _, body := range []string{`1e400`, `"1"`, `null`} {
		if _, ok := parse(t, body).Float([]byte(body)); ok {
			t.Errorf("Float of %s", body)
		}
	}
	for body, want := range map[string][2]bool{`true`: {true, true}, `false`: {false, true}, `0`: {}, `"true"`: {}} {
		val, ok := parse(t, body).Bool([]byte(body))
		if val != want[0] || ok != want[1] {
			t.Errorf("Bool(%s) = %v, %v", body, val, ok)
		}
	}
	if (Value{}).Raw([]byte("x")) != nil || (Value{}).Exists() {
		t.Error("the zero Value exists")
	}
	if Number.String() != "number" || Kind(99).String() != "unknown" {
		t.Error("Kind.String")
	}
}
