package wire_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/anthropic"
	"github.com/weirproxy/weir/wire/openai"
)

// TestTextsAreOfOneRequest has many requests in work at once, some forgotten
// twice: none may see a text of another.
func TestTextsAreOfOneRequest(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				mark := fmt.Sprintf("%d-%d ", g, i)
				text := strings.Repeat(mark, 1000)
				body := []byte(`{"model":"m","messages":[{"role":"user","content":"` + text + `\n"},{"role":"assistant","content":[{"type":"text","text":"` + text + `"}]}]}`)
				var (
					req *wire.Request
					err error
				)
				if i%2 == 0 {
					req, err = openai.Codec{}.DecodeRequest(body)
				} else {
					req, err = anthropic.Codec{}.DecodeRequest(body)
				}
				if err != nil {
					t.Error(err)
					return
				}
				clear(body) // nothing of it is referred to
				again := *req
				if got := req.Messages[0].Blocks[0].Text; got != text+"\n" {
					t.Errorf("%.40q…, want %.40q…", got, text)
				}
				if got := req.Messages[1].Blocks[0].Text; got != text {
					t.Errorf("%.40q…, want %.40q…", got, text)
				}
				if req.Forget(); req.Messages != nil {
					t.Error("a request that was forgotten has messages")
				}
				again.Forget()
			}
		})
	}
	wg.Wait()
}

// TestTextsThatDoNotFit are of bodies whose texts are longer than they.
func TestTextsThatDoNotFit(t *testing.T) {
	for name, spelled := range map[string]string{
		"no UTF-8":     `\n` + strings.Repeat("\xff", 5000),
		"plain":        strings.Repeat("x", 5000),
		"surrogates":   strings.Repeat(`\ud83d`, 1000),
		"many escapes": strings.Repeat(`\n`, 5000),
	} {
		t.Run(name, func(t *testing.T) {
			one := `{"role":"user","content":"` + spelled + `"},{"role":"assistant","content":"` + spelled + `"}`
			body := []byte(`{"messages":[` + one + `]}`)
			doc, ok := wire.RequestDoc(body)
			if !ok {
				t.Fatal("no object")
			}
			v := doc.Get(doc.Root, "messages", "0", "content")
			want := doc.Str(v)
			for range 5 { // more than there is room for
				if got := doc.Long(v); got != want {
					t.Fatalf("%.40q…, want %.40q…", got, want)
				}
			}
		})
	}
}

func TestRequestDoc(t *testing.T) {
	for body, want := range map[string]bool{`{}`: true, " \n{\"a\":{}} \t": true, `[{}]`: false, `null`: false, `"{}"`: false, ``: false} {
		doc, ok := wire.RequestDoc([]byte(body))
		if ok != want {
			t.Errorf("%q: %v", body, ok)
		}
		if ok && string(doc.Root.Raw(doc.Data)) != strings.TrimSpace(body) {
			t.Errorf("%q: root %q", body, doc.Root.Raw(doc.Data))
		}
	}
}
