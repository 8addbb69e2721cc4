package static

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// load reads one of the models that testdata/golden.py made.
func load(t testing.TB, name string) *Model {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{name + ".safetensors": "model.safetensors", "tokenizer.json": "tokenizer.json", name + ".config.json": "config.json"} {
		raw, err := os.ReadFile(filepath.Join("testdata", from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// golden returns texts, and their vectors by model2vec.
func golden(t testing.TB, name string) (texts []string, vectors [][]float64) {
	t.Helper()
	raw, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(parts["texts"], &texts); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(parts[name], &vectors); err != nil {
		t.Fatal(err)
	}
	if len(texts) < 100 || len(texts) != len(vectors) {
		t.Fatalf("%d texts, %d vectors", len(texts), len(vectors))
	}
	return texts, vectors
}

// TestGolden compares vectors with those of the Python package model2vec.
func TestGolden(t *testing.T) {
	for _, name := range []string{"plain", "quantized", "whole"} {
		t.Run(name, func(t *testing.T) {
			m := load(t, name)
			texts, want := golden(t, name)
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					for i, text := range texts {
						compare(t, text, m.Embed(nil, text), want[i])
					}
				})
			}
			all.Wait()
		})
	}
}

func compare(t *testing.T, text string, got []float32, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d dimensions, want %d", len(got), len(want))
		return
	}
	for i := range got {
		if diff := math.Abs(float64(got[i]) - want[i]); !(diff <= 1e-6*max(1, math.Abs(want[i]))) {
			t.Errorf("%.60q: dimension %d is %v, want %v", text, i, got[i], want[i])
			return
		}
	}
}
