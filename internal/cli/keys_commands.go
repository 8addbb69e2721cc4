package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/weirproxy/weir/gateway/keys"
)

func (c *keysCLI) listCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := c.store()
			if err != nil {
				return err
			}
			list, err := store.List(cmd.Context())
			if err != nil {
				return fmt.Errorf("listing keys: %w", err)
			}
			if c.asJSON {
				if list == nil {
					list = []keys.Key{}
				}
				return writeJSON(cmd.OutOrStdout(), keys.Listed{Data: list})
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tID\tSTATE\tOWNER\tMODELS\tLIMITS\tEXPIRES\tSOURCE")
			for i := range list {
				fmt.Fprintln(w, strings.Join(c.columns(&list[i]), "\t"))
			}
			return w.Flush()
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

// columns are a key's line in the list.
func (c *keysCLI) columns(k *keys.Key) []string {
	state, expires := "active", ""
	if !k.Expires.IsZero() {
		expires = k.Expires.UTC().Format(time.DateTime)
		if !c.now().Before(k.Expires) {
			state = "expired"
		}
	}
	if k.Disabled {
		state = "disabled"
	}
	limits := make([]string, len(k.Limits))
	for i, rule := range k.Limits {
		limits[i] = strings.Join(rule, " ")
	}
	owner := strings.Trim(k.Team+"/"+k.User, "/")
	columns := []string{k.Name, k.ID, state, owner, strings.Join(k.Models, ", "), strings.Join(limits, ", "), expires, k.Source}
	for i := range columns {
		columns[i] = cmp.Or(columns[i], "-")
	}
	return columns
}

func (c *keysCLI) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show a key as JSON, by its name or id",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := c.store()
			if err != nil {
				return err
			}
			key, err := store.Get(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("showing the key: %w", err)
			}
			return writeJSON(cmd.OutOrStdout(), key)
		},
	}
}

func (c *keysCLI) rotateCommand() *cobra.Command {
	var overlap string
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Give a key a new secret and show it",
		Long: `Gives a key a new secret under the same id. The old one is accepted during the
overlap; with an overlap of 0 it, and any older one, ends at once.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := caddy.ParseDuration(overlap)
			if err != nil || d < 0 {
				return fmt.Errorf("--overlap: '%s' is no duration; write for example 1h", overlap)
			}
			store, err := c.store()
			if err != nil {
				return err
			}
			key, secret, err := store.Rotate(cmd.Context(), args[0], d)
			if err != nil {
				return fmt.Errorf("rotating the key: %w", err)
			}
			return c.showSecret(cmd, key, secret)
		},
	}
	cmd.Flags().StringVar(&overlap, "overlap", keys.DefaultOverlap.String(), "how long the old secret is still accepted")
	c.jsonFlag(cmd)
	return cmd
}

func (c *keysCLI) revokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: "Remove a key, by its name or id",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := c.store()
			if err != nil {
				return err
			}
			if err := store.Revoke(cmd.Context(), args[0]); err != nil {
				return fmt.Errorf("revoking the key: %w", err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "key '%s' is revoked\n", args[0])
			return nil
		},
	}
}

func (c *keysCLI) hashCommand() *cobra.Command {
	var fresh bool
	cmd := &cobra.Command{
		Use:   "hash",
		Short: "Hash a secret for a configuration",
		Long: `Reads a secret from standard input and writes its hash, which a configuration
may hold where it must not hold the secret. With --new, or from a terminal,
it makes a secret and writes it first. No running Caddy is needed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			hasher, err := c.hasher()
			if err != nil {
				return err
			}
			var issued struct {
				Secret string `json:"secret,omitempty"`
				Hash   string `json:"hash"`
			}
			var secret string
			if fresh || isTerminal(cmd.InOrStdin()) {
				id, err := keys.NewID(c.random)
				if err != nil {
					return err
				}
				if secret, err = keys.NewSecret(c.random, id); err != nil {
					return err
				}
				issued.Secret = secret
			} else if secret, err = readSecret(cmd.InOrStdin()); err != nil {
				return err
			}
			issued.Hash = hasher.Hash(secret)
			if c.asJSON {
				return writeJSON(cmd.OutOrStdout(), issued)
			}
			if issued.Secret != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "the secret, which is shown this once, and its hash:")
				fmt.Fprintln(cmd.OutOrStdout(), issued.Secret)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), issued.Hash)
			return err
		},
	}
	cmd.Flags().BoolVar(&fresh, "new", false, "make a secret instead of reading one")
	c.jsonFlag(cmd)
	return cmd
}

func isTerminal(in io.Reader) bool {
	file, ok := in.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // what services and containers have, and no terminal
	return err != nil || !os.SameFile(info, null)
}

// readSecret reads a secret and the line end after it.
func readSecret(in io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return "", fmt.Errorf("reading standard input: %w", err)
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" {
		return "", errors.New("standard input holds no secret; --new makes one")
	}
	if err := keys.CheckSecret(secret); err != nil {
		return "", fmt.Errorf("reading standard input: %w", err)
	}
	return secret, nil
}
