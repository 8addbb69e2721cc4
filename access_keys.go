package weir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/keys"
	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/internal/secret"
)

// Key is a virtual key of the configuration.
type Key struct {
	// What the client sends, as a placeholder such as `{env.CI_KEY}`, or its
	// hash as `caddy ai keys hash` makes it; a literal secret is refused.
	Secret string `json:"secret"`

	// The models that it may use: names, or beginnings and `*`; the name that
	// clients send or the target as `provider/model`. Default: all.
	Models []string `json:"models,omitempty"`

	// Its limits, such as `requests 60 1m`. Default: none.
	Limits []limits.Rule `json:"limits,omitempty"`

	// When it stops working. Default: never.
	Expires time.Time `json:"expires,omitzero"`

	// Whether it is refused for now. Default: `false`.
	Disabled bool `json:"disabled,omitempty"`

	// The user whose it is. Default: nobody.
	User string `json:"user,omitempty"`

	// The team whose it is. Default: none.
	Team string `json:"team,omitempty"`

	// The class in which its requests wait for room under limits with a queue:
	// `critical`, `high`, `normal`, `low` or `batch`. Default: `normal`.
	Priority string `json:"priority,omitempty"`

	// Tags, which conditions of models may ask for. Default: none.
	Tags []string `json:"tags,omitempty"`

	// What else is to be known of it, for placeholders such as
	// `{http.ai.key.metadata.project}`. Default: nothing.
	Metadata map[string]string `json:"metadata,omitempty"`
}

func (a *App) loadKeys(_ caddy.Context, acc *access) error {
	pepper := ""
	if a.KeyPepper != "" {
		value, err := secret.Resolve(a.KeyPepper)
		if err != nil {
			return fmt.Errorf("key_pepper: %w", err)
		}
		pepper = value.Reveal()
	}
	hasher := keys.NewHasher([]byte(pepper))
	acc.set = keys.NewSet(hasher, sourceConfig)
	names := make([]string, 0, len(a.Keys))
	for name := range a.Keys {
		names = append(names, name)
	}
	slices.Sort(names)
	list := make([]keys.Key, 0, len(names))
	for _, name := range names {
		key, err := a.Keys[name].domain(name, hasher)
		if err != nil {
			return fmt.Errorf("key '%s': %w", name, err)
		}
		list = append(list, key)
	}
	if err := acc.set.Replace(sourceConfig, list); err != nil {
		return err
	}
	if a.KeysFile == "" {
		return nil
	}
	path, err := caddy.NewReplacer().ReplaceOrErr(a.KeysFile, true, true)
	if err != nil {
		return fmt.Errorf("keys_file: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("keys_file: %w", err)
	}
	acc.file = keys.NewFile(path, hasher, time.Now, rand.Reader)
	acc.watcher = keys.NewWatcher(acc.set, acc.file)
	if err := acc.watcher.Sync(context.Background()); err != nil {
		return fmt.Errorf("keys_file: %w", err)
	}
	return nil
}

// domain is the key as the domain knows it.
func (k *Key) domain(name string, hasher *keys.Hasher) (keys.Key, error) {
	if k == nil {
		return keys.Key{}, errors.New("it is null")
	}
	key := keys.Key{
		Name: name, Models: k.Models, Expires: k.Expires, Disabled: k.Disabled,
		User: k.User, Team: k.Team, Tags: k.Tags, Metadata: k.Metadata, Priority: k.Priority,
	}
	for i := range k.Limits {
		key.Limits = append(key.Limits, strings.Fields(k.Limits[i].String()))
	}
	if err := limits.Check(k.Limits); err != nil {
		return key, err
	}
	value := k.Secret
	if !keys.IsHash(value) {
		resolved, err := secret.Resolve(value)
		if err != nil {
			return key, fmt.Errorf("its secret: %w", err)
		}
		value = resolved.Reveal()
	}
	return keys.FromSecret(hasher, key, value)
}

// VirtualKeys implements handlers.Host.
func (a *App) VirtualKeys() *keys.Set { return a.access.set }

// KeyRules implements handlers.Host. A limit that cannot be read is an error:
// a key whose limits are not known has none to spend under.
func (a *App) KeyRules(key *keys.Key) (*limits.Ruled, error) {
	if known, ok := a.access.ruled.Load(key); ok {
		return known.(*limits.Ruled), nil
	}
	rules, err := limits.ParseAll(key.Limits)
	if err != nil {
		return nil, fmt.Errorf("reading the limits of key '%s': %w", key.Name, err)
	}
	ruled := limits.RulesOf(gateway.ScopeKey, key.Name, rules)
	a.access.ruled.Store(key, &ruled)
	return &ruled, nil
}

// watchKeys keeps the keys of the file up to date until the configuration ends.
func (a *App) watchKeys(ctx context.Context) {
	if a.access.watcher == nil {
		return
	}
	go func() {
		ticker := time.NewTicker(keys.Interval)
		defer ticker.Stop()
		a.access.watcher.Run(ctx, ticker.C, func(err error) {
			if err != nil {
				a.logger.Error("reading keys: " + err.Error())
			} else {
				a.logger.Info("the keys can be read again")
			}
		})
	}()
}
