package jsonscan

import (
	"fmt"
	"testing"
)

// TestRooms holds that an object may have any number of keys, also one that was used
// for fewer or for more.
func TestRooms(t *testing.T) {
	var names []string
	var body []byte
	for i := range len(room{}) + 3 {
		names = append(names, fmt.Sprint("k", i))
		body = fmt.Appendf(append(body, ','), `"k%d": %d`, i, i)
	}
	body = append(body, '}')
	body[0] = '{'
	var used Object
	for _, step := range []int{1, -1} {
		for n := 1; n <= len(names); n++ {
			keys := NewKeys(names[:n]...)
			if step < 0 {
				keys = NewKeys(names[:len(names)+1-n]...)
			}
			var fresh Object
			for _, o := range []*Object{&used, &fresh} {
				if err := Scan(body, keys, DefaultLimits, o); err != nil {
					t.Fatal(err)
				}
				for i := range keys.names {
					if got := string(o.Get(i).Raw(body)); got != fmt.Sprint(i) {
						t.Errorf("of %d keys, %s is %q", len(keys.names), names[i], got)
					}
				}
			}
			fresh.Release()
		}
	}
}

// TestRelease holds that an object which was released knows nothing, that its memory
// serves the next one without a trace, and that scanning costs nothing then.
func TestRelease(t *testing.T) {
	var names []string
	for i := range fewKeys + 1 {
		names = append(names, fmt.Sprint("k", i))
	}
	keys := NewKeys(names...)
	var o, other Object
	scan := func(o *Object, body string) {
		if err := Scan([]byte(body), keys, DefaultLimits, o); err != nil {
			t.Fatal(err)
		}
	}
	scan(&o, `{"k0": 1, "k8": 2}`)
	scan(&other, `{"k1": 1}`)
	if o.room == nil || o.room == other.room {
		t.Fatal("two objects share memory")
	}
	o.Release()
	if o.Get(0).Exists() || o.Members != 0 || o.room != nil {
		t.Error("it knows something after its release")
	}
	o.Release()
	if other.Get(1).Raw([]byte(`{"k1": 1}`))[0] != '1' {
		t.Error("the other has lost what it knew")
	}
	body := []byte(`{"k2": 3}`)
	if n := testing.AllocsPerRun(100, func() {
		var o Object
		if err := Scan(body, keys, DefaultLimits, &o); err != nil || o.Get(0).Exists() || !o.Get(2).Exists() || o.Get(8).Exists() {
			t.Error("it knows what another has found")
		}
		o.Release()
	}); n >= 1 { // the race detector has pools forget some
		t.Errorf("%v allocations", n)
	}
}
