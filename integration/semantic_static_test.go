package integration

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirproxy/weir/cache"
	"github.com/weirproxy/weir/integration/weirtest"
)

// putModel puts one of the embedder's golden models into dir.
func putModel(t *testing.T, dir, name string) {
	t.Helper()
	const from = "../cache/static/testdata"
	for to, file := range map[string]string{"model.safetensors": name + ".safetensors", "config.json": name + ".config.json", "tokenizer.json": "tokenizer.json"} {
		data, err := os.ReadFile(filepath.Join(from, file))
		if err != nil {
			t.Fatal(err)
		}
		// As a file is replaced: the old one is not written to.
		if err := os.WriteFile(filepath.Join(dir, "new"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStaticEmbedder holds that requests are compared without a network, and that a
// reload takes the model that is in the folder by then.
func TestStaticEmbedder(t *testing.T) {
	dir := t.TempDir()
	putModel(t, dir, "plain")
	site := "cache semantic {\nembedder static " + dir + "\nthreshold 0.05\n}"
	s := newStage(t, cachedModel, site)
	ask := func(text, want, names string) {
		t.Helper()
		got := s.post(t, "/v1/chat/completions", about(text))
		if _, called := s.called(); got.status != 200 || got.header.Get("X-AI-Cache") != want || called != names {
			t.Errorf("%s: %d %v, called %s", text, got.status, got.header, called)
		}
	}
	ask("how old is the house", "miss", "one")
	ask("how old is the house please", "semantic-hit", "")
	s.reload(t, s.config+cachedModel, site)
	ask("please how old is the house", "semantic-hit", "")
	putModel(t, dir, "whole")
	ask("hi, how old is the house", "semantic-hit", "")
	s.reload(t, s.config+cachedModel, site)
	ask("hello, how old is the house", "miss", "one")
	ask("tell me how old is the house", "semantic-hit", "")
}

// TestMemoryOfBoth holds that the room for answers is what the site says, whatever
// else it looks for.
func TestMemoryOfBoth(t *testing.T) {
	dir := t.TempDir()
	putModel(t, dir, "plain")
	s := newStage(t, cachedModel, "")
	admin := weirtest.FreeAddr(t)
	if err := loadConfig(t, administered(s.Caddyfile("", s.config+cachedModel, "ai_gateway {\ncache exact {\nmax_size 4MiB\n}\ncache semantic {\nembedder static "+dir+"\n}\n}"), admin)); err != nil {
		t.Fatal(err)
	}
	var r cache.Report
	if err := json.Unmarshal(askAdmin(t, admin, http.MethodGet, "/ai/cache", "", http.StatusOK), &r); err != nil {
		t.Fatal(err)
	}
	if r.MaxBytes != 4<<20 {
		t.Errorf("%d bytes", r.MaxBytes)
	}
}

// TestTagsOfBoth holds that answers have the tags of both kinds of cache.
func TestTagsOfBoth(t *testing.T) {
	dir := t.TempDir()
	putModel(t, dir, "plain")
	s := newStage(t, cachedModel, "")
	admin := weirtest.FreeAddr(t)
	if err := loadConfig(t, administered(s.Caddyfile("", s.config+cachedModel, "ai_gateway {\ncache exact {\ntags a\n}\ncache semantic {\nembedder static "+dir+"\ntags b {http.request.header.X-Tag}\n}\n}"), admin)); err != nil {
		t.Fatal(err)
	}
	ask := func(more ...string) string {
		return s.post(t, "/v1/chat/completions", about("how old is the house"), more...).header.Get("X-AI-Cache")
	}
	for _, tag := range []string{"a", "b", "c"} {
		if first, second := ask("X-Tag", "c"), ask(); first != "miss" || second != "hit" {
			t.Errorf("%s, %s", first, second)
		}
		askAdmin(t, admin, http.MethodPost, "/ai/cache/purge", `{"tag":"`+tag+`"}`, http.StatusNoContent)
	}
	if got := ask("X-Tag", "no tag"); got != "miss" {
		t.Errorf("%s after the last purge", got)
	}
	if got := ask("X-Tag", "c"); got != "miss" {
		t.Errorf("%s of an answer whose tags cannot be noted", got)
	}
}

// TestShadow holds that in shadow mode what would have been served is counted, and that
// what is forgotten would not have been.
func TestShadow(t *testing.T) {
	dir := t.TempDir()
	putModel(t, dir, "plain")
	s := newStage(t, cachedModel, "")
	admin := weirtest.FreeAddr(t)
	if err := loadConfig(t, administered(s.Caddyfile("", s.config+cachedModel, "ai_gateway {\ncache semantic {\nembedder static "+dir+"\nthreshold 0.05\nshadow on\n}\n}"), admin)); err != nil {
		t.Fatal(err)
	}
	scraper := newClient(t)
	counted := func() (hits, misses float64) {
		all := scrape(t, scraper, admin)
		return all[`caddy_ai_cache_lookups_total{kind="semantic",result="shadow-hit"}`], all[`caddy_ai_cache_lookups_total{kind="semantic",result="shadow-miss"}`]
	}
	ask := func(text string, hits, misses float64) {
		t.Helper()
		wasHits, wasMisses := counted()
		if got := s.post(t, "/v1/chat/completions", about(text)); got.status != 200 || got.header.Get("X-AI-Cache") != "miss" {
			t.Errorf("%s: %d %v", text, got.status, got.header)
		}
		if nowHits, nowMisses := counted(); nowHits-wasHits != hits || nowMisses-wasMisses != misses {
			t.Errorf("%s: %v hits and %v misses more, want %v and %v", text, nowHits-wasHits, nowMisses-wasMisses, hits, misses)
		}
	}
	ask("how old is the house", 0, 0) // there is none to compare it with
	ask("how old is the house please", 1, 0)
	askAdmin(t, admin, http.MethodPost, "/ai/cache/purge", `{"all":true}`, http.StatusNoContent)
	ask("please how old is the house", 0, 1)
}
