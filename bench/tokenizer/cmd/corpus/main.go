// Command corpus writes the documents of the benchmark for the scripts in
// other languages: one JSON array of strings for each corpus.
//
//	go run ./cmd/corpus OUT [EXTRA]
package main

import (
	"encoding/json"
	"log"
	"os"
	"path/filepath"

	bench "github.com/weirproxy/weir/bench/tokenizer"
)

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: corpus OUT [EXTRA]")
	}
	extra := ""
	if len(os.Args) > 2 {
		extra = os.Args[2]
	}
	corpora, err := bench.Corpora(extra)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range corpora {
		raw, err := json.Marshal(c.Documents)
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], c.Name+".json"), raw, 0o644)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}
