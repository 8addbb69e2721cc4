package health

import (
	"encoding/json"
	"net/http"

	"github.com/weirproxy/weir/internal/adminapi"
)

// AdminPath is where [AdminHandler] answers, itself and below.
const AdminPath = "/ai/providers"

// Listed is the answer to GET /ai/providers.
type Listed struct {
	Data []Report `json:"data"`
}

// Description is what a configuration says of a provider, as far as
// administrators are shown it.
type Description struct {
	Name   string
	Module string
	Host   string
}

// AdminHandler shows and resets the health of the providers given:
//
//	GET  /ai/providers              {"data": [report, …]}
//	GET  /ai/providers/{name}       report
//	POST /ai/providers/{name}/reset 204
//
// Errors are {"error": text}. It does not ask who calls: it belongs behind
// Caddy's admin endpoint.
func AdminHandler(t *Tracker, providers []Description) http.Handler {
	report := func(p Description) Report {
		r := t.Report(p.Name)
		r.Module, r.Host = p.Module, p.Host
		return r
	}
	named := func(do func(http.ResponseWriter, Description)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for _, p := range providers {
				if p.Name == r.PathValue("name") {
					do(w, p)
					return
				}
			}
			answer(w, http.StatusNotFound, map[string]string{"error": "there is no provider '" + r.PathValue("name") + "'"})
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+AdminPath, func(w http.ResponseWriter, _ *http.Request) {
		list := Listed{Data: make([]Report, 0, len(providers))}
		for _, p := range providers {
			list.Data = append(list.Data, report(p))
		}
		answer(w, http.StatusOK, list)
	})
	mux.HandleFunc("GET "+AdminPath+"/{name}", named(func(w http.ResponseWriter, p Description) {
		answer(w, http.StatusOK, report(p))
	}))
	mux.HandleFunc("POST "+AdminPath+"/{name}/reset", named(func(w http.ResponseWriter, p Description) {
		t.Reset(p.Name)
		w.WriteHeader(http.StatusNoContent)
	}))
	return adminapi.Handler(mux)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
