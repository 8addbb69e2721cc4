package keys

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDuplicatesNameBothSources(t *testing.T) {
	h, random := NewHasher(nil), seeded(5)
	a, _ := issue(t, h, random, Key{Name: "a"})
	b, _ := issue(t, h, random, Key{Name: "b"})
	for _, tt := range []struct {
		name string
		key  Key
		what string
	}{
		{"name", Key{Name: "a", Hash: b.Hash}, "name 'a'"},
		{"id", Key{Name: "b", ID: a.ID, Hash: b.Hash}, "id '" + a.ID + "'"},
		{"secret", Key{Name: "b", Hash: a.Hash}, "secret"},
		{"secret, replaced", Key{Name: "b", Hash: b.Hash, Previous: []Previous{{a.Hash, start}}}, "secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set := NewSet(h, "the configuration")
			if err := set.Replace("file k.json", []Key{a}); err != nil {
				t.Fatal(err)
			}
			kept, secret := issue(t, h, random, Key{Name: "kept"})
			if err := set.Replace("the configuration", []Key{kept}); err != nil {
				t.Fatal(err)
			}
			before := set.All()
			err := set.Replace("the configuration", []Key{tt.key})
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range []string{tt.what, "from the configuration", "from file k.json"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not name %q", err, part)
				}
			}
			if !cmp.Equal(before, set.All()) {
				t.Error("a refused list changed the set")
			}
			// The refused source is as it was: others can still change.
			if err := set.Replace("file k.json", []Key{a, b}); err != nil {
				t.Error(err)
			}
			if _, err := set.Find(secret, start); err != nil {
				t.Errorf("the refused source lost its key: %v", err)
			}
		})
	}
}

func TestReplaceIsWhole(t *testing.T) {
	h, random := NewHasher(nil), seeded(6)
	a, secretA := issue(t, h, random, Key{Name: "a", Tags: []string{"x"}})
	b, secretB := issue(t, h, random, Key{Name: "b"})
	set := NewSet(h)
	if err := set.Replace("s", []Key{a}); err != nil {
		t.Fatal(err)
	}
	a.Tags[0] = "changed by the caller"
	if key, err := set.Find(secretA, start); err != nil || key.Tags[0] != "x" || key.Source != "s" {
		t.Errorf("got %+v, %v", key, err)
	}
	if err := set.Replace("s", []Key{b}); err != nil {
		t.Fatal(err)
	}
	if _, err := set.Find(secretA, start); err == nil {
		t.Error("a removed key is still accepted")
	}
	if _, err := set.Find(secretB, start); err != nil {
		t.Error(err)
	}
	if _, ok := set.Get(b.ID); !ok || set.Len() != 1 {
		t.Error("the key is not found by its id")
	}
}

func TestAnonymous(t *testing.T) {
	h := NewHasher(nil)
	set := NewSet(h)
	if _, ok := set.Anonymous(start); ok {
		t.Error("an empty set has an anonymous key")
	}
	guest := Key{Name: "guest", Anonymous: true, Expires: start.Add(time.Hour)}
	if err := set.Replace("s", []Key{guest}); err != nil {
		t.Fatal(err)
	}
	if key, ok := set.Anonymous(start); !ok || key.Name != "guest" {
		t.Errorf("got %v, %v", key, ok)
	}
	if _, ok := set.Anonymous(start.Add(time.Hour)); ok {
		t.Error("it has expired")
	}
	if _, err := set.Find("", start); err == nil {
		t.Error("the empty credential is its secret")
	}
	if err := set.Replace("t", []Key{{Name: "other", Anonymous: true}}); err == nil {
		t.Error("two anonymous keys are accepted")
	}
	if err := set.Replace("t", []Key{{Name: "other"}}); err == nil {
		t.Error("a key without a hash is accepted")
	}
}

func TestInvalidKeys(t *testing.T) {
	h := NewHasher(nil)
	hash := h.Hash("some-secret-or-other")
	for name, key := range map[string]Key{
		"no name":          {Hash: hash},
		"name with spaces": {Name: "a b", Hash: hash},
		"name like a flag": {Name: "-a", Hash: hash},
		"placeholder":      {Name: "{env.X}", Hash: hash},
		"id":               {Name: "a", ID: "x", Hash: hash},
		"pattern":          {Name: "a", Hash: hash, Models: []string{"*gpt"}},
		"empty pattern":    {Name: "a", Hash: hash, Models: []string{""}},
		"negated pattern":  {Name: "a", Hash: hash, Models: []string{"!gpt"}},
		"limit":            {Name: "a", Hash: hash, Limits: [][]string{{"requests"}}},
		"tag":              {Name: "a", Hash: hash, Tags: []string{"a\nb"}},
		"user":             {Name: "a", Hash: hash, User: "\xff"},
		"metadata":         {Name: "a", Hash: hash, Metadata: map[string]string{"": "x"}},
		"previous":         {Name: "a", Hash: hash, Previous: make([]Previous, 3)},
		"anonymous":        {Name: "a", Hash: hash, Anonymous: true},
	} {
		if err := NewSet(h).Replace("s", []Key{key}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAllows(t *testing.T) {
	for _, tt := range []struct {
		name          string
		patterns      []string
		model, target string
		want          bool
	}{
		{"none: all", nil, "x", "p/x", true},
		{"alias", []string{"chat"}, "chat", "openai/gpt-4.1", true},
		{"alias before its target is known", []string{"chat"}, "chat", "", true},
		{"target behind the alias", []string{"openai/gpt-4.1"}, "chat", "openai/gpt-4.1", true},
		{"fallback to another provider", []string{"openai/*"}, "chat", "anthropic/claude", false},
		{"alias by its target's name", []string{"chat"}, "openai/gpt-4.1", "openai/gpt-4.1", false},
		{"bare name does not open the provider's", []string{"gpt-4.1"}, "openai/gpt-4.1", "openai/gpt-4.1", false},
		{"prefix", []string{"gpt-*"}, "gpt-4.1", "openai/gpt-4.1", true},
		{"case", []string{"gpt-*"}, "GPT-4.1", "openai/GPT-4.1", false},
		{"trailing space", []string{"gpt-4"}, "gpt-4 ", "openai/gpt-4 ", false},
		{"look-alike", []string{"chat"}, "сhat", "", false},
		{"preset", []string{"gpt-4"}, "gpt-4@preset", "", false},
		{"all", []string{"*"}, "x", "", true},
		{"second", []string{"a", "b"}, "b", "", true},
		{"nothing asked", []string{"*"}, "", "", false},
		{"provider is no prefix of others", []string{"open/*"}, "x", "openai/x", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := Key{Models: tt.patterns}
			if got := key.Allows(tt.model, tt.target); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestReplaceUnderLoad looks up while the set changes, for the race detector.
func TestReplaceUnderLoad(t *testing.T) {
	h, random := NewHasher(nil), seeded(7)
	stays, secret := issue(t, h, random, Key{Name: "stays"})
	comes, _ := issue(t, h, random, Key{Name: "comes"})
	set := NewSet(h)
	if err := set.Replace("s", []Key{stays}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				if _, err := set.Find(secret, start); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 50 {
		for _, list := range [][]Key{{comes, stays}, {stays}} {
			if err := set.Replace("s", list); err != nil {
				t.Error(err)
			}
		}
	}
	wg.Wait()
}
