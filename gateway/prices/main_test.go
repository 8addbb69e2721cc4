package prices

import (
	"testing"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func parsed(t testing.TB, words ...string) *Price {
	t.Helper()
	p, err := Parse(words)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
