package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirproxy/weir/integration/weirtest"
	"github.com/weirproxy/weir/internal/inflight"
)

// keyed opens n streams with a key; it is openStreams with a credential.
func keyed(t *testing.T, url, secret string, n int) []*openStream {
	t.Helper()
	client := newClient(t)
	client.Transport = bearing{client.Transport, secret}
	return openStreams(t, client, url, "chat", n)
}

// bearing sends a key with every request.
type bearing struct {
	http.RoundTripper
	secret string
}

func (b bearing) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+b.secret)
	return b.RoundTripper.RoundTrip(req)
}

// wantRevoked reads streams to their ends: within five seconds, with an error
// event that says why, no terminator, and abnormally.
func wantRevoked(t *testing.T, streams []*openStream, says string) {
	t.Helper()
	for _, s := range streams {
		// An upper bound that is the promise itself, and what a busy machine takes.
		hung := time.AfterFunc(5*time.Second+grace, func() { _ = s.res.Body.Close() })
		rest, err := io.ReadAll(s.res.Body)
		if !hung.Stop() {
			t.Fatalf("stream %d goes on", s.n)
		}
		_ = s.res.Body.Close()
		if err == nil {
			t.Errorf("stream %d ended normally", s.n)
		}
		want := fmt.Sprintf(`data: {"error":{"message":"the API key %s","type":"invalid_request_error","param":null,"code":"invalid_api_key"`, says)
		if !strings.Contains(string(rest), want) || strings.Contains(string(rest), "[DONE]") {
			t.Errorf("stream %d: the end is %q, want %q", s.n, rest, want)
		}
	}
}

