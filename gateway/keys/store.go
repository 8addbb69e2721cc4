package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The reasons for which a store refuses a change, besides invalid keys.
var (
	ErrNotFound = errors.New("there is no such key")
	ErrExists   = errors.New("there is a key of that name already")
	ErrReadOnly = errors.New("the key cannot be changed here")
)

// Invalid wraps what is wrong with a draft or a change.
type Invalid struct{ Err error }

func (e *Invalid) Error() string { return e.Err.Error() }

func (e *Invalid) Unwrap() error { return e.Err }

// Store is where keys can be managed. A ref is a name or an id. The secret is
// returned once and kept nowhere.
type Store interface {
	List(ctx context.Context) ([]Key, error)
	Get(ctx context.Context, ref string) (Key, error)
	Create(ctx context.Context, draft Draft) (key Key, secret string, err error)

	// Rotate gives the key a new secret under the same id. The old one is
	// accepted for overlap; 0: no longer.
	Rotate(ctx context.Context, ref string, overlap time.Duration) (key Key, secret string, err error)

	Update(ctx context.Context, ref string, change Change) (Key, error)

	// Revoke removes the key: it is unknown from then on.
	Revoke(ctx context.Context, ref string) error
}

// Draft is a key that is to be made.
type Draft struct {
	Name     string            `json:"name"`
	Models   []string          `json:"models,omitempty"`
	Limits   [][]string        `json:"limits,omitempty"`
	Expires  time.Time         `json:"expires,omitzero"`
	Disabled bool              `json:"disabled,omitempty"`
	User     string            `json:"user,omitempty"`
	Team     string            `json:"team,omitempty"`
	Tags     []string          `json:"tags,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Priority string            `json:"priority,omitempty"`
}

// Optional is a member of a change: absent, or a new value, null being none.
type Optional[T any] struct {
	Set   bool
	Value T
}

// Some is a new value.
func Some[T any](value T) Optional[T] { return Optional[T]{true, value} }

// UnmarshalJSON is called for members that are present only.
func (o *Optional[T]) UnmarshalJSON(data []byte) error {
	o.Set = true
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	o.Value = value
	return nil
}

// MarshalJSON writes the value; `omitzero` leaves out members that are not set.
func (o Optional[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.Value) }

func (o Optional[T]) apply(to *T) {
	if o.Set {
		*to = o.Value
	}
}

// Change names the members of a key that change, as JSON Merge Patch (RFC
// 7396) does: null removes. Lists and metadata are replaced as a whole.
type Change struct {
	Models   Optional[[]string]          `json:"models,omitzero"`
	Limits   Optional[[][]string]        `json:"limits,omitzero"`
	Expires  Optional[time.Time]         `json:"expires,omitzero"`
	Disabled Optional[bool]              `json:"disabled,omitzero"`
	User     Optional[string]            `json:"user,omitzero"`
	Team     Optional[string]            `json:"team,omitzero"`
	Tags     Optional[[]string]          `json:"tags,omitzero"`
	Metadata Optional[map[string]string] `json:"metadata,omitzero"`
	Priority Optional[string]            `json:"priority,omitzero"`
}

func (c *Change) apply(to *Key) {
	c.Models.apply(&to.Models)
	c.Limits.apply(&to.Limits)
	c.Expires.apply(&to.Expires)
	c.Disabled.apply(&to.Disabled)
	c.User.apply(&to.User)
	c.Team.apply(&to.Team)
	c.Tags.apply(&to.Tags)
	c.Metadata.apply(&to.Metadata)
	c.Priority.apply(&to.Priority)
}

// managed is the store of a gateway: it lists every key of the set and lets
// those of the writer be changed.
type managed struct {
	set    *Set
	writer Store
	sync   func(context.Context) error
	name   string
}

// Manage returns the store of a running gateway. writer, nil if there is
// none, is the store of the source named source; sync makes its changes
// effective here at once. Keys of other sources can be seen but not changed.
func Manage(set *Set, writer Store, source string, sync func(context.Context) error) Store {
	return &managed{set: set, writer: writer, name: source, sync: sync}
}

func (m *managed) List(context.Context) ([]Key, error) {
	all := m.set.All()
	list := make([]Key, len(all))
	for i, key := range all {
		list[i] = key.View()
	}
	return list, nil
}

func (m *managed) Get(_ context.Context, ref string) (Key, error) {
	key, ok := m.set.Get(ref)
	if !ok {
		return Key{}, fmt.Errorf("%w: '%s'", ErrNotFound, ref)
	}
	return key.View(), nil
}

// writable refuses changes of keys that live elsewhere.
func (m *managed) writable(ref string) error {
	key, ok := m.set.Get(ref)
	switch {
	case ok && key.Source != m.name:
		return fmt.Errorf("%w: '%s' is from %s", ErrReadOnly, key.Name, key.Source)
	case m.writer == nil:
		return fmt.Errorf("%w: there is no place for keys but the configuration; keys_file in the ai option names one", ErrReadOnly)
	}
	return nil
}

func (m *managed) Create(ctx context.Context, draft Draft) (Key, string, error) {
	if key, ok := m.set.Get(draft.Name); ok {
		return Key{}, "", fmt.Errorf("%w: '%s' from %s", ErrExists, key.Name, key.Source)
	}
	if err := m.writable(draft.Name); err != nil {
		return Key{}, "", err
	}
	key, secret, err := m.writer.Create(ctx, draft)
	if err != nil {
		return Key{}, "", err
	}
	return m.done(ctx, key, secret)
}

func (m *managed) Rotate(ctx context.Context, ref string, overlap time.Duration) (Key, string, error) {
	if err := m.writable(ref); err != nil {
		return Key{}, "", err
	}
	key, secret, err := m.writer.Rotate(ctx, ref, overlap)
	if err != nil {
		return Key{}, "", err
	}
	return m.done(ctx, key, secret)
}

// done makes a change effective. The secret is returned even if that fails:
// the change is made, and the watcher will see it.
func (m *managed) done(ctx context.Context, key Key, secret string) (Key, string, error) {
	if err := m.sync(ctx); err != nil && secret == "" {
		return Key{}, "", err
	}
	key = key.View()
	key.Source = m.name
	return key, secret, nil
}

func (m *managed) Update(ctx context.Context, ref string, change Change) (Key, error) {
	if err := m.writable(ref); err != nil {
		return Key{}, err
	}
	key, err := m.writer.Update(ctx, ref, change)
	if err != nil {
		return Key{}, err
	}
	key, _, err = m.done(ctx, key, "")
	return key, err
}

func (m *managed) Revoke(ctx context.Context, ref string) error {
	if err := m.writable(ref); err != nil {
		return err
	}
	if err := m.writer.Revoke(ctx, ref); err != nil {
		return err
	}
	return m.sync(ctx)
}
