package canon

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirproxy/weir/wire"
)

// recorded are requests that were sent to vendors.
type recorded struct {
	name   string
	op     *wire.Operation
	body   []byte
	status int
}

// recordings reads those of operations that have digests. Requests to
// addresses that the front door does not have are left out.
func recordings(t testing.TB) (list []recorded) {
	t.Helper()
	metas, err := filepath.Glob(filepath.Join("..", "..", "integration", "testdata", "fixtures", "*", "*.meta.json"))
	if err != nil || len(metas) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, path := range metas {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var meta struct {
			Status  int
			Request struct {
				Method, URL string
				Body        json.RawMessage
			}
		}
		if err := json.Unmarshal(raw, &meta); err != nil {
			t.Fatal(err)
		}
		address, _, _ := strings.Cut(meta.Request.URL, "?")
		route := wire.Match("POST", address, strings.Contains(path, "anthropic"))
		if body := meta.Request.Body; route.Operation != nil && Knows(route.Operation) && len(body) > 0 && body[0] == '{' {
			name := filepath.Base(filepath.Dir(path)) + "/" + strings.TrimSuffix(filepath.Base(path), ".meta.json")
			list = append(list, recorded{name, route.Operation, body, meta.Status})
		}
	}
	return list
}

// TestRecordedRequests has every recorded request read, in two spellings.
func TestRecordedRequests(t *testing.T) {
	byOp := map[string]int{}
	for _, r := range recordings(t) {
		t.Run(r.name, func(t *testing.T) {
			want, facts, err := Of(r.op, r.body, Options{})
			var failure *wire.Failure
			if r.status >= 400 && errors.As(err, &failure) {
				return // the vendor refused it too
			}
			if r.name == "gemini/embeddings-image-in" && errors.As(err, &failure) {
				return // no canonical place, so it goes on uncached
			}
			if err != nil {
				t.Fatalf("%v: %s", err, r.body)
			}
			byOp[r.op.Name]++
			rng := rand.New(rand.NewPCG(1, uint64(len(r.body))))
			again := respell(rng, r.op, r.body)
			got, other, err := Of(r.op, again, Options{})
			if err != nil || got != want {
				t.Errorf("the digest depends on the spelling (%v):\n%s\n%s", err, r.body, again)
			}
			if facts.LastUser != other.LastUser || facts.Partition != other.Partition {
				t.Error("the facts depend on the spelling")
			}
		})
	}
	for name, least := range map[string]int{"chat": 80, "responses": 20, "messages": 20, "generate_content": 20, "embeddings": 5} {
		if byOp[name] < least {
			t.Errorf("only %d of %s", byOp[name], name)
		}
	}
	t.Log(byOp)
}
