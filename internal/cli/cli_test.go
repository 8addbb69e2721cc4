package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

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

// TestUnknownCommands holds that a mistyped command fails, whatever group it is in:
// scripts go by the exit status.
func TestUnknownCommands(t *testing.T) {
	for _, words := range [][]string{{"nope"}, {"keys", "nope"}, {"cache", "nope"}, {"prices", "nope"}, {"providers", "nope"}} {
		run := func(args ...string) (string, error) {
			var out bytes.Buffer
			cmd := &cobra.Command{Use: "ai"}
			commands(cmd)
			root := &cobra.Command{Use: "caddy", SilenceUsage: true}
			root.AddCommand(cmd)
			root.SetArgs(append([]string{"ai"}, args...))
			root.SetOut(&out)
			root.SetErr(&out)
			err := root.Execute()
			return out.String(), err
		}
		if out, err := run(words...); err == nil || !strings.Contains(err.Error(), `unknown command "nope"`) {
			t.Errorf("%v: %v, %s", words, err, out)
		}
		group := words[:len(words)-1]
		if len(group) == 1 && group[0] == "providers" {
			continue // it does something by itself
		}
		if out, err := run(group...); err != nil || !strings.Contains(out, "Available Commands") {
			t.Errorf("%v: %v, %s", group, err, out)
		}
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
