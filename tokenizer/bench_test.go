package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cpuTime is the processor time of the process: on a shared machine the only
// fair clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// loop runs f, which covers size bytes, and reports its speed by processor time.
func loop(b *testing.B, size int, f func()) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	start := cpuTime()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(size)*float64(b.N)/1e6/(cpuTime()-start).Seconds(), "MB/cpu-s")
}

// corpora reads *.txt from the directory in WEIR_CORPUS, cut into documents of
// about 4,000 bytes; see bench/tokenizer for how it is made.
func corpora(tb testing.TB) map[string][]string {
	tb.Helper()
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		tb.Skip("WEIR_CORPUS names no directory")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		tb.Fatal(err)
	}
	corpora := map[string][]string{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		corpora[strings.TrimSuffix(filepath.Base(path), ".txt")] = cut(string(raw), 4000)
	}
	return corpora
}

// cut splits text at the ends of lines into documents of about size bytes.
func cut(text string, size int) []string {
	var documents []string
	for len(text) > size {
		at := strings.LastIndexByte(text[:size], '\n') + 1
		if at == 0 {
			at = size
		}
		documents = append(documents, text[:at])
		text = text[at:]
	}
	return append(documents, text)
}

func BenchmarkCorpus(b *testing.B) {
	for _, name := range []string{"o200k_base", "cl100k_base", "p50k_base"} {
		e := encoding(b, name)
		for corpus, documents := range corpora(b) {
			total := 0
			for _, d := range documents {
				total += len(d)
			}
			b.Run(name+"/"+corpus, func(b *testing.B) {
				loop(b, total, func() {
					for _, d := range documents {
						e.CountString(d)
					}
				})
			})
		}
	}
}

// hostile are texts of n bytes or a little more that make other counters
// quadratic.
func hostile(n int) map[string]string {
	fill := func(s string) string { return strings.Repeat(s, n/len(s)+1) }
	random := func(alphabet string) string {
		state := uint64(88172645463325252)
		var b strings.Builder
		for b.Len() < n {
			state ^= state << 13
			state ^= state >> 7
			state ^= state << 17
			b.WriteByte(alphabet[state>>33%uint64(len(alphabet))])
		}
		return b.String()
	}
	const lower = "abcdefghijklmnopqrstuvwxyz"
	return map[string]string{
		"a": fill("a"), "spaces": fill(" "), "spaces-x": fill(" ") + "x", "newlines": fill("\n"), "tab-space-newline": fill("\t \n"),
		"é": fill("é"), "digits": fill("7"), "emoji": fill("😀"), "zwj": fill("👩‍👩‍👧‍👦"), "marks": fill("e\u0301\u0300"), "nbsp": fill("\u00a0"),
		"base64": random("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
		"lower":  random(lower), "upper": random(strings.ToUpper(lower)), "rulers": fill("=-"), "bangs": fill("!"),
		"han": fill("水坝测量流而不阻挡它"), "thai": fill("เขื่อนวัดน้ำโดยไม่หยุดน้ำ"), "invalid": fill("\xff"), "nul": fill("\x00"),
		"aB": fill("aB"), "中A": fill("中A"), "'s": fill("'s"), "'re": fill("'r"),
	}
}

func BenchmarkHostile(b *testing.B) {
	e := encoding(b, "o200k_base")
	for name, text := range hostile(1 << 20) {
		b.Run(name, func(b *testing.B) {
			loop(b, len(text), func() { e.CountString(text) })
		})
	}
}
