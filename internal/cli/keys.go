package cli

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/weirproxy/weir/gateway/keys"
	"github.com/weirproxy/weir/gateway/queue"
)

// keysCLI is `caddy ai keys`: what its subcommands share.
type keysCLI struct {
	now     func() time.Time
	random  io.Reader
	request adminRequest

	file, address, pepperFile string
	asJSON                    bool
}

func keysCommand() *cobra.Command {
	return (&keysCLI{now: time.Now, random: rand.Reader, request: caddycmd.AdminAPIRequest}).command()
}

func (c *keysCLI) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Manage the keys that clients use",
		Long: `Manages virtual keys: in a keys file (--file), or in a running Caddy through
its admin endpoint (--address, by default the usual one). A running Caddy
notices a changed file within a second.

Secrets are shown once, on standard output, and kept nowhere.`,
	}
	group(cmd)
	cmd.PersistentFlags().StringVar(&c.file, "file", "", "the keys file to work on, without a running Caddy")
	cmd.PersistentFlags().StringVar(&c.address, "address", "", "the address of Caddy's admin endpoint")
	cmd.PersistentFlags().StringVar(&c.pepperFile, "pepper-file", "", "the file that holds the configured pepper, if there is one")
	cmd.MarkFlagsMutuallyExclusive("file", "address")
	cmd.AddCommand(c.newCommand(), c.listCommand(), c.showCommand(), c.rotateCommand(), c.revokeCommand(), c.hashCommand())
	for _, sub := range cmd.Commands() {
		sub.SilenceUsage = true
	}
	return cmd
}

// store is where the command works.
func (c *keysCLI) store() (keys.Store, error) {
	if c.file != "" {
		hasher, err := c.hasher()
		if err != nil {
			return nil, err
		}
		return keys.NewFile(c.file, hasher, c.now, c.random), nil
	}
	address, err := caddycmd.DetermineAdminAPIAddress(c.address, nil, "", "")
	if err != nil {
		return nil, err
	}
	return &adminStore{address, c.request}, nil
}

func (c *keysCLI) hasher() (*keys.Hasher, error) {
	if c.pepperFile == "" {
		return keys.NewHasher(nil), nil
	}
	pepper, err := os.ReadFile(c.pepperFile)
	if err != nil {
		return nil, fmt.Errorf("reading the pepper: %w", err)
	}
	text := strings.TrimSpace(string(pepper))
	if text == "" {
		return nil, fmt.Errorf("reading the pepper: %s is empty", c.pepperFile)
	}
	return keys.NewHasher([]byte(text)), nil
}

func (c *keysCLI) newCommand() *cobra.Command {
	var draft keys.Draft
	var limits []string
	var expires string
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a key and show its secret",
		Example: `  caddy ai keys new ci --model chat --model 'openai/*' --limit 'requests 60 1m' --limit 'usd 25 30d'
  caddy ai keys new laptop --expires 30d --user ann --file keys.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			draft.Name = args[0]
			for _, limit := range limits {
				draft.Limits = append(draft.Limits, strings.Fields(limit))
			}
			if draft.Expires, err = c.expiry(expires); err != nil {
				return err
			}
			store, err := c.store()
			if err != nil {
				return err
			}
			key, secret, err := store.Create(cmd.Context(), draft)
			if err != nil {
				return fmt.Errorf("making the key: %w", err)
			}
			return c.showSecret(cmd, key, secret)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&draft.Models, "model", nil, "a model that the key may use, or the beginning of names and a *; may be repeated (default all)")
	flags.StringArrayVar(&limits, "limit", nil, "a limit, such as 'requests 60 1m'; may be repeated")
	flags.StringVar(&expires, "expires", "", "when the key expires: a duration such as 30d, a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z (default never)")
	flags.StringVar(&draft.User, "user", "", "the user that owns the key")
	flags.StringVar(&draft.Team, "team", "", "the team that owns the key")
	flags.StringArrayVar(&draft.Tags, "tag", nil, "a tag; may be repeated")
	flags.StringToStringVar(&draft.Metadata, "metadata", nil, "metadata, as name=value; may be repeated")
	flags.StringVar(&draft.Priority, "priority", "", "the class in which its requests wait for room: "+strings.Join(queue.Classes, ", ")+" (default normal)")
	c.jsonFlag(cmd)
	return cmd
}

// expiry reads a duration from now, or a time.
func (c *keysCLI) expiry(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		at, err := time.Parse(layout, text)
		switch {
		case err != nil:
		case !at.After(c.now()):
			return time.Time{}, fmt.Errorf("--expires: %s has passed", text)
		default:
			return at.UTC(), nil
		}
	}
	d, err := caddy.ParseDuration(text)
	if err != nil || d <= 0 {
		return time.Time{}, fmt.Errorf("--expires: '%s' is no duration, date or time; write for example 30d or 2027-01-31", text)
	}
	return c.now().UTC().Add(d).Truncate(time.Second), nil
}

func (c *keysCLI) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "write JSON")
}

// showSecret writes the secret alone to standard output, so that it can be
// piped, and what to know of it to standard error.
func (c *keysCLI) showSecret(cmd *cobra.Command, key keys.Key, secret string) error {
	if c.asJSON {
		return writeJSON(cmd.OutOrStdout(), keys.Issued{Key: key, Secret: secret})
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "key '%s' (%s); its secret is shown this once:\n", key.Name, key.ID)
	_, err := fmt.Fprintln(cmd.OutOrStdout(), secret)
	return err
}

func writeJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	e.SetEscapeHTML(false)
	return e.Encode(value)
}
