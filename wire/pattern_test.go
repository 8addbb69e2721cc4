package wire_test

import (
	"testing"

	"github.com/weirproxy/weir/internal/jsonscan"
	"github.com/weirproxy/weir/wire"
)

// learned makes a pattern of data with holes where the values of names stand.
func learned(t testing.TB, data string, names ...string) *wire.Pattern {
	t.Helper()
	root, err := jsonscan.Parse([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	var holes []jsonscan.Value
	for _, name := range names {
		holes = append(holes, jsonscan.Lookup([]byte(data), root, name))
	}
	p := new(wire.Pattern)
	p.Learn([]byte(data), holes...)
	return p
}

func TestPattern(t *testing.T) {
	t.Parallel()
	const data = `{"n":1,"text":"a","same":[1],"pad":"x"}`
	p := learned(t, data, "text", "absent", "n", "pad")
	for _, tc := range []struct {
		name, data string
		text, n    string
		ok         bool
	}{
		{"itself", data, `"a"`, `1`, true},
		{"others", `{"n":-2e3,"text":"b\"\u00e9\n","same":[1],"pad":""}`, `"b\"\u00e9\n"`, `-2e3`, true},
		{"empty", `{"n":0,"text":"","same":[1],"pad":"x"}`, `""`, `0`, true},
		{"another member", `{"n":1,"text":"a","same":[2],"pad":"x"}`, "", "", false},
		{"one more", `{"n":1,"text":"a","more":1,"same":[1],"pad":"x"}`, "", "", false},
		{"a member that the text seems to hold", `{"n":1,"text":"a","same":[1],"pad":"x","text":"b"}`, "", "", false},
		{"something behind", data + " ", "", "", false},
		{"cut off", data[:len(data)-1], "", "", false},
		{"cut off in a hole", `{"n":1,"text":"a`, "", "", false},
		{"cut off before a hole", `{"n":`, "", "", false},
		{"another kind", `{"n":1,"text":null,"same":[1],"pad":"x"}`, "", "", false},
		{"no number", `{"n":01,"text":"a","same":[1],"pad":"x"}`, "", "", false},
		{"a bad escape", `{"n":1,"text":"\x","same":[1],"pad":"x"}`, "", "", false},
		{"a control character", "{\"n\":1,\"text\":\"\n\",\"same\":[1],\"pad\":\"x\"}", "", "", false},
		{"nothing", "", "", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v, ok := p.Match([]byte(tc.data))
			if ok != tc.ok {
				t.Fatalf("recognised: %v", ok)
			}
			if !ok {
				return
			}
			if text, n := string(v[0].Raw([]byte(tc.data))), string(v[2].Raw([]byte(tc.data))); text != tc.text || n != tc.n || v[1].Exists() {
				t.Errorf("text %s, n %s, absent %v", text, n, v[1])
			}
		})
	}
}

func TestPatternsThatRecogniseNothing(t *testing.T) {
	t.Parallel()
	const data = `{"a":"x"}`
	long := make([]byte, 8<<10)
	for i := range long {
		long[i] = 'x'
	}
	big := `{"b":"` + string(long) + `","a":"x"}`
	for name, p := range map[string]*wire.Pattern{
		"the zero value":  {},
		"without holes":   learned(t, data),
		"absent holes":    learned(t, data, "b"),
		"too long":        learned(t, big, "a"),
		"too many values": learned(t, data, "a", "a", "a", "a", "a"),
	} {
		for _, in := range []string{data, big, ""} {
			if _, ok := p.Match([]byte(in)); ok {
				t.Errorf("%s: recognised %.20s", name, in)
			}
		}
	}
}

// FuzzPattern holds that what is recognised is valid JSON with those values in
// the holes.
func FuzzPattern(f *testing.F) {
	f.Add(`{"n":2,"text":"b","pad":"y"}`)
	f.Add(`{"n":1,"text":"\"","pad":""}`)
	f.Add(`{"n":1,"text":"a","pad":"x`)
	p := learned(f, `{"n":1,"text":"a","pad":"x"}`, "n", "text", "pad")
	f.Fuzz(func(t *testing.T, in string) {
		data := []byte(in)
		v, ok := p.Match(data)
		if !ok {
			return
		}
		root, err := wire.ParseAnswer(data)
		if err != nil {
			t.Fatalf("%q is recognised: %v", in, err)
		}
		for i, name := range []string{"n", "text", "pad"} {
			if want := jsonscan.Lookup(data, root, name); v[i] != want {
				t.Errorf("%q: %s is %v, want %v", in, name, v[i], want)
			}
		}
	})
}
