package tokenizer

import (
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestBlockHash compares with the definition: the sum of the products of pairs of
// words, each with a word of the key added.
func TestBlockHash(t *testing.T) {
	key := newBlockHash()
	random := rand.NewChaCha8([32]byte{1})
	number := func(v uint64) *big.Int { return new(big.Int).SetUint64(v) }
	for _, size := range []int{0, 1, 7, 8, 15, 16, 63, 64, 65, 500, 4096, prefixBlock - 1, prefixBlock} {
		block := make([]byte, size)
		_, _ = random.Read(block)
		padded := slices.Concat(block, make([]byte, (64-size%64)%64))
		want := new(big.Int)
		for i := 0; i < len(padded); i += 16 {
			a := binary.LittleEndian.Uint64(padded[i:]) + key[i/8]
			b := binary.LittleEndian.Uint64(padded[i+8:]) + key[i/8+1]
			want.Add(want, new(big.Int).Mul(number(a), number(b)))
		}
		want.And(want, new(big.Int).Sub(new(big.Int).Lsh(number(1), 128), number(1)))
		hi, lo := key.sum(block)
		if got := new(big.Int).Or(new(big.Int).Lsh(number(hi), 64), number(lo)); got.Cmp(want) != 0 {
			t.Errorf("%d bytes: %x, want %x", size, got, want)
		}
	}
	if other := newBlockHash(); *other == *key {
		t.Error("two keys are the same")
	}
}

// TestChain holds that a key stands for every byte before its end, and for where
// each block begins.
func TestChain(t *testing.T) {
	m := NewMemoOf(96)
	raw := make([]byte, 5*96+10)
	seen := map[memoKey]int{}
	note := func(from int) {
		for i, k := range m.chain(nil, memoKey{1, 2}, raw) {
			if (i+1)*96 <= from {
				continue // before what was changed
			}
			if was, ok := seen[k]; ok {
				t.Fatalf("block %d after a change of byte %d has the key of a block after a change of byte %d", i, from, was)
			}
			seen[k] = from
		}
	}
	note(0)
	for i := range 5 * 96 {
		raw[i] ^= 1 << (i % 8)
		note(i)
		raw[i] ^= 1 << (i % 8)
	}
	if n, want := len(m.chain(nil, memoKey{1, 2}, raw)), 5; n != want {
		t.Errorf("%d blocks, want %d", n, want)
	}
	if m.chain(nil, memoKey{1, 2}, raw)[0] == m.chain(nil, memoKey{1, 3}, raw)[0] {
		t.Error("what is before the blocks is not in their keys")
	}
}

func BenchmarkBlockHash(b *testing.B) {
	key, block := newBlockHash(), make([]byte, prefixBlock)
	b.SetBytes(prefixBlock)
	for b.Loop() {
		key.sum(block)
	}
}
