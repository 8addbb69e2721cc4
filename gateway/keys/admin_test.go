package keys

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// admin is the handler of a gateway with one key from its configuration and
// a keys file.
func admin(t *testing.T) (call func(method, path, body string) (int, string), set *Set) {
	here, _, _, at := files(t)
	set = NewSet(here.hasher, "the configuration", here.Name())
	ci, err := FromSecret(here.hasher, Key{Name: "ci"}, "the-secret-of-the-ci")
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Replace("the configuration", []Key{ci}); err != nil {
		t.Fatal(err)
	}
	_ = at
	handler := AdminHandler(Manage(set, here, here.Name(), NewWatcher(set, here).Sync))
	return func(method, path, body string) (int, string) {
		t.Helper()
		var r *http.Request
		if body == "" {
			r = httptest.NewRequest(method, path, nil)
		} else {
			r = httptest.NewRequest(method, path, strings.NewReader(body))
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), hashScheme) {
			t.Errorf("%s %s shows a hash: %s", method, path, w.Body)
		}
		if stored := w.Header().Get("Cache-Control"); stored != "no-store" {
			t.Errorf("%s %s: Cache-Control '%s'", method, path, stored)
		}
		return w.Code, w.Body.String()
	}, set
}

func TestAdmin(t *testing.T) {
	call, set := admin(t)
	issued := func(body string) (answer Issued) {
		t.Helper()
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return answer
	}
	accepted := func(secret string) bool {
		_, err := set.Find(secret, start)
		return err == nil
	}

	status, body := call("POST", "/ai/keys", `{"name": "app", "models": ["chat"], "limits": [["requests", "60", "1m"]], "user": "ann"}`)
	created := issued(body)
	if status != 201 || created.Name != "app" || created.User != "ann" || !accepted(created.Secret) {
		t.Errorf("create: %d %s", status, body)
	}
	status, body = call("GET", "/ai/keys", "")
	if status != 200 || !strings.Contains(body, `"app"`) || !strings.Contains(body, `"ci"`) || strings.Contains(body, created.Secret) {
		t.Errorf("list: %d %s", status, body)
	}
	if status, body = call("GET", "/ai/keys/"+created.ID, ""); status != 200 || issued(body).Secret != "" || issued(body).Name != "app" {
		t.Errorf("get: %d %s", status, body)
	}
	status, body = call("POST", "/ai/keys/app/rotate", "")
	if rotated := issued(body); status != 200 || !accepted(rotated.Secret) || !accepted(created.Secret) || rotated.ID != created.ID {
		t.Errorf("rotate: %d %s", status, body)
	}
	status, body = call("POST", "/ai/keys/app/rotate", `{"overlap": "0s"}`)
	last := issued(body)
	if status != 200 || !accepted(last.Secret) || accepted(created.Secret) {
		t.Errorf("rotate at once: %d %s", status, body)
	}
	status, body = call("PATCH", "/ai/keys/app", `{"disabled": true, "user": null, "tags": ["x"]}`)
	if key := issued(body); status != 200 || !key.Disabled || key.User != "" || len(key.Models) != 1 || accepted(last.Secret) {
		t.Errorf("update: %d %s", status, body)
	}
	if status, body = call("DELETE", "/ai/keys/app", ""); status != 204 || body != "" || set.Len() != 1 {
		t.Errorf("delete: %d %s", status, body)
	}
}

func TestAdminRefuses(t *testing.T) {
	call, _ := admin(t)
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		says                     string
	}{
		{"no such key", "GET", "/ai/keys/x", "", 404, "no such key"},
		{"delete nothing", "DELETE", "/ai/keys/x", "", 404, "no such key"},
		{"configured key", "DELETE", "/ai/keys/ci", "", 403, "from the configuration"},
		{"rotate a configured key", "POST", "/ai/keys/ci/rotate", "", 403, "from the configuration"},
		{"change a configured key", "PATCH", "/ai/keys/ci", `{"disabled":true}`, 403, "from the configuration"},
		{"name of a configured key", "POST", "/ai/keys", `{"name":"ci"}`, 409, "already"},
		{"no name", "POST", "/ai/keys", `{}`, 400, "name"},
		{"unknown word", "POST", "/ai/keys", `{"name":"a","model":["x"]}`, 400, "model"},
		{"change of an unknown word", "PATCH", "/ai/keys/ci", `{"model":["x"]}`, 400, "model"},
		{"hash", "POST", "/ai/keys", `{"name":"a","hash":"x"}`, 400, "hash"},
		{"no JSON", "POST", "/ai/keys", `name=a`, 400, "line 1"},
		{"two values", "POST", "/ai/keys", `{"name":"a"}{}`, 400, "after"},
		{"pattern", "POST", "/ai/keys", `{"name":"a","models":["*x"]}`, 400, "pattern"},
		{"overlap", "POST", "/ai/keys/ci/rotate", `{"overlap":"soon"}`, 400, "duration"},
		{"too large", "POST", "/ai/keys", `{"name":"` + strings.Repeat("a", maxAdminBody) + `"}`, 400, "too large"},
		{"method", "PUT", "/ai/keys", "", 405, `{"error":"method PUT is not allowed`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, body := call(tt.method, tt.path, tt.body)
			if status != tt.status || !strings.Contains(body, tt.says) {
				t.Errorf("got %d %s", status, body)
			}
		})
	}
}

func TestManageWithoutWriter(t *testing.T) {
	set := NewSet(NewHasher(nil))
	handler := AdminHandler(Manage(set, nil, "", func(context.Context) error { return nil }))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("POST", "/ai/keys", strings.NewReader(`{"name":"a"}`)))
	if w.Code != 403 || !strings.Contains(w.Body.String(), "no place for keys") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/ai/keys", nil))
	if w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"data":[]}` {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestChangeTravels writes a change and reads it again: what is not set must
// not be removed on the other side.
func TestChangeTravels(t *testing.T) {
	data, err := json.Marshal(Change{User: Some(""), Models: Some([]string{"a"}), Disabled: Some(false)})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(data); got != `{"models":["a"],"disabled":false,"user":""}` {
		t.Errorf("got %s", got)
	}
	var change Change
	if err := decodeStrict(data, &change); err != nil {
		t.Fatal(err)
	}
	key := Key{Models: []string{"b"}, Disabled: true, User: "ann", Team: "x", Limits: [][]string{{"requests", "1"}}}
	change.apply(&key)
	if key.Models[0] != "a" || key.Disabled || key.User != "" || key.Team != "x" || len(key.Limits) != 1 {
		t.Errorf("got %+v", key)
	}
}
