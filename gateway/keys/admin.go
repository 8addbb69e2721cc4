package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/weirproxy/weir/internal/adminapi"
)

// AdminPath is where [AdminHandler] answers, itself and below.
const AdminPath = "/ai/keys"

// maxAdminBody bounds the body of an administrator's request.
const maxAdminBody = 1 << 20

// DefaultOverlap is how long a replaced secret is accepted when a rotation
// names no overlap.
const DefaultOverlap = time.Hour

// Issued is the answer that shows a secret.
type Issued struct {
	Key

	// Secret is what the client sends. It is shown this once.
	Secret string `json:"secret"`
}

// Listed is the answer to GET /ai/keys.
type Listed struct {
	Data []Key `json:"data"`
}

// Rotation is the body of POST /ai/keys/{ref}/rotate; it may be absent.
type Rotation struct {
	// Overlap is a Go duration such as "1h30m"; "0s": the old secret ends now.
	Overlap string `json:"overlap"`
}

// AdminHandler serves the management of keys:
//
//	GET    /ai/keys              {"data": [key, …]}
//	POST   /ai/keys              draft → 201, key with "secret"
//	GET    /ai/keys/{ref}        key
//	PATCH  /ai/keys/{ref}        change, as JSON Merge Patch → key
//	DELETE /ai/keys/{ref}        204
//	POST   /ai/keys/{ref}/rotate {"overlap": "1h"} → key with "secret"
//
// ref is a name or an id. No answer holds a hash. Errors are {"error": text}.
// It does not ask who calls: it belongs behind Caddy's admin endpoint.
func AdminHandler(store Store) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, do func(http.ResponseWriter, *http.Request) (status int, answer any, err error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			status, answer, err := do(w, r)
			if err != nil {
				status, answer = statusOf(err), map[string]string{"error": err.Error()}
			}
			// Secrets pass through here.
			w.Header().Set("Cache-Control", "no-store")
			if answer == nil {
				w.WriteHeader(status)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	handle("GET "+AdminPath, func(_ http.ResponseWriter, r *http.Request) (int, any, error) {
		list, err := store.List(r.Context())
		if list == nil {
			list = []Key{}
		}
		return http.StatusOK, Listed{list}, err
	})
	handle("GET "+AdminPath+"/{ref}", func(_ http.ResponseWriter, r *http.Request) (int, any, error) {
		key, err := store.Get(r.Context(), r.PathValue("ref"))
		return http.StatusOK, key, err
	})
	handle("POST "+AdminPath, func(w http.ResponseWriter, r *http.Request) (int, any, error) {
		var draft Draft
		if err := readBody(w, r, &draft); err != nil {
			return 0, nil, err
		}
		key, secret, err := store.Create(r.Context(), draft)
		return http.StatusCreated, Issued{key, secret}, err
	})
	handle("POST "+AdminPath+"/{ref}/rotate", func(w http.ResponseWriter, r *http.Request) (int, any, error) {
		overlap, err := readOverlap(w, r)
		if err != nil {
			return 0, nil, err
		}
		key, secret, err := store.Rotate(r.Context(), r.PathValue("ref"), overlap)
		return http.StatusOK, Issued{key, secret}, err
	})
	handle("PATCH "+AdminPath+"/{ref}", func(w http.ResponseWriter, r *http.Request) (int, any, error) {
		var change Change
		if err := readBody(w, r, &change); err != nil {
			return 0, nil, err
		}
		key, err := store.Update(r.Context(), r.PathValue("ref"), change)
		return http.StatusOK, key, err
	})
	handle("DELETE "+AdminPath+"/{ref}", func(_ http.ResponseWriter, r *http.Request) (int, any, error) {
		return http.StatusNoContent, nil, store.Revoke(r.Context(), r.PathValue("ref"))
	})
	return adminapi.Handler(mux)
}

func statusOf(err error) int {
	var invalid *Invalid
	switch {
	case errors.As(err, &invalid):
		return http.StatusBadRequest
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrExists):
		return http.StatusConflict
	case errors.Is(err, ErrReadOnly):
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}

func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdminBody))
	if err != nil {
		return &Invalid{fmt.Errorf("reading the body: %w", err)}
	}
	if err := decodeStrict(data, into); err != nil {
		return &Invalid{fmt.Errorf("reading the body: %w", err)}
	}
	return nil
}

func readOverlap(w http.ResponseWriter, r *http.Request) (time.Duration, error) {
	if r.ContentLength == 0 {
		return DefaultOverlap, nil
	}
	var rotation Rotation
	if err := readBody(w, r, &rotation); err != nil {
		return 0, err
	}
	if rotation.Overlap == "" {
		return DefaultOverlap, nil
	}
	overlap, err := time.ParseDuration(rotation.Overlap)
	if err != nil {
		return 0, &Invalid{fmt.Errorf("overlap: '%s' is no duration; write for example 1h30m", rotation.Overlap)}
	}
	return overlap, nil
}
