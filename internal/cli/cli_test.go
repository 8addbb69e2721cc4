package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/weirproxy/weir/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestTokens(t *testing.T) {
	for _, tt := range []struct {
		name, model, text, want string
		estimated               bool
	}{
		{"o200k", "gpt-4o", "hello world", "2\n", false},
		{"cl100k", "gpt-4", "tiktoken is great!", "6\n", false},
		{"provider prefix", "openai/gpt-4o", "hello world", "2\n", false},
		{"estimated", "claude-sonnet-4-5", "hello world", "3\n", true},
		{"nothing", "gpt-4o", "", "0\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			cmd := tokensCommand()
			cmd.SetArgs([]string{"-m", tt.model})
			cmd.SetIn(strings.NewReader(tt.text))
			cmd.SetOut(&out)
			cmd.SetErr(&errs)
			if err := cmd.Execute(); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want || (errs.Len() > 0) != tt.estimated {
				t.Errorf("got %q and %q, want %q, estimate %v", out.String(), errs.String(), tt.want, tt.estimated)
			}
		})
	}
}

func TestTokensNeedsModel(t *testing.T) {
	cmd := tokensCommand()
	cmd.SetArgs(nil)
	cmd.SetErr(&bytes.Buffer{})
	cmd.SetOut(&bytes.Buffer{})
	if cmd.Execute() == nil {
		t.Error("want an error without -m")
	}
}
