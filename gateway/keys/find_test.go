package keys

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// found is a set with a key of every kind, and their secrets.
func found(t testing.TB) (set *Set, secrets map[string]string) {
	h, random := NewHasher(nil), seeded(3)
	secrets = map[string]string{}
	var list []Key
	for _, key := range []Key{
		{Name: "plain"},
		{Name: "expires", Expires: start.Add(time.Hour)},
		{Name: "expired", Expires: start},
		{Name: "disabled", Disabled: true},
	} {
		key, secret := issue(t, h, random, key)
		list, secrets[key.Name] = append(list, key), secret
	}
	rotated, old := issue(t, h, random, Key{Name: "rotated"})
	secrets["replaced"] = old
	rotated.Previous = []Previous{{rotated.Hash, start.Add(time.Minute)}}
	secret, err := NewSecret(random, rotated.ID)
	if err != nil {
		t.Fatal(err)
	}
	rotated.Hash, secrets["rotated"] = h.Hash(secret), secret
	list = append(list, rotated)

	secrets["foreign"] = "ci-key-of-another-system"
	foreign, err := FromSecret(h, Key{Name: "foreign"}, secrets["foreign"])
	if err != nil {
		t.Fatal(err)
	}
	hashed, secret := issue(t, h, random, Key{})
	secrets["hash only"] = secret
	byHash, err := FromSecret(h, Key{Name: "hash-only"}, hashed.Hash)
	if err != nil {
		t.Fatal(err)
	}
	set = NewSet(h)
	if err := set.Replace("test", append(list, foreign, byHash)); err != nil {
		t.Fatal(err)
	}

	if secrets["wrong secret of a rotated key"], err = NewSecret(random, rotated.ID); err != nil {
		t.Fatal(err)
	}
	_, secrets["unknown id"] = issue(t, h, random, Key{})
	if secrets["wrong secret"], err = NewSecret(random, list[0].ID); err != nil {
		t.Fatal(err)
	}
	return set, secrets
}

func TestFind(t *testing.T) {
	set, secrets := found(t)
	secrets["unknown foreign"] = "sk-proj-nobodys"
	secrets["too long"] = secrets["foreign"] + strings.Repeat("x", maxCredential)
	secrets["empty"] = ""
	secrets["damaged"] = secrets["plain"][:40]
	secrets["NUL and CRLF"] = "\x00\r\n"
	secrets["foreign, another case"] = strings.ToUpper(secrets["foreign"])
	for _, tt := range []struct {
		secret, name string
		err          error
		at           time.Duration
	}{
		{"plain", "plain", nil, 0},
		{"expires", "expires", nil, 0},
		{"expires", "", ErrExpired, time.Hour},
		{"expires", "expires", nil, time.Hour - 1},
		{"expired", "", ErrExpired, 0},
		{"disabled", "", ErrDisabled, 0},
		{"rotated", "rotated", nil, 0},
		{"replaced", "rotated", nil, time.Minute - 1},
		{"replaced", "", ErrUnknown, time.Minute},
		{"foreign", "foreign", nil, 0},
		{"foreign, another case", "", ErrUnknown, 0},
		{"hash only", "hash-only", nil, 0},
		{"unknown id", "", ErrUnknown, 0},
		{"wrong secret", "", ErrUnknown, 0},
		{"wrong secret of a rotated key", "", ErrUnknown, 0},
		{"unknown foreign", "", ErrUnknown, 0},
		{"too long", "", ErrUnknown, 0},
		{"empty", "", ErrUnknown, 0},
		{"damaged", "", ErrDamaged, 0},
		{"NUL and CRLF", "", ErrUnknown, 0},
	} {
		t.Run(tt.secret, func(t *testing.T) {
			key, err := set.Find(secrets[tt.secret], start.Add(tt.at))
			name := ""
			if key != nil {
				name = key.Name
			}
			if name != tt.name || !errors.Is(err, tt.err) {
				t.Errorf("got %q and %v, want %q and %v", name, err, tt.name, tt.err)
			}
		})
	}
}

// TestSameWork counts what a look-up does: what is wrong with a credential
// must not show in it.
func TestSameWork(t *testing.T) {
	set, secrets := found(t)
	var counted work
	set.now.Load().work = &counted
	want := work{macs: 1, lookups: 2, compares: 1 + maxPrevious}
	for name, secret := range secrets {
		counted = work{}
		_, _ = set.Find(secret, start)
		if counted != want {
			t.Errorf("%s: %+v, want %+v", name, counted, want)
		}
	}
}

func TestPepper(t *testing.T) {
	const secret = "a-secret-of-somebody"
	one, other := NewHasher([]byte("one")), NewHasher([]byte("other"))
	hash := one.Hash(secret)
	if _, err := FromSecret(one, Key{Name: "k"}, hash); err != nil {
		t.Errorf("own pepper: %v", err)
	}
	for name, h := range map[string]*Hasher{"other": other, "default": NewHasher(nil)} {
		if _, err := FromSecret(h, Key{Name: "k"}, hash); err == nil || !strings.Contains(err.Error(), "another pepper") {
			t.Errorf("%s pepper: got %v", name, err)
		}
	}
	if NewHasher([]byte(DefaultPepper)).Hash(secret) != NewHasher(nil).Hash(secret) {
		t.Error("the default, written out, is another pepper")
	}
}

func TestFromSecretRefuses(t *testing.T) {
	h := NewHasher(nil)
	_, good := issue(t, h, seeded(4), Key{})
	for name, secret := range map[string]string{
		"short":          "password",
		"empty":          "",
		"spaces":         "correct horse battery staple",
		"line end":       "a-secret-with-an-end\n",
		"not ASCII":      "schlüssel-schlüssel",
		"damaged":        good[:len(good)-1],
		"too long":       strings.Repeat("x", maxCredential+1),
		"short hash":     "hmac-sha256:abc",
		"no hexadecimal": "hmac-sha256:" + strings.Repeat("z", 64),
	} {
		_, err := FromSecret(h, Key{Name: "k"}, secret)
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if secret != "" && name != "no hexadecimal" && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
	key, err := FromSecret(h, Key{Name: "k"}, good)
	if id, _, _ := ParseID(good); err != nil || key.ID != id {
		t.Errorf("got id %s, %v", key.ID, err)
	}
}

func TestSame(t *testing.T) {
	var a, b mac
	if same(&a, &b) != 1 {
		t.Error("equal ones differ")
	}
	for bit := range 8 * len(a) {
		b = mac{}
		b[bit/8] = 1 << (bit % 8)
		if same(&a, &b) != 0 || same(&b, &a) != 0 {
			t.Errorf("bit %d does not count", bit)
		}
	}
}

// TestCutCredential presents a longest secret and more: what is hashed of it
// is the secret.
func TestCutCredential(t *testing.T) {
	h, set := NewHasher(nil), NewSet(NewHasher(nil))
	longest := strings.Repeat("x", maxCredential)
	key, err := FromSecret(h, Key{Name: "long"}, longest)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Replace("test", []Key{key}); err != nil {
		t.Fatal(err)
	}
	if _, err := set.Find(longest, start); err != nil {
		t.Error(err)
	}
	if _, err := set.Find(longest+"x", start); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}
}
