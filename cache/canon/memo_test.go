package canon

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/wire"
)

func TestMemo(t *testing.T) {
	m := NewMemo(1024, 1<<20)
	a := chat(`{"messages":[{"role":"user","content":"a"}],"seed":1}`)
	get := func(scope string, op *wire.Operation, body string, o Options) (Digest, Facts) {
		t.Helper()
		d, facts, err := m.Of(scope, op, []byte(body), o, true)
		if err != nil {
			t.Fatal(err)
		}
		return d, facts
	}
	for range 2 {
		d, facts := get("s", a.op, a.body, Options{})
		want, wantFacts, _ := Of(a.op, []byte(a.body), Options{})
		if diff := cmp.Diff(wantFacts, facts); d != want || diff != "" {
			t.Error("another digest", diff)
		}
	}
	if m.Len() != 1 {
		t.Errorf("%d are remembered", m.Len())
	}
	// Each of these is asked for the first time.
	for i, tt := range []struct {
		scope, body string
		op          *wire.Operation
		o           Options
	}{
		{"t", a.body, wire.Chat, Options{}},
		{"", a.body, wire.Chat, Options{}},
		{"s", a.body, wire.Chat, Options{IgnoreSeed: true}},
		{"s", a.body + " ", wire.Chat, Options{}},
		{"s" + a.body[:1], a.body[1:] + " ", wire.Chat, Options{}},
		{"s", a.body, wire.Messages, Options{}},
	} {
		d, _, err := m.Of(tt.scope, tt.op, []byte(tt.body), tt.o, true)
		if want, _, wantErr := Of(tt.op, []byte(tt.body), tt.o); d != want || (err == nil) != (wantErr == nil) {
			t.Errorf("row %d has the digest of another", i)
		}
	}
	if m.Len() != 6 { // the fifth is no JSON
		t.Errorf("%d are remembered", m.Len())
	}
	for range 2 {
		if _, _, err := m.Of("", wire.Speech, []byte(`{}`), Options{}, true); !errors.Is(err, ErrOperation) {
			t.Error(err)
		}
	}
}

// TestMemoScope looks whether a scope can tell by a hit what another has asked:
// a hit leaves the number of entries as it is.
func TestMemoScope(t *testing.T) {
	m := NewMemo(1024, 1<<20)
	body := []byte(`{"messages":[{"role":"user","content":"a"}]}`)
	for i, scope := range []string{"a", "b", "ab", "", "a\x00"} {
		_, _, _ = m.Of(scope, wire.Chat, body, Options{}, true)
		if m.Len() != i+1 {
			t.Errorf("scope %q found what another scope left", scope)
		}
	}
}

// TestMemoKey has a scope that ends like what stands between scope and body.
func TestMemoKey(t *testing.T) {
	k, mac := new(keyer), NewMemo(1, 1).mac
	between := string(wire.Chat.Dialect) + wire.Chat.Path + "\x00\x00"
	if k.key(mac, "", wire.Chat, []byte(between+"b"), Options{}) == k.key(mac, between, wire.Chat, []byte("b"), Options{}) {
		t.Error("nobody knows where a scope ends")
	}
}

// TestMemoLongText holds that of a long prompt all is remembered but its text,
// which who needs it gets nevertheless.
func TestMemoLongText(t *testing.T) {
	m := NewMemo(1024, 1<<20)
	text := strings.Repeat("x", longText+1)
	body := []byte(`{"messages":[{"role":"user","content":"` + text + `"}]}`)
	want, facts, err := Of(wire.Chat, body, Options{})
	if err != nil || facts.LastUser != text {
		t.Fatal(err)
	}
	cut := facts
	cut.LastUser = ""
	for i, need := range []bool{false, false, true, true, false} {
		wantFacts := facts
		if !need {
			wantFacts = cut
		}
		got, gotFacts, err := m.Of("s", wire.Chat, body, Options{}, need)
		if diff := cmp.Diff(wantFacts, gotFacts); got != want || diff != "" || err != nil {
			t.Errorf("%d: %v %s", i, err, diff)
		}
	}
	if m.Len() != 1 {
		t.Errorf("%d are remembered", m.Len())
	}
}

