package weir

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/tokens"
)

func (a *App) loadProviders(ctx caddy.Context) (map[string]gateway.Provider, error) {
	providers := make(map[string]gateway.Provider, len(a.ProvidersRaw))
	mods, err := ctx.LoadModule(a, "ProvidersRaw")
	if err != nil {
		return nil, fmt.Errorf("loading providers: %w", err)
	}
	for name, mod := range mods.(map[string]any) {
		p, ok := mod.(gateway.Provider)
		if !ok {
			return nil, fmt.Errorf("provider '%s': module %T is no provider", name, mod)
		}
		providers[name] = p
	}
	return providers, nil
}

func (a *App) loadSinks(ctx caddy.Context) ([]gateway.UsageSink, error) {
	if a.UsageRaw == nil {
		a.UsageRaw = []json.RawMessage{json.RawMessage(`{"sink":"log"}`)}
	}
	mods, err := ctx.LoadModule(a, "UsageRaw")
	if err != nil {
		return nil, fmt.Errorf("loading usage sinks: %w", err)
	}
	var sinks []gateway.UsageSink
	for _, mod := range mods.([]any) {
		sink, ok := mod.(gateway.UsageSink)
		if !ok {
			return nil, fmt.Errorf("module %T is no usage sink", mod)
		}
		sinks = append(sinks, sink)
	}
	return sinks, nil
}

func (a *App) loadTokenizers() (*tokens.Counter, error) {
	repl := caddy.NewReplacer()
	files := make([]tokens.File, 0, len(a.Tokenizers))
	for _, t := range a.Tokenizers {
		path, err := repl.ReplaceOrErr(t.Path, true, true)
		if err != nil {
			return nil, fmt.Errorf("tokenizer of '%s': resolving path: %w", t.Models, err)
		}
		files = append(files, tokens.File{Pattern: t.Models, Format: t.Format, Path: path})
	}
	return tokens.NewCounter(files)
}

// Tokenizer is a vocabulary in a file.
type Tokenizer struct {
	// The upstream models that it counts for; may end in `*`.
	Models string `json:"models"`

	// `tiktoken` (ranks), `huggingface` (tokenizer.json with byte-level BPE)
	// or `sentencepiece` (.model).
	Format string `json:"format"`

	// The file. Placeholders are resolved when the configuration is loaded.
	Path string `json:"path"`
}

// moduleOf is the name of a provider's module.
func moduleOf(raw json.RawMessage) string {
	var inline struct {
		Provider string `json:"provider"`
	}
	_ = json.Unmarshal(raw, &inline) // an error shows when the module is loaded
	return inline.Provider
}
