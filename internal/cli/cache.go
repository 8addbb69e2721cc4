package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/weirproxy/weir/cache"
)

// cacheCLI is `caddy ai cache`: what its subcommands share.
type cacheCLI struct {
	request adminRequest
	address string
}

func cacheCommand() *cobra.Command {
	return (&cacheCLI{request: caddycmd.AdminAPIRequest}).command()
}

func (c *cacheCLI) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Look at kept answers, forget them, or fetch them ahead of time",
	}
	group(cmd)
	cmd.AddCommand(c.purgeCommand(), c.statsCommand(), warmCommand())
	for _, sub := range cmd.Commands() {
		sub.SilenceUsage = true
	}
	return cmd
}

func (c *cacheCLI) call(method, path string, body any) (*http.Response, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(c.address, nil, "", "")
	if err != nil {
		return nil, fmt.Errorf("finding the admin endpoint: %w", err)
	}
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		reader = bytes.NewReader(data)
	}
	return c.request(address, method, cache.AdminPath+path, nil, reader)
}

func (c *cacheCLI) adminFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.address, "address", "", "the address of Caddy's admin endpoint")
}

func (c *cacheCLI) purgeCommand() *cobra.Command {
	var all bool
	var tags, models, keys []string
	cmd := &cobra.Command{
		Use:   "purge --all|--tag T|--model M|--key K",
		Short: "Forget kept answers",
		Long: `Forgets answers that a running Caddy and all that share its store keep, through
its admin endpoint: those with a tag, those to requests for a model (the name that
clients send, or provider/model), those that a key asked for, or all. Answers that
are under way are not kept. A flag with a name can be given several times.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var purges []cache.Purge
			for _, tag := range tags {
				purges = append(purges, cache.Purge{Tag: tag})
			}
			for _, model := range models {
				purges = append(purges, cache.Purge{Model: model})
			}
			for _, key := range keys {
				purges = append(purges, cache.Purge{Key: key})
			}
			if len(purges) == 0 {
				purges = []cache.Purge{{All: all}}
			}
			return c.purge(purges)
		},
	}
	c.adminFlag(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all answers")
	cmd.Flags().StringArrayVar(&tags, "tag", nil, "those with a tag")
	cmd.Flags().StringArrayVar(&models, "model", nil, "those of a model, or of a provider/model")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "those of a key, by its name")
	cmd.MarkFlagsOneRequired("all", "tag", "model", "key")
	cmd.MarkFlagsMutuallyExclusive("all", "tag", "model", "key")
	return cmd
}

// purge makes all purges, or none where one makes no sense.
func (c *cacheCLI) purge(purges []cache.Purge) error {
	for i := range purges {
		if _, err := purges[i].Tags(); err != nil {
			return err
		}
	}
	var failed error
	for i := range purges {
		if res, err := c.call(http.MethodPost, "/purge", &purges[i]); err != nil {
			failed = errors.Join(failed, fmt.Errorf("purging: %w", err))
		} else {
			_ = res.Body.Close()
		}
	}
	return failed
}

func (c *cacheCLI) statsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show what is kept",
		Long: `Shows how many answers a running Caddy keeps in its memory, what they take, and
what that has saved since it began.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			res, err := c.call(http.MethodGet, "", nil)
			if err != nil {
				return fmt.Errorf("asking for the cache: %w", err)
			}
			defer res.Body.Close()
			var report cache.Report
			if err := json.NewDecoder(res.Body).Decode(&report); err != nil {
				return fmt.Errorf("reading the cache's report: %w", err)
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), report)
			}
			return printReport(cmd.OutOrStdout(), &report)
		},
	}
	c.adminFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

func printReport(out io.Writer, r *cache.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ENTRIES\tBYTES\tMAX BYTES\tHITS\tMISSES\tEVICTIONS\tREJECTIONS\tSAVED USD")
	fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.6f\n", r.Entries, r.Bytes, r.MaxBytes, r.Hits, r.Misses, r.Evictions, r.Rejections, r.SavedUSD)
	return w.Flush()
}
