package cache

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/klauspost/compress/zstd"

	"github.com/weirproxy/weir/wire"
)

func mustCodec(tb testing.TB, secret string, limit int64) *codec {
	tb.Helper()
	c, err := newCodec([]byte(secret), limit)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func sample(scope, body string) *sealed {
	c := newClock()
	a := answer(c, body, "model:m", "key:a")
	return &sealed{key: keyOf(scope, "r"), scope: scope, answer: a, marks: []uint64{1, 2, 3}, until: c.Now().Add(time.Hour)}
}

func TestCodecRoundTrip(t *testing.T) {
	for name, change := range map[string]func(*Answer){
		"whole":           func(*Answer) {},
		"stream":          func(a *Answer) { a.Form.Stream, a.Form.Usage = true, true },
		"translated":      func(a *Answer) { a.Form.Operation, a.Canonical = wire.Messages, []byte("canonical") },
		"empty canonical": func(a *Answer) { a.Canonical = []byte{} },
		"no price":        func(a *Answer) { a.Cost = -1 },
		"large": func(a *Answer) {
			a.Form.Body = bytes.Repeat([]byte("0123456789"), 20_000)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, secret := range []string{"", "secret"} {
				c := mustCodec(t, secret, DefaultMaxEntry)
				want := sample("a", "body")
				change(want.answer)
				got, err := c.open(c.seal(want), want.key, want.scope)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(sealed{}), cmpopts.EquateComparable(&wire.Operation{})); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// bomb is a value with a proper sum whose content is larger than it says.
func bomb(c *codec, key Key, says int) []byte {
	zip, _ := zstd.NewWriter(nil)
	b := make([]byte, atContent)
	copy(b, magic)
	b[2], b[3] = schema, c.kind()
	copy(b[atKey:], key[:])
	binary.LittleEndian.PutUint32(b[atLength:], uint32(says))
	b = zip.EncodeAll(make([]byte, 64<<20), b)
	copy(b[atSum:], c.sum(b))
	return b
}

// TestCodecRefuses is K08: no value that is not the answer that was asked for is
// one.
func TestCodecRefuses(t *testing.T) {
	for _, secret := range []string{"", "secret"} {
		c := mustCodec(t, secret, 1<<20)
		e, other := sample("a", strings.Repeat("body ", 100)), sample("b", "other")
		good := c.seal(e)
		change := func(at int) func() []byte {
			return func() []byte {
				b := bytes.Clone(good)
				b[at] ^= 1
				return b
			}
		}
		resum := func(at int, to byte) func() []byte {
			return func() []byte {
				b := bytes.Clone(good)
				b[at] = to
				copy(b[atSum:], c.sum(b))
				return b
			}
		}
		for name, value := range map[string]func() []byte{
			"empty":             func() []byte { return nil },
			"header only":       func() []byte { return good[:atContent] },
			"truncated":         func() []byte { return good[:len(good)-1] },
			"longer":            func() []byte { return append(bytes.Clone(good), 0) },
			"another key's":     func() []byte { return c.seal(other) },
			"content changed":   change(atContent + 5),
			"sum changed":       change(atSum),
			"key changed":       change(atKey),
			"older schema":      resum(2, schema-1),
			"newer schema":      resum(2, schema+1),
			"another magic":     resum(0, 'X'),
			"bomb":              func() []byte { return bomb(c, e.key, 1000) },
			"honest bomb":       func() []byte { return bomb(c, e.key, 64<<20) },
			"wrong length":      resum(atLength, good[atLength]+1),
			"secret's sum":      func() []byte { return mustCodec(t, "another", 1<<20).seal(e) },
			"sum without":       func() []byte { return mustCodec(t, map[string]string{"": "s"}[secret], 1<<20).seal(e) },
			"unknown operation": func() []byte { b, _ := e.append(nil); b[0] = 200; return pack(c, e.key, b) },
			"unknown flag":      func() []byte { b, _ := e.append(nil); b[1] = 0x80; return pack(c, e.key, b) },
			"more content":      func() []byte { b, _ := e.append(nil); return pack(c, e.key, append(b, 0)) },
			"less content":      func() []byte { b, _ := e.append(nil); return pack(c, e.key, b[:len(b)-1]) },
		} {
			if got, err := c.open(value(), e.key, "a"); err == nil {
				t.Errorf("secret %q, %s: %+v", secret, name, got)
			}
		}
		if got, err := c.open(good, e.key, "b"); err == nil {
			t.Errorf("for another scope: %+v", got)
		}
		if _, err := c.open(good, e.key, "a"); err != nil {
			t.Error(err)
		}
		for range 2000 {
			b := bytes.Clone(good)
			b[rand.IntN(len(b))] ^= byte(1 + rand.IntN(255))
			if _, err := c.open(b, e.key, "a"); err == nil {
				t.Fatal("a changed byte is not noticed")
			}
		}
	}
}

// pack seals a content as it is.
func pack(c *codec, key Key, content []byte) []byte {
	b := make([]byte, atContent)
	copy(b, magic)
	b[2], b[3] = schema, c.kind()
	copy(b[atKey:], key[:])
	binary.LittleEndian.PutUint32(b[atLength:], uint32(len(content)))
	b = c.zip.EncodeAll(content, b)
	copy(b[atSum:], c.sum(b))
	return b
}

func TestCodecSealsNothingElse(t *testing.T) {
	c := mustCodec(t, "", 1000)
	for name, change := range map[string]func(*Answer){
		"too large":           func(a *Answer) { a.Form.Body = make([]byte, slack+2000) },
		"another's operation": func(a *Answer) { a.Form.Operation = wire.Converse },
	} {
		e := sample("a", "b")
		change(e.answer)
		if c.seal(e) != nil {
			t.Errorf("%s is sealed", name)
		}
	}
}

// FuzzContent holds that whatever a content is, reading it ends without a panic,
// and what is read is written again as the same.
func FuzzContent(f *testing.F) {
	e := sample("a", "body")
	b, _ := e.append(nil)
	f.Add(b)
	f.Add([]byte{0, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		got := &sealed{}
		if !got.read(b) {
			return
		}
		again, ok := got.append(nil)
		twice := &sealed{}
		if !ok || !twice.read(again) {
			t.Fatalf("%+v cannot be written and read again", got)
		}
		if diff := cmp.Diff(got, twice, cmp.AllowUnexported(sealed{}), cmpopts.EquateComparable(&wire.Operation{})); diff != "" {
			t.Error(diff)
		}
	})
}

// FuzzOpen holds that no bytes make open panic or take what is not sealed.
func FuzzOpen(f *testing.F) {
	c, _ := newCodec([]byte("secret"), 1<<16)
	e := sample("a", "body")
	good := c.seal(e)
	f.Add(good)
	f.Add(bomb(c, e.key, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := c.open(b, e.key, "a"); err == nil && !bytes.Equal(b, good) {
			t.Errorf("%x is taken", b)
		}
	})
}
