// Package bench compares Weir's token counter with other tokenizers on the
// same documents. It is a module of its own so that their 12 MB vocabularies
// stay out of Weir's. See README.md for the commands.
package bench

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Corpus is a named list of documents that are counted one by one.
type Corpus struct {
	Name      string
	Documents []string
}

// Size returns the bytes of all documents.
func (c Corpus) Size() (n int) {
	for _, d := range c.Documents {
		n += len(d)
	}
	return n
}

// Corpora makes the documents: English prose and code from the comments and
// sources of Go's standard library, tool schemas from the recorded prompts, a
// chat of 50 turns, its deltas, and every *.txt in extra, a directory or "".
func Corpora(extra string) ([]Corpus, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("asking for Go's sources: %w", err)
	}
	root := strings.TrimSpace(string(out))
	sources, err := filepath.Glob(filepath.Join(root, "src", "net", "http", "*.go"))
	if err != nil || len(sources) == 0 {
		return nil, fmt.Errorf("finding Go's sources: %w", err)
	}
	more, err := filepath.Glob(filepath.Join(root, "src", "[a-o]*", "*.go"))
	if err != nil {
		return nil, err
	}
	var code, prose strings.Builder
	for _, path := range append(sources, more...) {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if code.Len() < 1_500_000 {
			code.Write(raw)
		}
		for line := range strings.Lines(string(raw)) {
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "// "); ok && prose.Len() < 1_200_000 {
				prose.WriteString(text + "\n")
			}
		}
	}
	schemas, err := toolSchemas()
	if err != nil {
		return nil, err
	}
	chat := chat(prose.String(), code.String(), schemas)
	corpora := []Corpus{
		{"english", cut(prose.String(), 4000)},
		{"go", cut(code.String(), 4000)},
		{"json-tools", cut(schemas, 4000)},
		{"chat-50", chat},
		{"deltas", deltas(chat)},
	}
	if extra == "" {
		return corpora, nil
	}
	paths, err := filepath.Glob(filepath.Join(extra, "*.txt"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		corpora = append(corpora, Corpus{strings.TrimSuffix(filepath.Base(path), ".txt"), cut(string(raw), 4000)})
	}
	return corpora, nil
}

// toolSchemas returns the tools of the recorded prompts, one list a line.
func toolSchemas() (string, error) {
	file, err := os.Open("../../tokenizer/testdata/prompts.jsonl.gz")
	if err != nil {
		return "", err
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return "", err
	}
	raw, err := io.ReadAll(plain)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for line := range bytes.Lines(raw) {
		var prompt struct {
			Body struct{ Tools json.RawMessage }
		}
		if json.Unmarshal(line, &prompt) == nil && len(prompt.Body.Tools) > 0 {
			out.Write(prompt.Body.Tools)
			out.WriteByte('\n')
		}
	}
	return out.String(), nil
}

// chat is 50 questions and answers of prose, code and JSON.
func chat(prose, code, schemas string) []string {
	var messages []string
	for i := range 50 {
		messages = append(messages, prose[i*1000:i*1000+220])
		answer := prose[300_000+i*900:][:700]
		switch i % 3 {
		case 1:
			answer += "\n```go\n" + code[i*2000:][:900] + "\n```\n"
		case 2:
			answer += "\n```json\n" + schemas[(i*400)%(len(schemas)-500):][:400] + "\n```\n"
		}
		messages = append(messages, strings.ToValidUTF8(answer, ""))
	}
	return messages
}

// deltas cuts the answers as a stream would carry them: about a word each.
func deltas(messages []string) []string {
	var out []string
	for _, m := range messages {
		for m != "" {
			n := strings.IndexAny(m[1:], " \n") + 1
			if n <= 0 {
				n = len(m)
			}
			out, m = append(out, m[:n]), m[n:]
		}
	}
	return out
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
