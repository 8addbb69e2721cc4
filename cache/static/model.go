// Package static turns texts into vectors without a network and without a
// neural network: a table has a vector for each token, and a text's is their
// mean. It reads models as model2vec writes them (github.com/MinishLab/model2vec).
package static

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
)

// maxFile bounds the files of a model.
const maxFile = 1 << 31

// defaultMaxLength is how many tokens of a text count, where the model's
// configuration does not say.
const defaultMaxLength = 512

// Model is an embedder. All methods can be called concurrently.
type Model struct {
	identity  [32]byte
	dims      int
	table     []float32 // a row for each token, or for each that mapping has
	mapping   []int32   // by token; nil: the token's own row
	weights   []float32 // by token; nil: 1
	tokenizer *wordPiece
	normalize bool
	maxTokens int // 0: no bound
	maxRunes  int
}

// config is what we read of a config.json.
type config struct {
	Normalize bool `json:"normalize"`
	MaxLength *int `json:"max_length"`
}

// names are the files of a model.
var names = [...]string{"model.safetensors", "tokenizer.json", "config.json"}

// Stamp is another text when the files of a directory may be others, as who replaces
// or changes them leaves other sizes or times.
func Stamp(dir string) string {
	stamp := dir
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			stamp += fmt.Sprintf("\x00%d %d", info.Size(), info.ModTime().UnixNano())
		}
	}
	return stamp
}

// Load reads a directory that has model.safetensors, tokenizer.json and
// config.json. The tokenizer must be of WordPiece with BERT's rules; those of
// other kinds (Unigram, BPE, WordLevel) are refused, since texts would get
// vectors that are not the model's.
func Load(dir string) (*Model, error) {
	var files [len(names)][]byte
	for i, name := range names {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Size() > maxFile {
			return nil, fmt.Errorf("loading the static embedder: %s is larger than 2 GiB", path)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("loading the static embedder: %w", err)
		}
		files[i] = raw
	}
	m, err := read(files[0], files[1], files[2])
	if err != nil {
		return nil, fmt.Errorf("loading the static embedder %s: %w", dir, err)
	}
	return m, nil
}

func read(weights, tokenizer, settings []byte) (*Model, error) {
	m := &Model{}
	if err := m.readTensors(weights); err != nil {
		return nil, fmt.Errorf("model.safetensors: %w", err)
	}
	var most, median int
	var err error
	if m.tokenizer, most, median, err = readWordPiece(tokenizer); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	rows := len(m.table) / m.dims
	for what, n := range map[string]int{"mapping": len(m.mapping), "weights": len(m.weights)} {
		if n > 0 && n <= most {
			return nil, fmt.Errorf("the tokenizer has a token %d, the tensor %s has %d", most, what, n)
		}
	}
	if m.mapping == nil && rows <= most {
		return nil, fmt.Errorf("the tokenizer has a token %d, the embeddings have %d rows", most, rows)
	}
	c := config{}
	if err := json.Unmarshal(settings, &c); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	m.normalize, m.maxTokens = c.Normalize, defaultMaxLength
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(settings, &keys); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	if _, given := keys["max_length"]; given {
		m.maxTokens = 0 // null: all
		if c.MaxLength != nil {
			if m.maxTokens = *c.MaxLength; m.maxTokens < 1 || m.maxTokens > 1<<20 {
				return nil, fmt.Errorf("config.json: max_length %d is not within 1 and 1048576", m.maxTokens)
			}
		}
	}
	// model2vec cuts long texts before it tokenizes them.
	m.maxRunes = m.maxTokens * median
	h := sha256.New()
	for _, file := range [][]byte{weights, tokenizer, settings} {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(file))))
		h.Write(file)
	}
	h.Sum(m.identity[:0])
	return m, nil
}

func (m *Model) readTensors(raw []byte) error {
	all, err := tensors(raw)
	if err != nil {
		return err
	}
	table, ok := all["embeddings"]
	if !ok {
		if table, ok = all["embedding.weight"]; !ok { // sentence-transformers' name
			return errors.New("there is no tensor embeddings")
		}
	}
	rows, dims, err := table.extent()
	if err != nil {
		return fmt.Errorf("embeddings: %w", err)
	}
	m.dims = dims
	if m.table, err = table.floats(); err != nil {
		return fmt.Errorf("embeddings: %w", err)
	}
	if t, ok := all["weights"]; ok {
		if _, columns, err := t.extent(); err != nil || columns != 1 {
			return fmt.Errorf("weights: %d columns: %w", columns, errors.Join(err))
		}
		if m.weights, err = t.floats(); err != nil {
			return fmt.Errorf("weights: %w", err)
		}
	}
	if t, ok := all["mapping"]; ok {
		if _, columns, err := t.extent(); err != nil || columns != 1 {
			return fmt.Errorf("mapping: %d columns: %w", columns, errors.Join(err))
		}
		if m.mapping, err = t.indices(rows); err != nil {
			return fmt.Errorf("mapping: %w", err)
		}
	}
	return nil
}

// Dims is how many dimensions a vector has.
func (m *Model) Dims() int { return m.dims }

// Identity tells models apart: it is a digest over all files. Vectors of
// different identities must not be compared.
func (m *Model) Identity() [32]byte { return m.identity }

// Embed appends the text's vector to dst. A text without a token that the model
// knows has the zero vector.
func (m *Model) Embed(dst []float32, text string) []float32 {
	start := len(dst)
	for range m.dims {
		dst = append(dst, 0)
	}
	sum := dst[start:]
	s := m.tokenizer.get()
	defer m.tokenizer.put(s)
	s.run(m.tokenizer, cut(text, m.maxRunes), m.maxTokens)
	n := 0
	for _, id := range s.ids {
		if id == m.tokenizer.unknown {
			continue
		}
		n++
		m.add(sum, id)
	}
	if n == 0 {
		return dst
	}
	var square float64
	for i := range sum {
		sum[i] /= float32(n)
		square += float64(sum[i]) * float64(sum[i])
	}
	if length := float32(math.Sqrt(square)); m.normalize && length > 0 {
		for i := range sum {
			sum[i] /= length
		}
	}
	return dst
}

func (m *Model) add(sum []float32, id int32) {
	row := int(id)
	if m.mapping != nil {
		row = int(m.mapping[id])
	}
	vector := m.table[row*m.dims:][:len(sum)]
	if m.weights == nil {
		for i, v := range vector {
			sum[i] += v
		}
		return
	}
	weight := m.weights[id]
	for i, v := range vector {
		sum[i] += v * weight
	}
}

// cut returns the first n characters of a text; 0 means all.
func cut(text string, n int) string {
	if n == 0 || len(text) <= n {
		return text
	}
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
