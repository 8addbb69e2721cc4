package handlers

import (
	"errors"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/cache/semantic"
	"github.com/weirproxy/weir/cache/static"
	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// CacheSemantic says which answers serve for requests that mean the same.
type CacheSemantic struct {
	CacheCommon

	// The model that embeds requests: a configured model, or `provider/model`.
	// Default: none; either this or static is needed.
	Embedder string `json:"embedder,omitempty"`

	// The folder of an embedding model that the gateway computes by itself, without
	// network. Placeholders are resolved when the configuration is loaded.
	// Default: none.
	Static string `json:"static,omitempty"`

	// How similar a request must be to one whose answer it gets, above 0, to 1, which is
	// the same. Default: `0.95`.
	Threshold float64 `json:"threshold,omitempty"`

	// How long embedding a request may take; a request whose embedding is slower is
	// not served. Default: `100ms`.
	Deadline caddy.Duration `json:"deadline,omitempty"`

	// How many user turns a request may have. Default: `1`.
	Turns int64 `json:"turns,omitempty"`

	// The highest temperature that a request may ask for; one that names none is
	// served. Default: `0.7`.
	MaxTemperature *float64 `json:"max_temperature,omitempty"`

	// Only note in the log and the metrics what would have been served.
	// Default: `false`.
	Shadow bool `json:"shadow,omitempty"`

	// How many requests the process remembers. Default: `10000`.
	MaxEntries int64 `json:"max_entries,omitempty"`

	// What two texts must have in common besides similar vectors, which hardly tell a
	// question from its opposite: `words`, all facts, and no word replaced; `facts`,
	// numbers, names, negations and the like; `off`, nothing. See
	// docs/semantic-cache.md for what each lets through. Default: `words`.
	Guard string `json:"guard,omitempty"`

	exact *CacheExact // where answers are kept, if nothing else says so
	rows  semantic.Backend
	guard semantic.Guard

	// model is the folder's, which models has as pooled; nil where a provider embeds.
	// by says what makes the vectors: those of two makers are never compared.
	model  *static.Model
	pooled string
	by     string
}

func (s *CacheSemantic) provision(ctx caddy.Context, g *gateway.Gateway) (err error) {
	setDefault(&s.Deadline, caddy.Duration(defaultSemanticDeadline))
	setDefault(&s.MaxEntries, defaultSemanticEntries)
	setDefault(&s.Turns, 1)
	fillIn(&s.MaxTemperature, defaultSemanticTemperature)
	if s.Threshold == 0 {
		s.Threshold = defaultSemanticThreshold
	}
	if s.Static, err = caddy.NewReplacer().ReplaceOrErr(s.Static, true, true); err != nil {
		return fmt.Errorf("resolving static: %w", err)
	}
	if s.Static != "" {
		if info, err := os.Stat(s.Static); err != nil || !info.IsDir() {
			return fmt.Errorf("static: there is no folder '%s'", s.Static)
		}
	}
	if s.Guard == "" {
		s.Guard = cacheGuards[0]
	}
	if s.Embedder != "" {
		if err := g.CheckModel(wire.Embeddings, s.Embedder); err != nil {
			return fmt.Errorf("embedder: %w", err)
		}
	}
	return s.CacheCommon.provision(ctx)
}

func (s *CacheSemantic) check() error {
	switch {
	case s.Embedder == "" && s.Static == "":
		return errors.New("an embedder is needed: a model, or 'static' and its folder")
	case s.Embedder != "" && s.Static != "":
		return errors.New("embedder and static are both given")
	case !(s.Threshold > 0 && s.Threshold <= 1):
		return fmt.Errorf("threshold must be above 0 and at most 1, not %v", s.Threshold)
	case s.Deadline < 0:
		return errors.New("deadline must be longer than 0")
	case s.Turns < 0 || s.MaxEntries < 0:
		return errors.New("bounds must not be negative")
	case !(*s.MaxTemperature >= 0):
		return errors.New("max_temperature must not be negative")
	}
	if err := checkWord("guard", s.Guard, cacheGuards); err != nil {
		return err
	}
	return s.CacheCommon.check()
}
