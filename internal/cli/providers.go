package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/weirproxy/weir/gateway/health"
)

// providersCLI is `caddy ai providers`: what its subcommands share.
type providersCLI struct {
	request adminRequest
	address string
	asJSON  bool
}

func providersCommand() *cobra.Command {
	return (&providersCLI{request: caddycmd.AdminAPIRequest}).command()
}

func (c *providersCLI) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "providers",
		Short: "Show the health of providers, or reset it",
		Long: `Shows what a running Caddy knows, through its admin endpoint, of the targets and
accounts of its providers: which are down, cooling or disabled and until when,
how fast they answer, and what is left of their quotas.`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE:         func(cmd *cobra.Command, _ []string) error { return c.show(cmd.OutOrStdout()) },
	}
	cmd.PersistentFlags().StringVar(&c.address, "address", "", "the address of Caddy's admin endpoint")
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "write JSON")
	cmd.AddCommand(&cobra.Command{
		Use:          "reset NAME",
		Short:        "Forget what is held against a provider",
		Args:         cobra.ExactArgs(1),
		SilenceUsage: true,
		RunE: func(_ *cobra.Command, args []string) error {
			res, err := c.call(http.MethodPost, health.AdminPath+"/"+url.PathEscape(args[0])+"/reset")
			if err != nil {
				return fmt.Errorf("resetting '%s': %w", args[0], err)
			}
			return res.Body.Close()
		},
	})
	return cmd
}

func (c *providersCLI) call(method, uri string) (*http.Response, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(c.address, nil, "", "")
	if err != nil {
		return nil, fmt.Errorf("finding the admin endpoint: %w", err)
	}
	return c.request(address, method, uri, nil, nil)
}

func (c *providersCLI) show(out io.Writer) error {
	res, err := c.call(http.MethodGet, health.AdminPath)
	if err != nil {
		return fmt.Errorf("asking for providers: %w", err)
	}
	defer res.Body.Close()
	var list health.Listed
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		return fmt.Errorf("reading the providers: %w", err)
	}
	if c.asJSON {
		return writeJSON(out, list)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TARGET\tACCOUNT\tSTATE\tUNTIL\tFAILURES\tIN FLIGHT\tTTFT\tP95\tQUOTA LEFT")
	for i := range list.Data {
		for _, line := range lines(&list.Data[i]) {
			for i := range line {
				line[i] = cmp.Or(line[i], "-")
			}
			fmt.Fprintln(w, strings.Join(line, "\t"))
		}
	}
	return w.Flush()
}

// lines are those of a provider: one for each target, for each account that a
// target was called with, and for each account that is disabled.
func lines(p *health.Report) (all [][]string) {
	name := func(account string) string { return cmp.Or(account, "default") }
	for _, a := range p.Accounts {
		if a.Disabled {
			all = append(all, []string{p.Provider, name(a.Account), "disabled", at(a.RetryAt), "", "", "", "", ""})
		}
	}
	for _, t := range p.Targets {
		state := t.State
		if state == health.Closed.String() && !t.Healthy {
			state = "no_account"
		}
		all = append(all, []string{
			p.Provider + "/" + t.Model, "", state, at(t.Until), strconv.Itoa(t.Failures), strconv.FormatInt(t.InFlight, 10),
			milliseconds(t.LatencyMS), milliseconds(t.P95MS), "",
		})
		for _, a := range t.Accounts {
			state := "ready"
			if a.CoolUntil != nil {
				state = "cooling"
			}
			all = append(all, []string{
				p.Provider + "/" + t.Model, name(a.Account), state, at(a.CoolUntil), "", strconv.FormatInt(a.InFlight, 10),
				"", "", strconv.FormatFloat(100*a.Headroom, 'f', 0, 64) + "%",
			})
		}
	}
	if len(all) == 0 {
		all = append(all, []string{p.Provider, "", "unused", "", "", "", "", "", ""})
	}
	return all
}

func at(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.DateTime)
}

func milliseconds(ms float64) string {
	if ms == 0 {
		return ""
	}
	return strconv.FormatFloat(ms, 'f', 0, 64) + "ms"
}
