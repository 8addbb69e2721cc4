package keys

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// List implements [Store]. A file that does not exist has no keys.
func (f *File) List(context.Context) ([]Key, error) {
	data, _, err := readFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := f.decode(data)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i] = list[i].View()
	}
	return list, nil
}

// Get implements [Store].
func (f *File) Get(ctx context.Context, ref string) (Key, error) {
	list, err := f.List(ctx)
	if err != nil {
		return Key{}, err
	}
	key, err := pick(list, ref)
	if err != nil {
		return Key{}, err
	}
	return *key, nil
}

// pick returns the key of a name, else of an id.
func pick(list []Key, ref string) (*Key, error) {
	for _, is := range []func(*Key) bool{
		func(k *Key) bool { return k.Name == ref },
		func(k *Key) bool { return k.ID != "" && k.ID == ref },
	} {
		for i := range list {
			if is(&list[i]) {
				return &list[i], nil
			}
		}
	}
	return nil, fmt.Errorf("%w: '%s'", ErrNotFound, ref)
}

// Create implements [Store]. The file is made if it does not exist.
func (f *File) Create(ctx context.Context, draft Draft) (key Key, secret string, err error) {
	key = Key{
		Name: draft.Name, Models: draft.Models, Limits: draft.Limits, Expires: draft.Expires, Disabled: draft.Disabled,
		User: draft.User, Team: draft.Team, Tags: draft.Tags, Metadata: draft.Metadata, Priority: draft.Priority, Created: f.now().UTC(),
	}
	key = key.Clone()
	if err := key.validate(); err != nil {
		return Key{}, "", &Invalid{err}
	}
	err = f.update(ctx, func(list []Key) ([]Key, error) {
		if slices.ContainsFunc(list, func(k Key) bool { return k.Name == key.Name }) {
			return nil, fmt.Errorf("%w: '%s'", ErrExists, key.Name)
		}
		// 50 bits make a clash unlikely, not impossible.
		for key.ID == "" || slices.ContainsFunc(list, func(k Key) bool { return k.ID == key.ID }) {
			if key.ID, err = NewID(f.random); err != nil {
				return nil, err
			}
		}
		if secret, err = NewSecret(f.random, key.ID); err != nil {
			return nil, err
		}
		key.Hash = f.hasher.Hash(secret)
		return append(list, key), nil
	})
	if err != nil {
		return Key{}, "", err
	}
	return key.View(), secret, nil
}

// change edits one key of the file.
func (f *File) change(ctx context.Context, ref string, edit func(*Key) error) (changed Key, err error) {
	err = f.update(ctx, func(list []Key) ([]Key, error) {
		key, err := pick(list, ref)
		if err != nil {
			return nil, err
		}
		if err := edit(key); err != nil {
			return nil, err
		}
		if err := key.validate(); err != nil {
			return nil, &Invalid{err}
		}
		changed = key.View()
		return list, nil
	})
	return changed, err
}

// Rotate implements [Store]. At most two old secrets are kept; an older one
// that is still accepted makes it fail rather than lock somebody out.
func (f *File) Rotate(ctx context.Context, ref string, overlap time.Duration) (key Key, secret string, err error) {
	if overlap < 0 {
		return Key{}, "", &Invalid{errors.New("the overlap is negative")}
	}
	key, err = f.change(ctx, ref, func(k *Key) error {
		if k.Anonymous {
			return &Invalid{fmt.Errorf("key '%s' has no secret", k.Name)}
		}
		now := f.now().UTC()
		kept := slices.DeleteFunc(k.Previous, func(p Previous) bool { return !now.Before(p.Expires) })
		if overlap > 0 {
			kept = append([]Previous{{k.Hash, now.Add(overlap)}}, kept...)
		} else {
			kept = nil // the secret leaked: no older one shall outlive it
		}
		if len(kept) > maxPrevious {
			return &Invalid{fmt.Errorf("key '%s' has %d replaced secrets that are still accepted; rotate with an overlap of 0 to end them", k.Name, maxPrevious)}
		}
		id := k.ID
		if id == "" {
			if id, err = NewID(f.random); err != nil {
				return err
			}
		}
		if secret, err = NewSecret(f.random, id); err != nil {
			return err
		}
		k.ID, k.Hash, k.Previous, k.Rotated = id, f.hasher.Hash(secret), kept, now
		return nil
	})
	if err != nil {
		return Key{}, "", err
	}
	return key, secret, nil
}

// Update implements [Store].
func (f *File) Update(ctx context.Context, ref string, change Change) (Key, error) {
	return f.change(ctx, ref, func(k *Key) error {
		change.apply(k)
		return nil
	})
}

// Revoke implements [Store].
func (f *File) Revoke(ctx context.Context, ref string) error {
	return f.update(ctx, func(list []Key) ([]Key, error) {
		key, err := pick(list, ref)
		if err != nil {
			return nil, err
		}
		name := key.Name
		return slices.DeleteFunc(list, func(k Key) bool { return k.Name == name }), nil
	})
}

// Interface guards.
var (
	_ Source = (*File)(nil)
	_ Store  = (*File)(nil)
)
