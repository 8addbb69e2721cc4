package form_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproxy/weir/cache/form"
	"github.com/weirproxy/weir/wire"
)

// fill sets every member of v, down to depth results of tools, to something
// that is not zero and that no other member has. A member of a new kind makes it
// fail.
func fill(t testing.TB, v reflect.Value, n *int64, depth int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(string(rune('a'+*n%26)) + string(rune('0'+*n%10)))
	case reflect.Int, reflect.Int64:
		v.SetInt(*n * 1001)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*wire.Result]() && depth == 0 {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n, depth-1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(t, v.Index(i), n, depth)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n, depth)
		}
		switch x := v.Addr().Interface().(type) { // what goes out as JSON
		case *wire.Block:
			x.Type, x.Raw = wire.CallBlock, `{"raw": 1}`
		case *wire.Choice:
			x.LogProbs = `{"content":[]}`
		case *wire.Failure:
			x.Details = `{"a":1}`
		}
	default:
		t.Fatalf("a %s in a canonical answer", v.Type())
	}
}

// TestMarshalIsExact fails as soon as an answer has a member that Marshal does
// not know.
func TestMarshalIsExact(t *testing.T) {
	var full wire.Response
	n := int64(0)
	fill(t, reflect.ValueOf(&full).Elem(), &n, 3)
	for name, res := range map[string]*wire.Response{
		"full":  &full,
		"empty": {},
		"edges": {Created: -1, Choices: []wire.Choice{{Index: 1, Blocks: []wire.Block{{Text: "\x00\xff"}}}}, Usage: wire.Report{Usage: wire.Usage{Input: 1<<63 - 1, Output: -1 << 63}}},
	} {
		data := form.Marshal(res)
		got, err := form.Unmarshal(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(res, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		for i := range data {
			if _, err := form.Unmarshal(data[:i]); err == nil {
				t.Errorf("%s: the first %d of %d bytes are an answer", name, i, len(data))
			}
		}
		data[0]++
		if _, err := form.Unmarshal(data); err == nil {
			t.Errorf("%s: another version is an answer", name)
		}
	}
}

// TestUnmarshalRefuses what encoders would fail on, and what stands behind the
// end.
func TestUnmarshalRefuses(t *testing.T) {
	for name, res := range map[string]*wire.Response{
		"a call of nothing": {Choices: []wire.Choice{{Blocks: []wire.Block{{Type: wire.CallBlock}}}}},
		"no JSON":           {Choices: []wire.Choice{{LogProbs: "{"}}},
		"an image of none":  {Choices: []wire.Choice{{Blocks: []wire.Block{{Type: wire.ImageBlock}}}}},
	} {
		if _, err := form.Unmarshal(form.Marshal(res)); err == nil {
			t.Errorf("%s is an answer", name)
		}
	}
	if _, err := form.Unmarshal(append(form.Marshal(&wire.Response{}), 0)); err == nil {
		t.Error("a byte behind the end is an answer")
	}
}

func TestMarshalRecorded(t *testing.T) {
	for _, rec := range recordings(t) {
		res, err := rec.Decode(0)
		if err != nil {
			continue
		}
		data := form.Marshal(res)
		got, err := form.Unmarshal(data)
		if err != nil {
			t.Fatalf("%s: %v", rec.Name, err)
		}
		if diff := cmp.Diff(res, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", rec.Name, diff)
		}
		if !rec.Stream && len(data) > len(rec.Answer) {
			t.Errorf("%s: %d bytes of %d", rec.Name, len(data), len(rec.Answer))
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for i, rec := range recordings(f) {
		if res, err := rec.Decode(0); err == nil && i%8 == 0 {
			f.Add(form.Marshal(res))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		res, err := form.Unmarshal(data)
		if err != nil {
			return
		}
		again, err := form.Unmarshal(form.Marshal(res))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(res, again); diff != "" {
			t.Error(diff)
		}
	})
}
