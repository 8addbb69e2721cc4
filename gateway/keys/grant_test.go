package keys

import (
	"errors"
	"testing"
	"time"
)

// TestHonours follows requests whose key changes, and holds that a version
// changes with every answer.
func TestHonours(t *testing.T) {
	set := NewSet(NewHasher(nil), "test")
	key := func(change func(*Key)) Key {
		k, err := FromSecret(set.Hasher(), Key{Name: "ci"}, "the-secret-of-the-ci")
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(&k)
		}
		return k
	}
	hour := start.Add(time.Hour)
	nobody := Key{Name: "nobody", Anonymous: true}
	var last Version
	for _, tt := range []struct {
		name            string
		keys            []Key // nil: as before
		at              time.Time
		keyed, nameless error
		same            bool
	}{
		{"a key", []Key{key(nil)}, start, nil, ErrUnknown, false},
		{"later", nil, hour, nil, ErrUnknown, true},
		{"disabled", []Key{key(func(k *Key) { k.Disabled = true })}, start, ErrDisabled, ErrUnknown, false},
		{"a key that expires", []Key{key(func(k *Key) { k.Expires = hour })}, start, nil, ErrUnknown, false},
		{"just before", nil, hour.Add(-1), nil, ErrUnknown, true},
		{"expired", nil, hour, ErrExpired, ErrUnknown, false},
		{"still expired", nil, hour.Add(time.Hour), ErrExpired, ErrUnknown, true},
		{"replaced secret", []Key{key(func(k *Key) {
			k.Previous, k.Hash = []Previous{{k.Hash, hour}}, set.Hasher().Hash("another-secret-of-ci")
		})}, start, nil, ErrUnknown, false},
		{"the overlap ends", nil, hour, ErrUnknown, ErrUnknown, false},
		{"only nobody", []Key{nobody}, start, ErrUnknown, nil, false},
		{"none", []Key{}, start, ErrUnknown, ErrUnknown, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.keys != nil {
				if err := set.Replace("test", tt.keys); err != nil {
					t.Fatal(err)
				}
			}
			if err := set.Honours(Grant{Credential: "the-secret-of-the-ci"}, tt.at); !errors.Is(err, tt.keyed) {
				t.Errorf("with a key: %v, want %v", err, tt.keyed)
			}
			if err := set.Honours(Grant{}, tt.at); !errors.Is(err, tt.nameless) {
				t.Errorf("without: %v, want %v", err, tt.nameless)
			}
			version := set.Version(tt.at)
			if (version == last) != tt.same {
				t.Errorf("the version is the same: %v, want %v", version == last, tt.same)
			}
			last = version
		})
	}
}
