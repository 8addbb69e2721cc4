// Command vocab packs OpenAI's vocabularies for embedding. It reads the rank
// files of tiktoken-go-loader, whose SHA-256 are the ones in tiktoken's
// source, and writes data/<name>.vocab in the format that vocab.go reads.
// p50k_base holds r50k_base and 24 runs of spaces more, so one file serves
// both. Run from the tokenizer directory:
//
//	go run ./internal/gen/vocab
package main

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log"
	"math/bits"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/pkoukk/tiktoken-go-loader/assets"
)

// published are the hashes in tiktoken_ext/openai_public.py.
var published = map[string]string{
	"o200k_base":  "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
	"cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
	"p50k_base":   "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
	"r50k_base":   "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
}

func main() {
	p50k := pack("p50k_base")
	if err := checkSubset(p50k, read("r50k_base")); err != nil {
		log.Fatal(err)
	}
	pack("cl100k_base")
	pack("o200k_base")
}

// read returns the ranks of a vocabulary by token.
func read(name string) map[string]int {
	raw, err := assets.Assets.ReadFile(name + ".tiktoken")
	if err != nil {
		log.Fatal(err)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != published[name] {
		log.Fatalf("%s: not the file that OpenAI publishes", name)
	}
	ranks := map[string]int{}
	for line := range strings.Lines(string(raw)) {
		word, rank, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		token, err := base64.StdEncoding.DecodeString(word)
		if err != nil {
			log.Fatal(err)
		}
		if ranks[string(token)], err = strconv.Atoi(rank); err != nil {
			log.Fatal(err)
		}
	}
	return ranks
}

func pack(name string) map[string]int {
	ranks := read(name)
	tokens := make([]string, 0, len(ranks))
	for token := range ranks {
		tokens = append(tokens, token)
	}
	sort.Strings(tokens)

	var shared, rest, left, suffix, rankBits []byte
	width := bits.Len(uint(len(ranks)))
	acc, n := uint64(0), 0
	previous := ""
	for _, token := range tokens {
		k := 0
		for k < len(token) && k < len(previous) && token[k] == previous[k] {
			k++
		}
		shared = append(shared, byte(k))
		rest = append(rest, byte(len(token)-k))
		suffix = append(suffix, token[k:]...)
		left = append(left, byte(leftHalf(ranks, token)))
		acc |= uint64(ranks[token]) << n
		for n += width; n >= 8; n -= 8 {
			rankBits = append(rankBits, byte(acc))
			acc >>= 8
		}
		previous = token
	}
	rankBits = append(rankBits, byte(acc), 0, 0, 0, 0, 0, 0, 0)

	out := binary.AppendUvarint(nil, uint64(len(tokens)))
	out = binary.AppendUvarint(out, uint64(width))
	for _, stream := range [][]byte{shared, rest, left, suffix} {
		small := deflate(stream)
		out = binary.AppendUvarint(out, uint64(len(stream)))
		out = binary.AppendUvarint(out, uint64(len(small)))
		out = append(out, small...)
	}
	out = append(out, rankBits...)
	if err := os.WriteFile(filepath.Join("data", name+".vocab"), out, 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %d tokens, %d bytes\n", name, len(tokens), len(out))
	return ranks
}

func deflate(b []byte) []byte {
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, flate.BestCompression)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		log.Fatal(err)
	}
	return buf.Bytes()
}

// leftHalf merges the bytes of token with the merges of lower rank and returns
// the length of the first of the two parts that are left. The counter relies
// on there being exactly two: it is a property of the vocabulary.
func leftHalf(ranks map[string]int, token string) int {
	if len(token) == 1 {
		return 0
	}
	parts := make([]string, len(token))
	for i := range parts {
		parts[i] = token[i : i+1]
	}
	for len(parts) > 2 {
		best, at := ranks[token], -1
		for i := range len(parts) - 1 {
			if r, ok := ranks[parts[i]+parts[i+1]]; ok && r < best {
				best, at = r, i
			}
		}
		if at < 0 {
			log.Fatalf("token %q does not come from two tokens of lower rank", token)
		}
		parts[at] += parts[at+1]
		parts = append(parts[:at+1], parts[at+2:]...)
	}
	return len(parts[0])
}

// checkSubset reports whether small is large without its tokens of rank 50256
// and more.
func checkSubset(large, small map[string]int) error {
	for token, rank := range small {
		if large[token] != rank {
			return fmt.Errorf("token %q: rank %d in r50k_base, %d in p50k_base", token, rank, large[token])
		}
	}
	extra := len(large) - len(small)
	for _, rank := range large {
		if rank >= 50256 {
			extra--
		}
	}
	if extra != 0 {
		return fmt.Errorf("p50k_base has %d tokens more below rank 50256", extra)
	}
	return nil
}
