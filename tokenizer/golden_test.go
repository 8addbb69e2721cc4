package tokenizer

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"testing"
)

// goldenNames is the order of the encodings in a record.
var goldenNames = []string{"o200k_base", "cl100k_base", "p50k_base", "r50k_base"}

// TestGolden compares with what OpenAI's tiktoken 0.14.0 gave; the vectors and
// their format come from internal/gen/golden.py.
func TestGolden(t *testing.T) { compareVectors(t, "testdata/golden.gz") }

// TestVectors compares with a larger file of the same kind, made on the spot.
func TestVectors(t *testing.T) {
	path := os.Getenv("WEIR_VECTORS")
	if path == "" {
		return // no larger file was asked for
	}
	compareVectors(t, path)
}

func openGzip(t *testing.T, path string) *bufio.Reader {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	plain, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	return bufio.NewReaderSize(plain, 1<<20)
}

type golden struct{ tokens, crc uint32 }

func readGolden(t *testing.T, r *bufio.Reader) golden {
	t.Helper()
	tokens, err := binary.ReadUvarint(r)
	var crc [4]byte
	if err == nil {
		_, err = io.ReadFull(r, crc[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return golden{uint32(tokens), binary.LittleEndian.Uint32(crc[:])}
}

func crcOf(crc uint32, ids []int) uint32 {
	var word [4]byte
	for _, id := range ids {
		binary.LittleEndian.PutUint32(word[:], uint32(id))
		crc = crc32.Update(crc, crc32.IEEETable, word[:])
	}
	return crc
}

func compareVectors(t *testing.T, path string) {
	r := openGzip(t, path)
	var encodings []*Encoding
	var streams []*Stream
	for _, name := range goldenNames {
		e := encoding(t, name)
		encodings = append(encodings, e)
		streams = append(streams, e.NewStream())
	}
	var ids []int
	documents, wrong := 0, 0
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf(format, args...)
		if wrong++; wrong == 20 {
			t.Fatal("and more")
		}
	}
	for {
		size, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) {
			break
		}
		text := make([]byte, size)
		if _, err := io.ReadFull(r, text); err != nil {
			t.Fatal(err)
		}
		documents++
		for i, e := range encodings {
			want := readGolden(t, r)
			if documents%sampled != 0 {
				continue
			}
			ids = e.Encode(ids[:0], string(text))
			if got := (golden{uint32(len(ids)), crcOf(0, ids)}); got != want {
				fail("%s: document %d %.200q: %d tokens %v, want %d", e.Name(), documents, text, got.tokens, ids[:min(20, len(ids))], want.tokens)
			}
			for range 2 { // cold and from the caches
				if got := e.Count(text); uint32(got) != want.tokens {
					fail("%s: document %d %.200q: counted %d, want %d", e.Name(), documents, text, got, want.tokens)
				}
			}
			s := streams[i]
			s.Reset()
			for at := 0; at < len(text); {
				n := min(1+(documents+at)%7, len(text)-at)
				s.Add(text[at : at+n])
				at += n
			}
			if got := s.Count(); uint32(got) != want.tokens {
				fail("%s: document %d %.200q: streamed %d, want %d", e.Name(), documents, text, got, want.tokens)
			}
		}
	}
	if documents == 0 {
		t.Error("no documents")
	}
	t.Logf("%d documents", documents)
}

// codepointTexts is codepoint_texts of internal/gen/golden.py.
func codepointTexts(r rune) []string {
	if r >= 0xD800 && r < 0xE000 {
		return nil
	}
	c := string(r)
	return []string{
		c, c + c, "a" + c + "b", "A" + c + "B", " " + c + "A" + c + "a" + c + "\u0301",
		"1" + c + " !" + c + "\n" + c + "  ",
	}
}

// TestCodePoints compares every code point in six surroundings.
func TestCodePoints(t *testing.T) {
	r := openGzip(t, "testdata/codepoints.gz")
	var encodings []*Encoding
	for _, name := range goldenNames {
		encodings = append(encodings, encoding(t, name))
	}
	var ids []int
	for first := rune(0); first < 0x110000; first += 256 {
		// Most blocks are ideographs or unassigned; a sample of those will do.
		block := first >> 8
		dull := classTable[block] == classTable[0x60] || classTable[block] == classTable[0x0A00]
		skip := dull && block%16 != 0 && os.Getenv("WEIR_VECTORS") == "" || block%sampled != 0
		for _, e := range encodings {
			if skip {
				readGolden(t, r)
				continue
			}
			var got golden
			counted := 0
			for cp := first; cp < first+256; cp++ {
				for _, text := range codepointTexts(cp) {
					ids = e.Encode(ids[:0], text)
					got.tokens += uint32(len(ids))
					got.crc = crcOf(got.crc, ids)
					counted += e.CountString(text)
				}
			}
			if want := readGolden(t, r); got != want || uint32(counted) != want.tokens {
				t.Fatalf("%s: U+%04X and the 255 after it: %d tokens, counted %d, want %d", e.Name(), first, got.tokens, counted, want.tokens)
			}
		}
	}
}
