package cache

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type keeper struct {
	purged []string
	err    error
}

func (k *keeper) Purge(_ context.Context, tags ...string) error {
	k.purged = append(k.purged, tags...)
	return k.err
}

func (*keeper) Report() Report { return Report{Entries: 2, Bytes: 10, MaxBytes: 100, SavedUSD: 0.5} }

func TestAdmin(t *testing.T) {
	for _, tt := range []struct {
		name, method, path, body string
		err                      error
		status                   int
		answer                   string // a part of it
		purged                   []string
	}{
		{"a tag", "POST", "/ai/cache/purge", `{"tag":"team/7"}`, nil, 204, "", []string{"team/7"}},
		{"a model", "POST", "/ai/cache/purge", `{"model":"chat"}`, nil, 204, "", []string{"model:chat"}},
		{"a target", "POST", "/ai/cache/purge", `{"model":"openai/gpt-4.1"}`, nil, 204, "", []string{"model:openai/gpt-4.1", "target:openai/gpt-4.1"}},
		{"a key", "POST", "/ai/cache/purge", `{"key":"ci"}`, nil, 204, "", []string{"key:ci"}},
		{"all", "POST", "/ai/cache/purge", `{"all":true}`, nil, 204, "", []string{"all"}},
		{"nothing", "POST", "/ai/cache/purge", `{}`, nil, 400, "one of tag, model, key and all", nil},
		{"not all", "POST", "/ai/cache/purge", `{"all":false}`, nil, 400, "one of tag, model, key and all", nil},
		{"two things", "POST", "/ai/cache/purge", `{"tag":"a","all":true}`, nil, 400, "one of tag, model, key and all", nil},
		{"an unknown member", "POST", "/ai/cache/purge", `{"tags":"a"}`, nil, 400, "unknown field", nil},
		{"two values", "POST", "/ai/cache/purge", `{"tag":"a"}{}`, nil, 400, "something after", nil},
		{"no body", "POST", "/ai/cache/purge", ``, nil, 400, "reading the body", nil},
		{"a body without end", "POST", "/ai/cache/purge", `{"tag":"` + strings.Repeat("a", maxAdminBody) + `"}`, nil, 400, "too large", nil},
		{"others not told", "POST", "/ai/cache/purge", `{"tag":"a"}`, errors.New("away"), 503, "forgotten here; telling other instances: away", []string{"a"}},
		{"the report", "GET", "/ai/cache", ``, nil, 200, `{"entries":2,"bytes":10,"max_bytes":100,"hits":0,"misses":0,"evictions":0,"rejections":0,"saved_usd":0.5}`, nil},
		{"another method", "GET", "/ai/cache/purge", ``, nil, 405, `{"error":"method GET is not allowed`, nil},
		{"another path", "GET", "/ai/cache/answers", ``, nil, 404, `{"error":"there is nothing at /ai/cache/answers"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := &keeper{err: tt.err}
			w := httptest.NewRecorder()
			AdminHandler(k).ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.answer) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if diff := cmp.Diff(tt.purged, k.purged); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if w.Code == http.StatusOK && w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%v", w.Header())
			}
		})
	}
}
