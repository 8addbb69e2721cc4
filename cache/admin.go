package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/weirproxy/weir/internal/adminapi"
)

// AdminPath is where [AdminHandler] answers, itself and below.
const AdminPath = "/ai/cache"

// maxAdminBody bounds the body of an administrator's request.
const maxAdminBody = 1 << 16

// Purge is the body of POST /ai/cache/purge: which answers to forget. One member is
// given.
type Purge struct {
	// Tag is one that the configuration or a request's X-AI-Cache-Tags gave.
	Tag string `json:"tag,omitempty"`

	// Model is the name that was asked for, that of the configured model which it
	// stands for, or the `provider/model` that answered.
	Model string `json:"model,omitempty"`

	// Key is the name of the key that asked.
	Key string `json:"key,omitempty"`

	// All is every answer.
	All bool `json:"all,omitempty"`
}

// Tags are the tags of what is to be forgotten.
func (p *Purge) Tags() ([]string, error) {
	var tags []string
	given := 0
	add := func(is bool, names ...string) {
		if is {
			given++
			tags = names
		}
	}
	add(p.Tag != "", p.Tag)
	add(p.Model != "", "model:"+p.Model)
	add(p.Key != "", "key:"+p.Key)
	add(p.All, "all")
	if given != 1 {
		return nil, errors.New("name what to forget: one of tag, model, key and all")
	}
	if strings.Contains(p.Model, "/") {
		tags = append(tags, "target:"+p.Model)
	}
	return tags, nil
}

// Report is the answer to GET /ai/cache: what this process keeps, and its counts
// since it began.
type Report struct {
	// Entries are the answers in memory, Bytes what they take, and MaxBytes what
	// they may.
	Entries  int64 `json:"entries"`
	Bytes    int64 `json:"bytes"`
	MaxBytes int64 `json:"max_bytes"`

	// Hits and Misses count look-ups in memory, Evictions what had to go for
	// something else, Rejections what was not worth that.
	Hits       int64 `json:"hits"`
	Misses     int64 `json:"misses"`
	Evictions  int64 `json:"evictions"`
	Rejections int64 `json:"rejections"`

	// SavedUSD is what answers would have cost that were not paid for again.
	SavedUSD float64 `json:"saved_usd"`
}

// Keeper is what administrators can ask for, and do to, the answers that are kept.
type Keeper interface {
	// Purge makes every answer dead that has one of the tags. An error says that
	// other instances do not know yet.
	Purge(ctx context.Context, tags ...string) error

	Report() Report
}

// AdminHandler shows what is kept and forgets it:
//
//	GET  /ai/cache       report
//	POST /ai/cache/purge {"tag": T} or {"model": M} or {"key": K} or {"all": true} → 204
//
// A purge that other instances could not be told of yet is answered 503; here it is
// done. Errors are {"error": text}. It does not ask who calls: it belongs behind
// Caddy's admin endpoint.
func AdminHandler(k Keeper) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+AdminPath, func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, k.Report())
	})
	mux.HandleFunc("POST "+AdminPath+"/purge", func(w http.ResponseWriter, r *http.Request) {
		tags, err := readPurge(w, r)
		if err != nil {
			refuse(w, http.StatusBadRequest, err)
			return
		}
		if err := k.Purge(r.Context(), tags...); err != nil {
			refuse(w, http.StatusServiceUnavailable, fmt.Errorf("the answers are forgotten here; telling other instances: %w", err))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return adminapi.Handler(mux)
}

func readPurge(w http.ResponseWriter, r *http.Request) ([]string, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdminBody))
	if err != nil {
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	var p Purge
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("reading the body: there is something after the JSON value")
	}
	return p.Tags()
}

func refuse(w http.ResponseWriter, status int, err error) {
	respond(w, status, map[string]string{"error": err.Error()})
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
