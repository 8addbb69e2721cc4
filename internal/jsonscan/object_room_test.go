package jsonscan

import (
	"fmt"
	"testing"
)

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
