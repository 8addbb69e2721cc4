package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weirproxy/weir/integration/weirtest"
)

var caddyfileBlock = regexp.MustCompile("(?s)```caddyfile\n(.*?)```")

// TestDocumentedCaddyfiles holds that the Caddyfiles of the documentation adapt. What
// is a part of one gets the rest that it leaves out.
func TestDocumentedCaddyfiles(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	blocks := 0
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range caddyfileBlock.FindAllStringSubmatch(string(text), -1) {
			blocks++
			if _, err := weirtest.Adapt(completed(block[1])); err != nil {
				t.Errorf("%s: %v\n%s", filepath.Base(page), err, block[1])
			}
		}
	}
	if blocks < 20 {
		t.Errorf("only %d Caddyfiles were found", blocks)
	}
}

// completed completes a part of a Caddyfile: the options of an app, a provider or a model,
// of a site, or of its gateway.
func completed(part string) string {
	const site = "\n:8080 {\n\tai_gateway\n}\n"
	word, _, _ := strings.Cut(part, " ")
	switch word {
	case "provider", "model", "key", "limit", "price", "store":
		providers := ""
		for _, name := range []string{"openai", "gpu", "anthropic"} {
			if !strings.Contains(part, "provider "+name) {
				providers += "\tprovider " + name + " openai_compatible {\n\t\tbase_url http://127.0.0.1:1/v1\n\t}\n"
			}
		}
		return "{\n\tai {\n" + providers + "\tmodel chat-small openai/x\n" + part + "\t}\n}\n" + site
	case "cache":
		return "{\n\tai openai\n}\n:8080 {\n\tai_gateway {\n" + part + "\t}\n}\n"
	}
	if strings.HasPrefix(part, "{") {
		return strings.Replace(part, "\n:8080 {\n\tai_gateway\n}\n", "", 1) + site
	}
	if strings.HasPrefix(part, ":") || strings.HasPrefix(part, "ai.example.com") {
		return "{\n\tai openai anthropic\n}\n" + part
	}
	return "{\n\tai openai anthropic\n}\n:8080 {\n" + part + "}\n"
}
