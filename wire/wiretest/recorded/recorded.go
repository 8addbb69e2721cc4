// Package recorded reads the recorded answers of vendors for tests of
// translations.
package recorded

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproxy/weir/internal/eventstream"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
	"github.com/weirproxy/weir/wire/wiretest"
)

// Recording is one recorded answer, and what it was asked with.
type Recording struct {
	Name   string
	API    string `json:"api"`
	Stream bool   `json:"stream"`
	Status int    `json:"status"`

	Request struct {
		Body json.RawMessage `json:"body"`
	} `json:"request"`
	Response struct {
		BodyFile string `json:"body_file"`
	} `json:"response"`

	// Op is the operation that answered, and Answer its body: JSON, or a stream
	// of server-sent events when Stream is set.
	Op     *wire.Operation
	Answer []byte
}

// spoken are the operations by the recordings' names for them; a recording of
// another provider under the same name (Ollama's own chat) has another shape.
var spoken = map[string]*wire.Operation{
	"chat": wire.Chat, "completions": wire.Completions, "responses": wire.Responses, "messages": wire.Messages,
	"generate": wire.GeminiGenerate, "converse": wire.Converse,
}

// All returns the recorded answers below root, and below WEIR_FIXTURES if that
// is set, that are conversations and were successes.
func All(t testing.TB, root string) (list []*Recording) {
	metas, err := filepath.Glob(filepath.Join(root, "*", "*.meta.json"))
	if err != nil || len(metas) == 0 {
		t.Fatalf("finding recordings: %v", err)
	}
	if extra := os.Getenv("WEIR_FIXTURES"); extra != "" {
		more, _ := filepath.Glob(filepath.Join(extra, "*", "*.meta.json"))
		metas = append(metas, more...)
	}
	for _, path := range metas {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rec := &Recording{Name: strings.TrimSuffix(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), ".meta.json")}
		if json.Unmarshal(raw, rec) != nil || rec.Status != 200 {
			continue
		}
		provider := filepath.Base(filepath.Dir(path))
		rec.Op = spoken[rec.API]
		if provider == "cohere" && rec.API == "chat" {
			rec.Op = wire.CohereChat
		}
		if rec.Op == nil || rec.Response.BodyFile == "" || strings.HasSuffix(rec.Response.BodyFile, "ndjson") || provider == "sse" {
			continue
		}
		if rec.Answer, err = os.ReadFile(filepath.Join(filepath.Dir(path), filepath.Base(rec.Response.BodyFile))); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(rec.Response.BodyFile, ".eventstream.bin") {
			if rec.Answer, err = unframed(rec.Answer); err != nil {
				continue // recorded broken, which the frames' own tests check
			}
			rec.Stream = true
		}
		if provider == "ollama" && rec.API == "chat" && !bytes.Contains(rec.Answer, []byte(`"choices"`)) {
			continue // Ollama's own API
		}
		list = append(list, rec)
	}
	return list
}

func unframed(frames []byte) ([]byte, error) {
	var out bytes.Buffer
	_, err := out.ReadFrom(eventstream.SSE(bytes.NewReader(frames)))
	return out.Bytes(), err
}

// Decode reads the answer, a stream in pieces of chunk bytes.
func (r *Recording) Decode(chunk int) (*wire.Response, error) {
	codec := doors.Codec(r.Op)
	if r.Stream {
		res, _, err := wiretest.Collect(codec.StreamDecoder(), r.Answer, chunk)
		return res, err
	}
	return codec.DecodeResponse(r.Answer)
}

// Meaning is what a translation must keep of an answer.
type Meaning struct {
	Text     string
	Thinking string
	Calls    []string
	Finish   string
	Usage    wire.Usage

	// Explanation is what the vendor says of a refusal without a text. Some
	// dialects have no place for it, in others it is the text.
	Explanation string
}

// Cut stands for a call that was cut off.
const Cut = "cut off"

// Diff compares what a translation made of m.
func (m Meaning) Diff(got Meaning) string {
	if n := len(got.Calls); n > 0 && n == len(m.Calls) && got.Calls[n-1] == Cut {
		m.Calls = append(m.Calls[:n-1:n-1], Cut)
	}
	got.Usage.CacheRead = min(got.Usage.CacheRead, got.Usage.Input)
	if got.Text == m.Explanation {
		got.Text = m.Text
	}
	m.Explanation, got.Explanation = "", ""
	return cmp.Diff(m, got)
}

// MeaningOf reads a choice. What dialects word alike is one word here.
func MeaningOf(res *wire.Response, i int) Meaning {
	var m Meaning
	if i >= len(res.Choices) {
		return m
	}
	c := res.Choices[i]
	for _, b := range c.Blocks {
		switch b.Type {
		case wire.TextBlock, wire.RefusalBlock:
			m.Text += b.Text
		case wire.ThinkingBlock:
			m.Thinking += b.Text
		case wire.CallBlock:
			arguments := b.Call.Arguments
			if b.Call.Custom {
				arguments = wire.WrapCustom(arguments)
			}
			m.Calls = append(m.Calls, b.Call.Name+" "+CanonicalJSON(arguments))
		}
	}
	switch c.Finish {
	case wire.FinishStop, wire.FinishString, wire.FinishPause, wire.FinishNone:
		m.Finish = "stop"
	case wire.FinishLength, wire.FinishWindow:
		m.Finish = "length"
	case wire.FinishTools:
		m.Finish = "tools"
	case wire.FinishPolicy:
		m.Finish = "policy"
	case wire.FinishBroken:
		m.Finish = "stop"
	}
	if len(m.Calls) > 0 {
		m.Finish = "tools"
	}
	if m.Finish == "policy" && m.Text == "" {
		m.Explanation = c.Explanation
	}
	m.Usage = res.Usage.Usage
	m.Usage.CacheWrite = 0                                    // Gemini and some others have no place for it
	m.Usage.CacheRead = min(m.Usage.CacheRead, m.Usage.Input) // Azure counts what it hides
	return m
}

// CanonicalJSON is JSON text in one spelling, other text wrapped.
func CanonicalJSON(s string) string {
	if t := strings.TrimSpace(s); t == "" || t == "null" {
		return "{}"
	}
	var v any
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	if d.Decode(&v) != nil { // what dialects do with it that want an object
		v = map[string]string{"_raw": s}
	}
	out, _ := json.Marshal(v)
	return string(out)
}
