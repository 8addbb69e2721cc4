package keys

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/weirproxy/weir/gateway/limits"
	"github.com/weirproxy/weir/gateway/queue"
)

// Key is a virtual key. A key that a [Set] hands out is shared: it must not
// be changed.
type Key struct {
	// ID is the public part of the secret, for logs; empty for keys whose
	// secret is not of Weir's format, or is known by its hash only.
	ID string `json:"id,omitempty"`

	// Name is how people, metrics and the ledger call the key: 1 to 64 of
	// A-Z a-z 0-9 . _ @ + -, beginning with a letter or a digit.
	Name string `json:"name"`

	// Hash is what [Hasher.Hash] made of the secret.
	Hash string `json:"hash,omitempty"`

	// Previous are hashes of secrets that were replaced and are still
	// accepted until they expire; at most two.
	Previous []Previous `json:"previous,omitempty"`

	// Models are the names that the key may use; none: all. See [Key.Allows].
	Models []string `json:"models,omitempty"`

	// Limits are the rules as they were written, a list of words each, such as
	// ["requests", "60", "1m"].
	Limits [][]string `json:"limits,omitempty"`

	// Expires is when the key stops working; zero: never.
	Expires time.Time `json:"expires,omitzero"`

	// Disabled keys are refused until they are enabled again.
	Disabled bool `json:"disabled,omitempty"`

	// User and Team own the key; limits can be theirs. Conditions of models ask
	// for Tags, placeholders for Metadata.
	User     string            `json:"user,omitempty"`
	Team     string            `json:"team,omitempty"`
	Tags     []string          `json:"tags,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`

	// Priority is the class in which its requests wait for room, one of
	// queue.Classes; empty for normal.
	Priority string `json:"priority,omitempty"`

	// Anonymous makes this the key of requests that bring no credential. It
	// has no hash, and a set has one such key at most.
	Anonymous bool `json:"anonymous,omitempty"`

	// Created and Rotated are for people; nothing depends on them.
	Created time.Time `json:"created,omitzero"`
	Rotated time.Time `json:"rotated,omitzero"`

	// Source is where the key comes from. [Set.Replace] writes it.
	Source string `json:"source,omitempty"`
}

// Previous is a replaced secret.
type Previous struct {
	Hash    string    `json:"hash,omitempty"`
	Expires time.Time `json:"expires"`
}

// Principal is who a key stands for. Its slices and maps are the key's own.
type Principal struct {
	Key      string // the key's name
	KeyID    string // its id, or its name if it has none
	User     string
	Team     string
	Tags     []string
	Metadata map[string]string
}

// Principal returns who the key stands for.
func (k *Key) Principal() Principal {
	p := Principal{Key: k.Name, KeyID: k.ID, User: k.User, Team: k.Team, Tags: k.Tags, Metadata: k.Metadata}
	if p.KeyID == "" {
		p.KeyID = k.Name
	}
	return p
}

// Clone returns a deep copy, which may be changed.
func (k *Key) Clone() Key {
	c := *k
	c.Previous = slices.Clone(k.Previous)
	c.Models = slices.Clone(k.Models)
	c.Tags = slices.Clone(k.Tags)
	c.Metadata = maps.Clone(k.Metadata)
	c.Limits = slices.Clone(k.Limits)
	for i := range c.Limits {
		c.Limits[i] = slices.Clone(c.Limits[i])
	}
	return c
}

// View returns a copy that holds no hash: what may be shown.
func (k *Key) View() Key {
	c := k.Clone()
	c.Hash = ""
	for i := range c.Previous {
		c.Previous[i].Hash = ""
	}
	return c
}

// Bounds of what a key may carry, so that a record of a request stays small.
const (
	maxPrevious = 2
	maxName     = 64
	maxText     = 256
	maxItems    = 256
	maxMetadata = 32
)

// validate checks all but the hashes.
func (k *Key) validate() error {
	if err := checkName(k.Name); err != nil {
		return err
	}
	wrap := func(err error) error { return fmt.Errorf("key '%s': %w", k.Name, err) }
	if _, ok := number(k.ID); !ok && k.ID != "" {
		return wrap(fmt.Errorf("'%s' is no id of a key", k.ID))
	}
	switch {
	case k.Anonymous && (k.Hash != "" || len(k.Previous) > 0 || k.ID != ""):
		return wrap(errors.New("the key of anonymous requests can have no id and no hash"))
	case len(k.Previous) > maxPrevious:
		return wrap(fmt.Errorf("%d previous hashes, at most %d are kept", len(k.Previous), maxPrevious))
	case len(k.Models) > maxItems || len(k.Limits) > maxItems || len(k.Tags) > maxItems:
		return wrap(fmt.Errorf("more than %d models, limits or tags", maxItems))
	case len(k.Metadata) > maxMetadata:
		return wrap(fmt.Errorf("more than %d items of metadata", maxMetadata))
	}
	if _, err := queue.ParseClass(k.Priority); err != nil {
		return wrap(err)
	}
	for _, p := range k.Models {
		if err := CheckPattern(p); err != nil {
			return wrap(err)
		}
	}
	for _, rule := range k.Limits {
		if err := checkTexts("limit", rule...); err != nil {
			return wrap(err)
		}
	}
	if _, err := limits.ParseAll(k.Limits); err != nil {
		return wrap(fmt.Errorf("limits: %w", err))
	}
	if err := checkTexts("tag", k.Tags...); err != nil {
		return wrap(err)
	}
	for name, value := range k.Metadata {
		if err := checkTexts("metadata", name); err != nil {
			return wrap(err)
		}
		if value != "" {
			if err := checkTexts("metadata", value); err != nil {
				return wrap(err)
			}
		}
	}
	for _, owner := range []string{k.User, k.Team} {
		if owner != "" {
			if err := checkTexts("user or team", owner); err != nil {
				return wrap(err)
			}
		}
	}
	return nil
}

func checkName(name string) error {
	if name == "" || len(name) > maxName || !isAlphanumeric(name[0]) {
		return fmt.Errorf("key name '%.80s': want 1 to %d characters, a letter or a digit first", name, maxName)
	}
	for i := range len(name) {
		switch c := name[i]; {
		case isAlphanumeric(c), c == '.', c == '_', c == '@', c == '+', c == '-':
		default:
			return fmt.Errorf("key name '%.80s': want only letters, digits and . _ @ + -", name)
		}
	}
	return nil
}

func isAlphanumeric(c byte) bool { return digits62[c] != none }

// checkTexts refuses what would break a log line, a header or a table.
func checkTexts(what string, texts ...string) error {
	for _, text := range texts {
		if text == "" || len(text) > maxText || !utf8.ValidString(text) {
			return fmt.Errorf("%s %.80q: want 1 to %d bytes of UTF-8", what, text, maxText)
		}
		for _, r := range text {
			if !unicode.IsPrint(r) {
				return fmt.Errorf("%s %.80q: it has a character that cannot be printed", what, text)
			}
		}
	}
	return nil
}
