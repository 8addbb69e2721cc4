// Package cli adds `caddy ai` to Caddy's commands.
package cli

import (
	"fmt"
	"io"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/weirproxy/weir/tokenizer"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "ai",
		Short:     "Commands of the Weir AI gateway",
		CobraFunc: commands,
	})
}

func commands(cmd *cobra.Command) {
	group(cmd)
	cmd.AddCommand(tokensCommand(), keysCommand(), pricesCommand(), providersCommand(), usageCommand(), cacheCommand())
}

// group makes cmd, which has commands and does nothing by itself, show its help, and
// fail where it is given a command that it does not have: cobra would show the help
// and be content.
func group(cmd *cobra.Command) {
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// maxText bounds what is read from standard input.
const maxText = 1 << 30

func tokensCommand() *cobra.Command {
	var model string
	cmd := &cobra.Command{
		Use:   "tokens -m MODEL < file",
		Short: "Count the tokens of standard input for a model",
		Long: `Counts the tokens of standard input as the model's vendor does, without any
network. Where the vendor's vocabulary is not public the count is an estimate,
and says so on standard error.`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: false,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), maxText+1))
			if err != nil {
				return fmt.Errorf("reading standard input: %w", err)
			}
			if len(text) > maxText {
				return fmt.Errorf("reading standard input: more than %d bytes", maxText)
			}
			family := tokenizer.ForModel(model)
			if family.Estimated {
				fmt.Fprintf(cmd.ErrOrStderr(), "the vocabulary of '%s' is not public: this is an estimate\n", model)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), family.Count(text))
			return err
		},
	}
	cmd.Flags().StringVarP(&model, "model", "m", "", "the model whose tokens to count (required)")
	_ = cmd.MarkFlagRequired("model")
	return cmd
}
