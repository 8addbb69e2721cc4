package bench

import (
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	pkoukk "github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
	other "github.com/tiktoken-go/tokenizer"

	"github.com/weirproxy/weir/tokenizer"
	"github.com/weirproxy/weir/wire"
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

type counter struct {
	name string
	load func() (func(string) int, error)
}

func counters(encoding string) []counter {
	return []counter{
		{"weir", func() (func(string) int, error) {
			e, err := tokenizer.ByName(encoding)
			if err != nil {
				return nil, err
			}
			return e.CountString, e.Load()
		}},
		{"tiktoken-go", func() (func(string) int, error) {
			pkoukk.SetBpeLoader(loader.NewOfflineLoader())
			e, err := pkoukk.GetEncoding(encoding)
			return func(s string) int { return len(e.EncodeOrdinary(s)) }, err
		}},
		{"tiktoken-go_tokenizer", func() (func(string) int, error) {
			e, err := other.Get(other.Encoding(encoding))
			return func(s string) int {
				n, err := e.Count(s)
				if err != nil {
					return -1
				}
				return n
			}, err
		}},
	}
}

func corpora(tb testing.TB) []Corpus {
	tb.Helper()
	all, err := Corpora(os.Getenv("WEIR_CORPUS"))
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// BenchmarkCount is the table of docs/token-counting.md.
func BenchmarkCount(b *testing.B) {
	for _, encoding := range []string{"o200k_base", "cl100k_base"} {
		for _, c := range counters(encoding) {
			count, err := c.load()
			if err != nil {
				b.Fatal(err)
			}
			for _, corpus := range corpora(b) {
				b.Run(encoding+"/"+c.name+"/"+corpus.Name, func(b *testing.B) {
					size := corpus.Size()
					b.SetBytes(int64(size))
					b.ReportAllocs()
					tokens := 0
					start := cpuTime()
					for b.Loop() {
						tokens = 0
						for _, d := range corpus.Documents {
							tokens += count(d)
						}
					}
					b.ReportMetric(float64(size)*float64(b.N)/1e6/(cpuTime()-start).Seconds(), "MB/cpu-s")
					b.ReportMetric(float64(tokens), "tokens")
				})
			}
		}
	}
}

// BenchmarkStream counts the running total after every delta.
func BenchmarkStream(b *testing.B) {
	e, err := tokenizer.ByName("o200k_base")
	if err == nil {
		err = e.Load()
	}
	if err != nil {
		b.Fatal(err)
	}
	var deltas [][]byte
	for _, c := range corpora(b) {
		if c.Name == "deltas" {
			for _, d := range c.Documents {
				deltas = append(deltas, []byte(d))
			}
		}
	}
	for _, each := range []bool{false, true} {
		name := "add"
		if each {
			name = "add-and-count"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			s := e.NewStream()
			start := cpuTime()
			i := 0
			for b.Loop() {
				if i == len(deltas) {
					i = 0
					s.Reset()
				}
				s.Add(deltas[i])
				if each {
					s.Count()
				}
				i++
			}
			b.ReportMetric(float64((cpuTime()-start).Nanoseconds())/float64(b.N), "cpu-ns/delta")
		})
	}
}

// BenchmarkChatTurns counts the 50 prompts of a chat of 50 turns, each of
// which sends the whole history again.
func BenchmarkChatTurns(b *testing.B) {
	var messages [][]byte
	for _, c := range corpora(b) {
		if c.Name == "chat-50" {
			for _, d := range c.Documents {
				raw, err := json.Marshal(map[string]string{"role": "user", "content": d})
				if err != nil {
					b.Fatal(err)
				}
				messages = append(messages, raw)
			}
		}
	}
	family := tokenizer.ForModel("gpt-4o")
	if err := family.Encoding.Load(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for turn := 1; turn <= len(messages); turn += 2 {
			p := family.NewPrompt()
			for _, m := range messages[:turn] {
				if !p.BeginMessage(wire.ChatMessage, m) {
					p.Role([]byte("user"))
					p.Text(m)
				}
				p.EndMessage()
			}
			p.Tokens()
			p.Release()
		}
	}
}

// TestLoad prints the time to load each library's o200k_base and the memory
// that it holds; run it with -run TestLoad/NAME for one process each.
func TestLoad(t *testing.T) {
	for _, c := range counters("o200k_base") {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			cpu, start := cpuTime(), time.Now()
			count, err := c.load()
			if err != nil {
				t.Fatal(err)
			}
			count("warm")
			wall, used := time.Since(start), cpuTime()-cpu
			debug.FreeOSMemory()
			runtime.ReadMemStats(&after)
			t.Logf("%s: %v (%v of processor time), %.1f MB of heap", c.name, wall, used, float64(after.HeapAlloc-before.HeapAlloc)/1e6)
			runtime.KeepAlive(count)
		})
	}
}
