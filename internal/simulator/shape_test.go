package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recording is the request of a fixture; what a replay changes is in edit.
func recording(t *testing.T, name string, edit map[string]any) (path, body, response string) {
	t.Helper()
	var meta struct {
		Request struct {
			URL  string         `json:"url"`
			Body map[string]any `json:"body"`
		} `json:"request"`
		Response struct {
			BodyFile string `json:"body_file"`
		} `json:"response"`
	}
	base := filepath.Join("testdata", "fixtures", name)
	raw, err := os.ReadFile(base + ".meta.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &meta); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(filepath.Dir(base), meta.Response.BodyFile))
	if err != nil {
		t.Fatal(err)
	}
	if meta.Request.Body == nil {
		meta.Request.Body = map[string]any{}
	}
	for k, v := range edit {
		meta.Request.Body[k] = v
	}
	b, err := json.Marshal(meta.Request.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, path, _ = strings.Cut(strings.TrimPrefix(meta.Request.URL, "https://"), "/")
	path, _, _ = strings.Cut("/"+path, "?")
	return path, string(b), string(got)
}

// shape lists the events of a stream, or the one body: its name and the paths
// of its members in their order, with runs of equal events as one.
func shape(t *testing.T, body string, skip ...string) []string {
	t.Helper()
	var list []string
	name := ""
	for line := range strings.SplitSeq(body, "\n") {
		if n, ok := strings.CutPrefix(line, "event: "); ok {
			name = n
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		s := name + " " + data
		if data != "[DONE]" {
			s = name + " " + strings.Join(members(t, data, skip), " ")
		}
		name = ""
		if len(list) == 0 || list[len(list)-1] != s {
			list = append(list, s)
		}
	}
	if list == nil {
		return members(t, body, skip)
	}
	return list
}

// members are the paths in a JSON value in their order. Array elements share
// a path, and what strings and numbers say is not looked at.
func members(t *testing.T, doc string, skip []string) []string {
	t.Helper()
	var list []string
	dec := json.NewDecoder(strings.NewReader(doc))
	dec.UseNumber()
	var walk func(path string)
	walk = func(path string) {
		tok, err := dec.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		if !slices.Contains(list, path) && !skipped(path, skip) {
			list = append(list, path)
		}
		if d, ok := tok.(json.Delim); ok {
			for dec.More() {
				at := path
				if d == '{' {
					key, err := dec.Token()
					if err != nil {
						t.Fatal(err)
					}
					at = path + "." + fmt.Sprint(key)
				}
				walk(at)
			}
			if _, err := dec.Token(); err != nil {
				t.Fatal(err)
			}
		}
	}
	walk("")
	return list[1:]
}

// skipped says whether a member or one around it is in skip.
func skipped(path string, skip []string) bool {
	for name := range strings.SplitSeq(path, ".") {
		if slices.Contains(skip, name) {
			return true
		}
	}
	return false
}

// TestShapesOfRecordings replays recorded requests and compares the sequence
// of events and the members of each, with their order, to what the vendor
// sent. Members that the vendor added or dropped since are skipped by name.
func TestShapesOfRecordings(t *testing.T) {
	quiet := map[string]any{"include_obfuscation": false}
	for _, tt := range []struct {
		name     string
		edit     map[string]any
		cfg      Config
		skip     []string
		anyOrder bool
		tail     int // compare so many of the last events
	}{
		{name: "openai/chat-stream-service-tier", edit: map[string]any{"stream_options": quiet}},
		{name: "openai/completions-stream-basic"},
		{name: "openai/completions-stream-length-stream-options"},
		{name: "openai/chat-parallel-tools-n", edit: map[string]any{"model": "tool"}},
		{name: "openai/completions-length", edit: map[string]any{"max_tokens": 8}},
		{name: "openai/models-get-basic"},
		{name: "openai/moderations-array", edit: map[string]any{"input": []any{"one", "two"}}},
		{
			name: "openai/chat-stream-parallel-tools-stream-options", edit: map[string]any{"model": "tool"},
			skip: []string{"logprobs"}, anyOrder: true, // its own chunks disagree about the place of usage
		},
		{name: "openai/embeddings-encoding-format-dimensions", anyOrder: true},                                           // sorted by its recorder
		{name: "openai/responses-stream-parallel-tools", edit: map[string]any{"model": "tool"}, skip: []string{"tools"}}, // the test sorts their members
		{
			name: "openai/responses-stream-refusal-schema", edit: map[string]any{"model": "refuse", "stream_options": quiet},
			skip: []string{"completed_at", "frequency_penalty", "presence_penalty", "moderation", "prompt_cache_retention", "description", "context"}, anyOrder: true,
		},
		{
			name: "openai/responses-stream-midstream-error-insufficient-quota",
			edit: map[string]any{"model": "err-stream-0", "input": "Hello", "stream": true},
			skip: []string{"completed_at", "frequency_penalty", "presence_penalty", "moderation", "context"}, anyOrder: true, tail: 2,
		},
		{name: "openai/chat-err429-rate-limit-tokens", edit: map[string]any{"model": "err-429"}},
		{name: "anthropic/messages-stream-stop-sequence", edit: map[string]any{"stop_sequences": []string{" "}}},
		{name: "anthropic/messages-stream-parallel-tools", cfg: Config{ToolCalls: []ToolCall{{}, {}}}, skip: []string{"caller"}},
		{
			name: "anthropic/messages-stream-midstream-error-overloaded",
			edit: map[string]any{"model": "err-stream-1", "max_tokens": 9, "stream": true, "messages": []any{map[string]any{"role": "user", "content": "Hi"}}},
			skip: []string{"cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "service_tier", "inference_geo", "stop_details"}, anyOrder: true,
		},
		{name: "anthropic/messages-stop-sequence", edit: map[string]any{"stop_sequences": []string{" "}}, skip: []string{"stop_details", "inference_geo"}},
		{name: "anthropic/messages-err429-rate-limit", edit: map[string]any{"model": "err-429"}},
		{name: "anthropic/count-tokens-basic"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, body, want := recording(t, tt.name, tt.edit)
			method := "POST"
			if strings.Contains(path, "/models/") {
				method = "GET"
			}
			res, err := simulate(tt.cfg).RoundTrip(request(t, t.Context(), method, path, body))
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, res)
			a, b := shape(t, want, tt.skip...), shape(t, got, tt.skip...)
			if tt.anyOrder {
				a, b = sorted(a), sorted(b)
			}
			if tt.tail > 0 {
				a, b = a[len(a)-tt.tail:], b[len(b)-tt.tail:]
			}
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("(-recorded +simulated):\n%s", diff)
			}
		})
	}
}

// sorted orders the members of each event, and merges runs that became equal.
func sorted(events []string) []string {
	for i, e := range events {
		name, rest, ok := strings.Cut(e, " ")
		if !ok {
			continue
		}
		paths := strings.Fields(rest)
		slices.Sort(paths)
		events[i] = name + " " + strings.Join(paths, " ")
	}
	if len(events) > 0 && strings.HasPrefix(events[0], ".") {
		slices.Sort(events)
	}
	return slices.Compact(events)
}

// TestStreamsAreWellFormed reads every golden as the strictest client does.
func TestStreamsAreWellFormed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*.sse"))
	if err != nil || len(files) == 0 {
		t.Fatal("no goldens", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsRune(raw, '\r') || !bytes.HasSuffix(raw, []byte("\n\n")) {
			t.Errorf("%s: line ends", file)
		}
		sequence := 0
		for event := range strings.SplitSeq(strings.TrimSuffix(string(raw), "\n\n"), "\n\n") {
			name, data, ok := strings.Cut(event, "data: ")
			if !ok || strings.Contains(data, "\n") {
				t.Errorf("%s: event %q", file, event)
			}
			if name == "" || !strings.Contains(file, "responses") {
				continue
			}
			var e struct {
				Type     string `json:"type"`
				Sequence *int   `json:"sequence_number"`
			}
			if err := json.Unmarshal([]byte(data), &e); err != nil || name != "event: "+e.Type+"\n" || e.Sequence == nil || *e.Sequence != sequence {
				t.Errorf("%s: event %d is %q", file, sequence, event)
			}
			sequence++
		}
	}
}
