package jsonscan

import (
	"slices"
	"testing"
)

// TestMembersKnowing holds that what is known of one value changes nothing, but
// that its end is taken from there.
func TestMembersKnowing(t *testing.T) {
	body := []byte("{\"a\" : [1,[2]] , \"b\":\"x\",\"c\"\n:\n{\"a\":[1]},\"d\":4 }")
	whole := Value{Kind: ObjectKind, End: len(body)}
	list := func(known Value) (values []Value) {
		for key, v := range MembersKnowing(body, whole, known) {
			values = append(values, key, v)
		}
		return values
	}
	var want []Value
	for key, v := range Members(body, whole) {
		want = append(want, key, v)
	}
	for _, known := range append(slices.Clone(want), Value{}, Lookup(body, whole, "c", "a"), Lookup(body, whole, "a", "1")) {
		if got := list(known); !slices.Equal(got, want) {
			t.Errorf("knowing %v: %v, want %v", known, got, want)
		}
	}
	c := Lookup(body, whole, "c")
	c.End = len(body) - 1
	if got := list(c); !slices.Equal(got, append(slices.Clone(want[:5]), c)) {
		t.Errorf("the end that is given is not taken: %v", got)
	}
	for range MembersKnowing(body, Lookup(body, whole, "b"), Value{}) {
		t.Error("a string has a member")
	}
}

func TestElementsAfter(t *testing.T) {
	body := []byte(`[ {"a":1} , "x"	,[2],3 ]`)
	v := Value{Kind: Array, End: len(body)}
	all := slices.Collect(Elements(body, v))
	if got := slices.Collect(ElementsAfter(body, v, 0)); !slices.Equal(got, all) {
		t.Errorf("%v, want %v", got, all)
	}
	for i, e := range all {
		if got := slices.Collect(ElementsAfter(body, v, e.End)); !slices.Equal(got, all[i+1:]) {
			t.Errorf("after %d elements: %v, want %v", i+1, got, all[i+1:])
		}
	}
	for range ElementsAfter(body, all[0], 0) {
		t.Error("an object has an element")
	}
}