// TestTextStays holds that the text of one request does not become that of the next,
// which has its memory.
func TestTextStays(t *testing.T) {
	of := func(text string) Facts {
		_, facts, err := Of(wire.Chat, []byte(`{"messages":[{"role":"user","content":"`+text+`"}]}`), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return facts
	}
	want := strings.Repeat("x", 2000)
	first := of(want)
	for range 20 {
		of(strings.Repeat("y", 2000))
	}
	if first.LastUser != want {
		t.Errorf("it is now %.20s", first.LastUser)
	}
}

// TestMemoOfNoTwo asks for what differs in one place only, at any place: nothing is
// found of another.
func TestMemoOfNoTwo(t *testing.T) {
	k, mac := new(keyer), NewMemo(1, 1).mac
	body := bodyOf(2 << 10)
	seen := map[memoKey]string{}
	note := func(what, scope string, op *wire.Operation, body []byte, o Options) {
		key := k.key(mac, scope, op, body, o)
		if was, ok := seen[key]; ok {
			t.Errorf("%s is %s", what, was)
		}
		seen[key] = what
	}
	for i := range body {
		other := slices.Clone(body)
		other[i] ^= 1
		note(fmt.Sprint("another byte ", i), "s", wire.Chat, other, Options{})
		note(fmt.Sprint("cut at ", i), "s", wire.Chat, body[:i], Options{})
	}
	for _, scope := range []string{"", "s", "t", "ss", "s\x00", strings.Repeat("s", 300)} {
		for _, op := range []*wire.Operation{wire.Chat, wire.Completions, wire.Responses, wire.Messages, wire.GeminiGenerate, wire.Embeddings, wire.GeminiEmbed, wire.GeminiBatchEmbed} {
			for _, ignore := range []bool{false, true} {
				note(fmt.Sprint(scope, op.Path, ignore), scope, op, body, Options{IgnoreSeed: ignore})
			}
		}
	}
	again := new(keyer).key(mac, "s", wire.Chat, body, Options{})
	if seen[again] == "" {
		t.Error("the same is not the same")
	}
	if other := NewMemo(1, 1).mac; k.key(other, "s", wire.Chat, body, Options{}) == again {
		t.Error("two memos have one key")
	}
}

func TestMemoBounds(t *testing.T) {
	fill := func(m *Memo, n, size int) {
		pad := strings.Repeat("x", size)
		for i := range n {
			body := fmt.Sprintf(`{"messages":[{"role":"user","content":"%s%d"}]}`, pad, i)
			if _, _, err := m.Of("", wire.Chat, []byte(body), Options{}, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	weigh := func(m *Memo) (n int64) {
		for i := range m.shards {
			for _, gen := range []generation{m.shards[i].young, m.shards[i].old} {
				n += entrySize * int64(len(gen.entries))
				for _, w := range gen.said {
					n += w.size() + saidSize
				}
			}
		}
		return n
	}
	byCount := NewMemo(320, 1<<30)
	if fill(byCount, 3000, 1); byCount.Len() > 320 || byCount.Len() < 100 {
		t.Errorf("%d entries of 320", byCount.Len())
	}
	byWeight := NewMemo(1<<20, 1<<20)
	fill(byWeight, 3000, 2000)
	if got := weigh(byWeight); got > 1<<20 || got < 1<<18 {
		t.Errorf("%d bytes of 1 MiB", got)
	}
	long := NewMemo(1024, 1<<20)
	if fill(long, 3, longText); long.Len() != 3 || weigh(long) != 3*entrySize {
		t.Errorf("%d long ones are remembered in %d bytes", long.Len(), weigh(long))
	}
	none := NewMemo(0, 0)
	if fill(none, 3, 1); none.Len() != 0 {
		t.Error("a memo of nothing remembers")
	}
}

// TestMemoKeepsWhatIsUsed asks for one request between many others.
func TestMemoKeepsWhatIsUsed(t *testing.T) {
	m := NewMemo(320, 1<<20)
	used := []byte(`{"messages":[{"role":"user","content":"used"}]}`)
	key := new(keyer).key(m.mac, "", wire.Chat, used, Options{})
	s := &m.shards[key[0]%shards]
	for i := range 3000 {
		_, _, _ = m.Of("", wire.Chat, used, Options{}, true)
		if _, ok := s.young.entries[key]; !ok {
			t.Fatalf("forgotten after %d others", i)
		}
		_, _, _ = m.Of("", wire.Chat, fmt.Appendf(nil, `{"messages":[{"role":"user","content":"%d"}]}`, i), Options{}, true)
		if _, young := s.young.entries[key]; !young {
			if _, old := s.old.entries[key]; !old {
				t.Fatalf("forgotten after %d others", i)
			}
		}
	}
}

func TestMemoTogether(t *testing.T) {
	m := NewMemo(64, 1<<16)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 500 {
				body := fmt.Appendf(nil, `{"messages":[{"role":"user","content":"%d"}]}`, i%100)
				_, facts, err := m.Of(string(rune(g%2)), wire.Chat, body, Options{}, true)
				if err != nil || facts.LastUser != fmt.Sprint(i%100) {
					t.Errorf("%q, %v", facts.LastUser, err)
				}
			}
		})
	}
	all.Wait()
}

// bodyOf is a conversation of about so many bytes.
func bodyOf(size int) []byte {
	turn := `{"role":"user","content":"` + strings.Repeat("some words of a question ", 8) + `"},{"role":"assistant","content":"` + strings.Repeat("and of an answer ", 8) + `"},`
	head, tail := `{"model":"m","temperature":0.5,"max_tokens":100,"messages":[{"role":"system","content":"be brief"},`, `{"role":"user","content":"well?"}]}`
	return []byte(head + strings.Repeat(turn, max(1, (size-len(head)-len(tail))/len(turn))) + tail)
}

func BenchmarkOf(b *testing.B) {
	for _, size := range []int{1 << 10, 4 << 10, 64 << 10} {
		body := bodyOf(size)
		b.Run(fmt.Sprintf("decode/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Of(wire.Chat, body, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("memo/%dKiB", size>>10), func(b *testing.B) {
			m, scope := NewMemo(1024, 1<<20), "scope"
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := m.Of(scope, wire.Chat, body, Options{}, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
