package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/weirproxy/weir/records/ledger"
)

func usageCommand() *cobra.Command {
	var (
		report  ledger.Report
		where   []string
		address string
	)
	cmd := &cobra.Command{
		Use:   "usage [--by key,model] [--since 24h] [--where key=NAME]",
		Short: "Show what was used and spent, from the ledger",
		Long: `Asks the ledger of a running Caddy, through its admin endpoint, for requests,
tokens and money by key, team, user, model, provider, dialect, status, hour or
day.`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report.Where = make(map[string]string, len(where))
			for _, w := range where {
				name, value, ok := strings.Cut(w, "=")
				if !ok {
					return fmt.Errorf("--where '%s' is not NAME=VALUE", w)
				}
				report.Where[name] = value
			}
			target, err := caddycmd.DetermineAdminAPIAddress(address, nil, "", "")
			if err != nil {
				return fmt.Errorf("finding the admin endpoint: %w", err)
			}
			fetch := func(_ context.Context, uri string) (*http.Response, error) {
				return caddycmd.AdminAPIRequest(target, http.MethodGet, uri, nil, nil)
			}
			return ledger.PrintUsage(cmd.Context(), fetch, report, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&report.By, "by", "key,model", "what to sum by, with commas")
	cmd.Flags().StringVar(&report.Since, "since", "24h", "from when: a duration, a date or a time")
	cmd.Flags().StringVar(&report.Until, "until", "", "until when")
	cmd.Flags().StringArrayVar(&where, "where", nil, "NAME=VALUE of a column; may be repeated")
	cmd.Flags().StringVar(&report.Format, "format", "table", "table, json or csv")
	cmd.Flags().StringVar(&address, "address", "", "the address of Caddy's admin endpoint")
	return cmd
}
