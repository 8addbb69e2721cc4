// Package adminapi is what the parts of the admin endpoint have in common.
package adminapi

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Handler serves mux. What mux has no handler for is refused in the shape of all other
// errors, {"error": text}, and with the header that says what is allowed.
func Handler(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refused := refusal{header: w.Header(), status: http.StatusNotFound}
		h.ServeHTTP(&refused, r)
		message := "there is nothing at " + r.URL.Path
		if refused.status == http.StatusMethodNotAllowed {
			message = "method " + r.Method + " is not allowed; use one of " + w.Header().Get("Allow")
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(refused.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": strings.ToValidUTF8(message, "?")})
	})
}

// refusal keeps the status of a refusal and drops its text.
type refusal struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (r *refusal) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *refusal) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }
