package limits

import (
	"strings"
	"testing"
)

// TestStringAllocates holds what a rule's words cost: access logs have them of each
// limit of each request.
func TestStringAllocates(t *testing.T) {
	for _, words := range []string{"requests 60 1m", "tokens 200000 1h on_exceed cut", "usd 12.5 30d", "usd 0.000000001 24h", "usd 5 1M", "concurrency 8 shadow"} {
		r, err := Parse(strings.Fields(words))
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if n := testing.AllocsPerRun(100, func() { got = r.String() }); n > 1 || got != words {
			t.Errorf("%q for %q: %v allocations", got, words, n)
		}
	}
}