// TestRevokedKeysStreamsEnd holds that the open streams of a key end when the
// key does, whatever ends it, and nobody else's.
func TestRevokedKeysStreamsEnd(t *testing.T) {
	const n = 3
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	t.Setenv("OTHER_KEY", "a-secret-of-other-1")
	t.Setenv("NEW_KEY", "a-secret-of-ci-0002")
	const other = "key other {env.OTHER_KEY}\n"
	ci := func(secret, inside string) string { return fmt.Sprintf("key ci {env.%s} {\n%s\n}\n", secret, inside) }
	for _, tt := range []struct {
		name, before, after string
		says                string
		change              func(t *testing.T, file, admin string)
	}{
		{name: "removed from the configuration", before: ci("CI_KEY", ""), says: "was revoked"},
		{name: "disabled in the configuration", before: ci("CI_KEY", ""), after: ci("CI_KEY", "disabled"), says: "was revoked"},
		{name: "expired in the configuration", before: ci("CI_KEY", ""), after: ci("CI_KEY", "expires 2020-01-01T00:00:00Z"), says: "has expired"},
		{name: "another secret in the configuration", before: ci("CI_KEY", ""), after: ci("NEW_KEY", ""), says: "was revoked"},
		{name: "another pepper", before: "key_pepper {env.CI_KEY}\n" + ci("CI_KEY", ""), after: "key_pepper {env.NEW_KEY}\n", says: "was revoked"},
		{name: "removed from the file", says: "was revoked", change: func(t *testing.T, file, _ string) {
			if err := os.WriteFile(file, []byte(`{"version":1,"keys":[]}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "revoked by an administrator", says: "was revoked", change: func(t *testing.T, _, admin string) {
			askAdmin(t, admin, http.MethodDelete, "/ai/keys/app", "", http.StatusNoContent)
		}},
		{name: "disabled by an administrator", says: "was revoked", change: func(t *testing.T, _, admin string) {
			askAdmin(t, admin, http.MethodPatch, "/ai/keys/app", `{"disabled":true}`, http.StatusOK)
		}},
		{name: "rotated without an overlap", says: "was revoked", change: func(t *testing.T, _, admin string) {
			askAdmin(t, admin, http.MethodPost, "/ai/keys/app/rotate", `{"overlap":"0s"}`, http.StatusOK)
		}},
		{name: "an overlap that ends", says: "was revoked", change: func(t *testing.T, _, admin string) {
			askAdmin(t, admin, http.MethodPost, "/ai/keys/app/rotate", `{"overlap":"900ms"}`, http.StatusOK)
		}},
		{name: "expires by the clock", says: "has expired", change: func(t *testing.T, _, admin string) {
			soon, _ := time.Now().Add(900 * time.Millisecond).UTC().MarshalJSON()
			askAdmin(t, admin, http.MethodPatch, "/ai/keys/app", `{"expires":`+string(soon)+`}`, http.StatusOK)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			up := newGated(t)
			file := filepath.Join(t.TempDir(), "keys.json")
			if err := os.WriteFile(file, []byte(`{"version":1,"keys":[]}`), 0o600); err != nil {
				t.Fatal(err)
			}
			ai := fmt.Sprintf("provider up openai_compatible {\n base_url %s\n}\nmodel chat up/m1\nkeys_file %s\n%s", up.URL, file, other)
			g := weirtest.Start(t, ai+tt.before, "ai_gateway")
			admin := weirtest.FreeAddr(t)
			load := func(keys string) {
				t.Helper()
				if err := loadConfig(t, administered(g.Caddyfile("", ai+keys, "ai_gateway"), admin)); err != nil {
					t.Fatal(err)
				}
			}
			load(tt.before)
			secret := os.Getenv("CI_KEY")
			if tt.before == "" {
				var issued struct {
					Secret string `json:"secret"`
				}
				if err := json.Unmarshal(askAdmin(t, admin, http.MethodPost, "/ai/keys", `{"name":"app"}`, http.StatusCreated), &issued); err != nil {
					t.Fatal(err)
				}
				secret = issued.Secret
			}
			theirs, others := keyed(t, g.URL, secret, n), keyed(t, g.URL, os.Getenv("OTHER_KEY"), n)
			// Calls of before another reload are no less their key's.
			load(tt.before + "\ndrain_timeout 7s")
			late := keyed(t, g.URL, secret, 1)
			if tt.change != nil {
				tt.change(t, file, admin)
			} else {
				load(tt.after)
			}
			wantRevoked(t, append(theirs, late...), tt.says)
			eventually(t, "the end of the upstream's streams", func() bool { return up.gone.Load() == n+1 })
			for _, r := range g.Records.Wait(t, n+1) {
				if r.Error != "authentication" || r.Phase != "revoked" || r.UsageSource != "estimated" || r.Usage.Input == 0 || r.Usage.Output == 0 {
					t.Errorf("record %+v", r)
				}
			}
			close(up.release)
			finish(t, others)
			for _, r := range g.Records.Wait(t, 2*n+1)[n+1:] {
				if r.Error != "" || r.Key != "other" {
					t.Errorf("record %+v", r)
				}
			}
		})
	}
}

// askAdmin asks the admin endpoint and returns the body of its answer.
func askAdmin(t *testing.T, admin, method, path, body string, want int) []byte {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+admin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		t.Fatalf("%s %s: %d %v: %s", method, path, res.StatusCode, err, data)
	}
	return data
}

// TestRevokedKeysWaitersEnd holds that calls of a revoked key which have not
// come to an answer end too: those in a limit's queue, in a pause before
// another attempt, and before their first token.
func TestRevokedKeysWaitersEnd(t *testing.T) {
	t.Setenv("CI_KEY", "a-secret-of-ci-0001")
	for _, tt := range []struct {
		name, inside string
		answer       func(w http.ResponseWriter, r *weirtest.Request)
		calls        int
	}{
		{name: "before headers", calls: 1, answer: func(_ http.ResponseWriter, r *weirtest.Request) { <-r.Gone }},
		{name: "before the first token", calls: 1, answer: func(w http.ResponseWriter, r *weirtest.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, `data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`+"\n\n")
			weirtest.Flush(w)
			<-r.Gone
		}},
		{name: "in a retry's pause", calls: 1, inside: "model chat up/m1 {\nlb_retries 3\nlb_try_duration 10m\n}", answer: func(w http.ResponseWriter, _ *weirtest.Request) {
			w.Header().Set("Retry-After", "15")
			w.WriteHeader(http.StatusServiceUnavailable)
		}},
		{name: "in a queue", calls: 2, inside: "limit concurrency 1 queue 10m", answer: func(_ http.ResponseWriter, r *weirtest.Request) { <-r.Gone }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			up := weirtest.NewUpstream(t, tt.answer)
			inside := tt.inside
			if !strings.Contains(inside, "model chat") {
				inside += "\nmodel chat up/m1"
			}
			ai := fmt.Sprintf("provider up openai_compatible {\n base_url %s\n}\n%s\n", up.URL, inside)
			g := weirtest.Start(t, ai+"key ci {env.CI_KEY}", "ai_gateway")
			client := newClient(t)
			client.Transport = bearing{client.Transport, "a-secret-of-ci-0001"}
			type outcome struct {
				status int
				body   string
			}
			outcomes := make(chan outcome, tt.calls)
			for range tt.calls {
				go func() {
					res, err := client.Post(g.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"chat","stream":true,"messages":[{"role":"user","content":"hi"}]}`))
					if err != nil {
						outcomes <- outcome{0, err.Error()}
						return
					}
					defer res.Body.Close()
					body, _ := io.ReadAll(res.Body)
					outcomes <- outcome{res.StatusCode, string(body)}
				}()
			}
			eventually(t, "calls under way", func() bool { return inflight.Process.Len() == tt.calls && len(up.Requests()) == 1 })
			if err := g.Load("", ai, "ai_gateway"); err != nil {
				t.Fatal(err)
			}
			for range tt.calls {
				select {
				case o := <-outcomes:
					if o.status != http.StatusUnauthorized || !strings.Contains(o.body, "the API key was revoked") {
						t.Errorf("the client got %+v", o)
					}
				case <-time.After(5*time.Second + grace):
					t.Fatal("a call goes on")
				}
			}
			for _, r := range g.Records.Wait(t, tt.calls) {
				if r.Error != "authentication" || r.Phase != "revoked" {
					t.Errorf("record %+v", r)
				}
			}
		})
	}
}
