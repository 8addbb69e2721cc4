package keys

import (
	"errors"
	"testing"
	"time"
)

func FuzzParseID(f *testing.F) {
	secret, err := NewSecret(seeded(8), "0123456789")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{secret, secret[:30], Prefix, "", "sk-proj-x", secret + "x"} {
		f.Add(seed)
	}
	set, _ := found(f)
	f.Fuzz(func(t *testing.T, credential string) {
		id, ok, err := ParseID(credential)
		if ok && (err != nil || len(id) != idLength || len(credential) != tokenLength) {
			t.Errorf("%q: id %q, %v", credential, id, err)
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", credential, err)
		}
		if _, findErr := set.Find(credential, start); (err != nil) != errors.Is(findErr, ErrDamaged) {
			t.Errorf("%q: parsing %v, finding %v", credential, err, findErr)
		}
	})
}

// FuzzFile reads foreign bytes as a keys file. What is accepted must be
// accepted again after it was written.
func FuzzFile(f *testing.F) {
	hash := NewHasher(nil).Hash("some-secret-or-other")
	for _, seed := range []string{
		`{"version":1,"keys":[]}`,
		`{"version":1,"keys":[{"name":"a","hash":"` + hash + `","limits":[["requests","60","1m"]],"expires":"2026-01-01T00:00:00Z"}]}`,
		`{"version":1,"keys":[{"name":"a"}]}`, `{"version":2}`, `[]`, ``, `{"version":1,"keys":[]} x`, `{"version":1,"key":[]}`,
	} {
		f.Add([]byte(seed))
	}
	file := NewFile("k.json", NewHasher(nil), func() time.Time { return start }, nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := file.decode(data)
		if err == nil {
			if err := NewSet(file.hasher).Replace("again", list); err != nil {
				t.Errorf("accepted, then refused: %v", err)
			}
		}
	})
}
