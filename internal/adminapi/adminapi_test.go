package adminapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/weirproxy/weir/internal/adminapi"
)

func TestHandler(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ai/x/{name}", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.PathValue("name")) })
	mux.HandleFunc("DELETE /ai/x/{name}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for _, tt := range []struct {
		method, path string
		status       int
		body, allow  string
	}{
		{"GET", "/ai/x/a", 200, "a", ""},
		{"DELETE", "/ai/x/a", 204, "", ""},
		{"PUT", "/ai/x/a", 405, `{"error":"method PUT is not allowed; use one of DELETE, GET, HEAD"}` + "\n", "DELETE, GET, HEAD"},
		{"GET", "/ai/y", 404, `{"error":"there is nothing at /ai/y"}` + "\n", ""},
		{"GET", "/ai/%ff", 404, `{"error":"there is nothing at /ai/?"}` + "\n", ""},
	} {
		w := httptest.NewRecorder()
		adminapi.Handler(mux).ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d %q, Allow %q", tt.method, tt.path, w.Code, w.Body, w.Header().Get("Allow"))
		}
		if tt.status >= 400 && w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %v", tt.method, tt.path, w.Header())
		}
	}
}
