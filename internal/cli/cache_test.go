package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/cache"
)

// forgetful is a cache behind an admin endpoint.
type forgetful struct {
	purged []string
	err    error
}

func (f *forgetful) Purge(_ context.Context, tags ...string) error {
	f.purged = append(f.purged, tags...)
	return f.err
}

func (*forgetful) Report() cache.Report {
	return cache.Report{Entries: 3, Bytes: 4096, MaxBytes: 8192, Hits: 5, Misses: 6, Evictions: 7, Rejections: 8, SavedUSD: 1.25}
}

func runCache(t *testing.T, stdin string, args ...string) (out, errs string, err error) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := (&cacheCLI{request: caddycmd.AdminAPIRequest}).command()
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&o)
	cmd.SetErr(&e)
	err = cmd.Execute()
	return o.String(), e.String(), err
}

func TestCachePurge(t *testing.T) {
	for _, tt := range []struct {
		name  string
		args  []string
		err   error
		want  []string
		fails string
	}{
		{"all", []string{"--all"}, nil, []string{"all"}, ""},
		{"a tag", []string{"--tag", "team/7"}, nil, []string{"team/7"}, ""},
		{"a model", []string{"--model", "sim/x"}, nil, []string{"model:sim/x", "target:sim/x"}, ""},
		{"a key", []string{"--key", "ci"}, nil, []string{"key:ci"}, ""},
		{"tags", []string{"--tag", "a", "--tag", "b,c"}, nil, []string{"a", "b,c"}, ""},
		{"models", []string{"--model", "m", "--model", "n"}, nil, []string{"model:m", "model:n"}, ""},
		{"keys", []string{"--key", "ci", "--key", "cd"}, nil, []string{"key:ci", "key:cd"}, ""},
		{"a tag and an empty one", []string{"--tag", "a", "--tag", ""}, nil, nil, "one of tag, model, key and all"},
		{"tags, others not told", []string{"--tag", "a", "--tag", "b"}, errors.New("the store is away"), []string{"a", "b"}, "telling other instances: the store is away"},
		{"nothing", nil, nil, nil, "at least one of the flags"},
		{"an empty tag", []string{"--tag", ""}, nil, nil, "one of tag, model, key and all"},
		{"two", []string{"--all", "--tag", "x"}, nil, nil, "none of the others can be"},
		{"others not told", []string{"--all"}, errors.New("the store is away"), []string{"all"}, "telling other instances: the store is away"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &forgetful{err: tt.err}
			server := httptest.NewServer(cache.AdminHandler(f))
			defer server.Close()
			_, _, err := runCache(t, "", append([]string{"purge", "--address", server.Listener.Addr().String()}, tt.args...)...)
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%v, want %q", err, tt.fails)
			}
			if diff := cmp.Diff(tt.want, f.purged); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestCacheStats(t *testing.T) {
	server := httptest.NewServer(cache.AdminHandler(new(forgetful)))
	defer server.Close()
	address := server.Listener.Addr().String()
	out, _, err := runCache(t, "", "stats", "--address", address)
	if err != nil || strings.Join(strings.Fields(out), " ") != "ENTRIES BYTES MAX BYTES HITS MISSES EVICTIONS REJECTIONS SAVED USD 3 4096 8192 5 6 7 8 1.250000" {
		t.Errorf("%v: %s", err, out)
	}
	out, _, err = runCache(t, "", "stats", "--json", "--address", address)
	var report cache.Report
	if err != nil || json.Unmarshal([]byte(out), &report) != nil || report != new(forgetful).Report() {
		t.Errorf("%v: %s", err, out)
	}
}

// keeping is a gateway that keeps what it has answered.
type keeping struct {
	mu    sync.Mutex
	kept  map[string]bool
	asked []string // path, key, X-AI-Cache
	now   int      // requests at the same time
	most  int
	gate  chan struct{} // nil: nobody waits
}

func (k *keeping) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	k.mu.Lock()
	k.now++
	k.most = max(k.most, k.now)
	refresh := r.Header.Get("X-AI-Cache")
	k.asked = append(k.asked, strings.TrimSpace(r.URL.RequestURI()+" "+r.Header.Get("Authorization")+" "+refresh))
	known := k.kept[string(body)]
	k.mu.Unlock()
	if k.gate != nil {
		<-k.gate
	}
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.now--
	}()
	h := w.Header()
	switch text := string(body); {
	case strings.Contains(text, "refused"):
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"error":{"message":"too \u001b[31mmany\nrequests"}}`)
		return
	case strings.Contains(text, "moved"):
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		return
	case strings.Contains(text, "tools"):
		h.Set("Cache-Status", "weir; fwd=bypass; detail=tools")
		h.Set("X-AI-Cache", "bypass")
	case strings.Contains(text, "nowhere"):
	case strings.Contains(text, "whole"):
		status := "weir; fwd=miss"
		if strings.Contains(text, "stored") {
			status += "; stored"
		} else if strings.Contains(text, "collapsed") {
			status += "; collapsed"
		}
		h.Set("Cache-Status", status)
		h.Set("X-AI-Cache", "miss")
		h.Set("Content-Length", "10")
	case refresh == "refresh":
		h.Set("Cache-Status", "weir; fwd=request; stored")
		h.Set("X-AI-Cache", "bypass")
	case known:
		h.Set("Cache-Status", "weir; hit; ttl=10; detail=exact")
		h.Set("X-AI-Cache", "hit")
	default:
		h.Set("Cache-Status", "weir; fwd=miss")
		h.Set("X-AI-Cache", "miss")
	}
	_, _ = io.WriteString(w, "data: {}\n\n")
	_ = http.NewResponseController(w).Flush()
	if strings.Contains(string(body), "cut") {
		panic(http.ErrAbortHandler)
	}
	k.mu.Lock()
	k.kept[string(body)] = true
	k.mu.Unlock()
}

func TestCacheWarm(t *testing.T) {
	t.Setenv("WEIR_TEST_KEY", "sk-warm")
	batch := func(body string) string {
		return `{"custom_id":"1","method":"POST","url":"/v1/messages?beta=true","body":` + body + `}`
	}
	for _, tt := range []struct {
		name, file string
		args       []string
		sum, errs  string
		fails      string
		asked      []string
	}{
		{"batch input", batch(`{"a":1}`) + "\n\n" + batch(`{"b":1}`), nil, "sent 2, kept already 0, new 2, not kept 0, failed 0", "", "", []string{"/v1/messages?beta=true", "/v1/messages?beta=true"}},
		{"kept already", batch(`{"a":1}`) + "\n" + batch(`{"a":1}`), []string{"--concurrency", "1"}, "sent 2, kept already 1, new 1, not kept 0, failed 0", "", "", nil},
		{"renewed", batch(`{"a":1}`) + "\n" + batch(`{"a":1}`), []string{"--concurrency", "1", "--refresh"}, "sent 2, kept already 0, new 2, not kept 0, failed 0", "", "", []string{"/v1/messages?beta=true  refresh", "/v1/messages?beta=true  refresh"}},
		{"bodies alone", `{"model":"m"}`, []string{"--path", "/v1/chat/completions", "--key-env", "WEIR_TEST_KEY"}, "sent 1, kept already 0, new 1, not kept 0, failed 0", "", "", []string{"/v1/chat/completions Bearer sk-warm"}},
		{"bodies alone without a path", "\n" + `{"model":"m"}`, nil, "sent 1, kept already 0, new 0, not kept 0, failed 1", "line 2: it names no url", "1 of 1 requests left nothing", nil},
		{"an error", batch(`{"refused":1}`), nil, "sent 1, kept already 0, new 0, not kept 0, failed 1", "line 1: answered 429: too [31mmany requests", "1 of 1 requests", nil},
		{"a stream that is cut", batch(`{"cut":1}`), nil, "sent 1, kept already 0, new 0, not kept 0, failed 1", "line 1: reading the answer:", "1 of 1 requests", nil},
		{"a redirect", batch(`{"moved":1}`), nil, "sent 1, kept already 0, new 0, not kept 0, failed 1", "line 1: answered 307", "1 of 1 requests", []string{"/v1/messages?beta=true"}},
		{"a rule", batch(`{"tools":1}`), nil, "sent 1, kept already 0, new 0, not kept 1, failed 0", "line 1: not kept: weir; fwd=bypass; detail=tools", "1 of 1 requests", nil},
		{"a rule, renewed", batch(`{"tools":1}`), []string{"--refresh"}, "sent 1, kept already 0, new 0, not kept 1, failed 0", "line 1: not kept: weir; fwd=bypass; detail=tools", "1 of 1 requests", nil},
		{"no cache", batch(`{"nowhere":1}`), nil, "sent 1, kept already 0, new 0, not kept 1, failed 0", "line 1: not kept: no cache is configured", "1 of 1 requests", nil},
		{"no JSON among others", "nonsense\n" + batch(`{"a":1}`), nil, "sent 2, kept already 0, new 1, not kept 0, failed 1", "line 1: it is no JSON object", "1 of 2 requests", nil},
		{"no object", "[]", nil, "sent 1, kept already 0, new 0, not kept 0, failed 1", "line 1: it is no JSON object", "1 of 1 requests", nil},
		{"a file of Windows", "\ufeff" + batch(`{"a":1}`) + "\r\n" + batch(`{"b":1}`) + "\r\n", nil, "sent 2, kept already 0, new 2, not kept 0, failed 0", "", "", nil},
		{"an answer that is kept", batch(`{"whole stored":1}`), nil, "sent 1, kept already 0, new 1, not kept 0, failed 0", "", "", nil},
		{"one that another has asked for", batch(`{"whole collapsed":1}`), nil, "sent 1, kept already 0, new 1, not kept 0, failed 0", "", "", nil},
		{"one that is not", batch(`{"whole":1}`), nil, "sent 1, kept already 0, new 0, not kept 1, failed 0", "line 1: not kept: its answer is none to be kept: weir; fwd=miss", "1 of 1 requests", nil},
		{"another host", `{"url":"http://127.0.0.1:1/v1","body":{}}`, nil, "sent 1, kept already 0, new 0, not kept 0, failed 1", "is no path", "1 of 1", []string{}},
		{"another host without a scheme", `{"url":"//127.0.0.1:1/v1","body":{}}`, nil, "sent 1, kept already 0, new 0, not kept 0, failed 1", "is no path", "1 of 1", []string{}},
		{"another host behind an at sign", `{"url":"@127.0.0.1:1/v1","body":{}}`, nil, "sent 1, kept already 0, new 0, not kept 0, failed 1", "is no path", "1 of 1", []string{}},
		{"a body that is none", `{"url":"/v1/messages","body":"x"}`, nil, "sent 1, kept already 0, new 0, not kept 0, failed 1", "needs a url and a body", "1 of 1", nil},
		{"another method", `{"method":"GET","url":"/v1/models","body":{}}`, nil, "sent 1, kept already 0, new 0, not kept 0, failed 1", "method 'GET' is not POST", "1 of 1", nil},
		{"too long a line", batch(`{"a":1}`) + "\n" + strings.Repeat("x", maxWarmLine+1), nil, "sent 1, kept already 0, new 1, not kept 0, failed 0", "", "line 2: more than 33554432 bytes", nil},
		{"nothing", "", nil, "sent 0, kept already 0, new 0, not kept 0, failed 0", "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := &keeping{kept: make(map[string]bool)}
			server := httptest.NewServer(k)
			defer server.Close()
			out, errs, err := runCache(t, tt.file, append([]string{"warm", "-", "--url", server.URL + "/"}, tt.args...)...)
			if strings.TrimSpace(out) != tt.sum || !strings.Contains(errs, tt.errs) {
				t.Errorf("%s%s", out, errs)
			}
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("%v, want %q", err, tt.fails)
			}
			if tt.asked != nil {
				if diff := cmp.Diff(tt.asked, append([]string{}, k.asked...)); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
		})
	}
}

// TestCacheWarmIsBounded holds that as many requests run at the same time as may,
// and no more.
func TestCacheWarmIsBounded(t *testing.T) {
	k := &keeping{kept: make(map[string]bool), gate: make(chan struct{})}
	server := httptest.NewServer(k)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "requests.jsonl")
	if err := os.WriteFile(file, []byte(strings.Repeat(`{"model":"m"}`+"\n", 12)), 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		for range 12 {
			k.gate <- struct{}{}
		}
	}()
	out, errs, err := runCache(t, "", "warm", file, "--url", server.URL, "--path", "/v1/chat/completions", "--concurrency", "3", "--json")
	var sum warmSum
	if err != nil || json.Unmarshal([]byte(out), &sum) != nil || sum.Sent != 12 || sum.Failed != 0 {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	if k.most > 3 {
		t.Errorf("%d at the same time", k.most)
	}
}

func TestCacheWarmRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"no url", []string{"warm", "-"}, `required flag(s) "url"`},
		{"no scheme", []string{"warm", "-", "--url", "127.0.0.1:8080"}, "is no base URL"},
		{"a query", []string{"warm", "-", "--url", "http://127.0.0.1/?key=x"}, "is no base URL"},
		{"a path that is none", []string{"warm", "-", "--url", "http://127.0.0.1", "--path", "v1"}, "--path: url 'v1' is no path"},
		{"too many at once", []string{"warm", "-", "--url", "http://127.0.0.1", "--concurrency", "257"}, "--concurrency must be from 1 to 256"},
		{"none at once", []string{"warm", "-", "--url", "http://127.0.0.1", "--concurrency", "0"}, "--concurrency must be from 1 to 256"},
		{"no key", []string{"warm", "-", "--url", "http://127.0.0.1", "--key-env", "WEIR_TEST_NOT_SET"}, "the variable 'WEIR_TEST_NOT_SET' is not set"},
		{"no file", []string{"warm", "nowhere.jsonl", "--url", "http://127.0.0.1"}, "opening the requests"},
	} {
		if _, _, err := runCache(t, "", tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
