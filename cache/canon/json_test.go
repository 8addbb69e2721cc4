package canon

import (
	"testing"

	"github.com/weirproxy/weir/wire"
)

func TestNumbers(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "0.0": "0", "0e9": "0", "-0.0e-3": "0", "1": "1", "1.0": "1", "1e0": "1", "10e-1": "1", "0.1e1": "1",
		"100": "1e2", "1E+2": "1e2", "-1.50": "-15e-1", "0.0015": "15e-4", "123": "123", "1.23e2": "123",
		"9007199254740993": "9007199254740993", "1e99999999999": "1e99999999999", "1e-2147483648": "1e-2147483648", "x": "x",
	} {
		if got := string(appendNumber(nil, []byte(in))); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}

func TestCanonicalJSON(t *testing.T) {
	for _, tt := range []struct {
		name, in, written, sorted string
	}{
		{"spaces", " { \"b\" : [ 1.0 , null ] , \"a\" : \"\\u0041\\/\" } ", `{"b":[1,null,],"a":"A/",}`, `{"a":"A/","b":[1,null,],}`},
		{"twice", `{"b":1,"a":2,"a":1}`, `{"b":1,"a":2,"a":1,}`, `{"a":2,"a":1,"b":1,}`},
		{"half a pair", `"\ud800\u0041"`, `"\ud800\u0041"`, `"\ud800\u0041"`},
		{"its replacement", `"\ufffdA"`, `"�A"`, `"�A"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := []byte(tt.in)
			v, err := wire.ParseAnswer(data)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(appendJSON(nil, data, v, asWritten)); got != tt.written {
				t.Errorf("as written %s", got)
			}
			if got := string(appendJSON(nil, data, v, sorted)); got != tt.sorted {
				t.Errorf("sorted %s", got)
			}
		})
	}
}
