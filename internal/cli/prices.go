package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirproxy/weir/gateway/prices"
)

func pricesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prices",
		Short: "Show what models cost",
		Long: `Shows the prices that this binary knows: USD per million tokens, and per
request, image, second, character or search, and since and until when, if
that is not for ever. A configuration may override them.`,
	}
	group(cmd)
	cmd.AddCommand(pricesShow(), pricesDiff())
	return cmd
}

func pricesShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show [MODEL]",
		Short: "Show the prices of the models whose name contains MODEL, or of all",
		Example: `  caddy ai prices show openai/gpt-4.1
  caddy ai prices show claude`,
		Args:         cobra.MaximumNArgs(1),
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			catalogue := prices.Default()
			list := catalogue.All()
			if len(args) == 1 {
				list = catalogue.Search(args[0])
				if len(list) == 0 {
					// A gateway finds prices of names that are not in the table.
					provider, model, _ := strings.Cut(args[0], "/")
					price, ok := catalogue.Find(provider, model, time.Now())
					if !ok {
						return fmt.Errorf("no price of '%s' is known", args[0])
					}
					fmt.Fprintf(cmd.ErrOrStderr(), "'%s' is charged as %s (%s)\n", args[0], price.Name, price.Match)
					list = []*prices.Price{price}
				}
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "prices of "+catalogue.Version())
			return writePrices(cmd.OutOrStdout(), list)
		},
	}
}

func writePrices(out io.Writer, list []*prices.Price) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, price := range list {
		fmt.Fprintf(w, "%s\t%s\n", price.Name, price)
	}
	return w.Flush()
}

func pricesDiff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff FILE",
		Short: "Compare with the prices in a file, such as a newer version's",
		Long: `Compares the prices of this binary with those in a file of the same form
(gateway/prices/data/prices.txt of a version of Weir; '-' is standard input).
A line begins with + for a model that only the file has, - for one that it
does not have, and ~ for one with another price.`,
		Args:         cobra.ExactArgs(1),
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			other, err := readCatalogue(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			catalogue := prices.Default()
			fmt.Fprintf(cmd.ErrOrStderr(), "from %s to %s\n", catalogue.Version(), other.Version())
			for _, d := range catalogue.Diff(other) {
				switch {
				case d.Old == "":
					fmt.Fprintf(cmd.OutOrStdout(), "+ %s %s\n", d.Name, d.New)
				case d.New == "":
					fmt.Fprintf(cmd.OutOrStdout(), "- %s %s\n", d.Name, d.Old)
				default:
					fmt.Fprintf(cmd.OutOrStdout(), "~ %s %s\n  %s %s\n", d.Name, d.Old, strings.Repeat(" ", len(d.Name)), d.New)
				}
			}
			return nil
		},
	}
}

// maxPrices bounds what is read of a file of prices.
const maxPrices = 64 << 20

func readCatalogue(stdin io.Reader, path string) (*prices.Catalogue, error) {
	in := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("opening prices: %w", err)
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxPrices))
	if err != nil {
		return nil, fmt.Errorf("reading prices: %w", err)
	}
	catalogue, err := prices.Read(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return catalogue, nil
}
