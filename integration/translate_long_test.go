package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

// TestLongPromptsStayApart sends long prompts through translations at once, whose
// memory is used again: each upstream call has the words of one client, and all
// of them.
func TestLongPromptsStayApart(t *testing.T) {
	const words = 5000
	rig := newTranslation(t, "", "")
	mixed := func(body string) string {
		_, rest, ok := strings.Cut(body, "word-")
		if !ok {
			return "no word"
		}
		mark := "word-" + rest[:len("0-00")]
		if n, all := strings.Count(body, mark), strings.Count(body, "word-"); n != words || all != words {
			return fmt.Sprintf("%d of %d words are %s", n, all, mark)
		}
		return ""
	}
	rig.answers(func(w http.ResponseWriter, r *weirtest.Request) {
		answer := doors[0].answer
		if strings.HasPrefix(r.Path, "/messages") {
			answer = doors[2].answer
		}
		if problem := mixed(string(r.Body)); problem != "" {
			w.WriteHeader(http.StatusBadRequest)
			answer = fmt.Sprintf(`{"error":{"message":%q}}`, problem)
		}
		whole(200, answer)(w, r)
	})
	pairs := [][2]*door{{doors[2], doors[0]}, {doors[0], doors[2]}, {doors[1], doors[2]}, {doors[3], doors[0]}}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 10 {
				pair := pairs[(g+i)%len(pairs)]
				text := strings.Repeat(fmt.Sprintf(`word-%d-%02d\n`, g, i), words)
				path, body := pair[0].to(pair[1], strings.Replace(pair[0].whole, `"hi"`, `"`+text+`"`, 1))
				res, err := http.Post("http://"+rig.Addr+path, "application/json", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK {
					t.Errorf("%s on %s: status %d, %v: %s", pair[0].name, pair[1].name, res.StatusCode, err, clip(string(answer)))
				}
			}
		})
	}
	wg.Wait()
}
