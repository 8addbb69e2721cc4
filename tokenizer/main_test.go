package tokenizer

import (
	"testing"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// encoding returns a loaded encoding.
func encoding(tb testing.TB, name string) *Encoding {
	tb.Helper()
	e, err := ByName(name)
	if err == nil {
		err = e.Load()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return e
}
