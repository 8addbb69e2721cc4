package upstream

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/secret"
	"github.com/weirproxy/weir/wire"
)

// account is one of a provider's keys.
type account struct {
	name string
	key  secret.Secret

	// What every call of the account is sent; see header. defaults may be
	// replaced by the client's own, fixed by nothing. stream is what calls for a
	// stream accept, nil for an event stream.
	once            sync.Once
	defaults, fixed http.Header
	stream          []string
}

// soleAccount names the account of a provider that has no key to name it by.
const soleAccount = "default"

// accountName is what logs, metrics and health call a key. It depends on the
// key alone, so that what is known of an account survives a reload that adds
// or reorders keys. Of the key it tells 32 bits of a hash: nothing of use
// against a key that was made by a vendor, though enough to confirm a guess of
// one that a person made up.
func accountName(key secret.Secret) string {
	mac := hmac.New(sha256.New, []byte("weir/account"))
	_, _ = mac.Write([]byte(key.Reveal()))
	return "key-" + hex.EncodeToString(mac.Sum(nil)[:4])
}

// HasKey reports whether the configuration names a key.
func (c *Config) HasKey() bool { return c.APIKey != "" || len(c.APIKeys) > 0 }

// accounts resolves the keys that are configured, or the vendor's usual one.
func (c *Config) accounts(vendor *Vendor) ([]account, error) {
	references, option := c.APIKeys, "api_keys"
	if c.APIKey != "" {
		references = append([]string{c.APIKey}, references...)
	}
	if len(references) < 2 {
		option = "api_key"
	}
	if len(references) == 0 && vendor.KeyPlaceholder != "" {
		references = []string{vendor.KeyPlaceholder}
		if vendor.KeyOption != "" {
			option = vendor.KeyOption
		}
	}
	if len(references) == 0 {
		return []account{{name: soleAccount}}, nil
	}
	accounts := make([]account, 0, len(references))
	known := make(map[string]string, len(references))
	for _, reference := range references {
		key, err := secret.Resolve(reference)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", option, err)
		}
		name := accountName(key)
		if other, ok := known[name]; ok {
			return nil, fmt.Errorf("%s: %s and %s are the same key", option, other, reference)
		}
		known[name] = reference
		accounts = append(accounts, account{name: name, key: key})
	}
	return accounts, nil
}

// Accounts implements gateway.Pooled.
func (c *Client) Accounts() []string {
	names := make([]string, len(c.accounts))
	for i := range c.accounts {
		names[i] = c.accounts[i].name
	}
	return names
}

// AccountPolicy implements gateway.AccountChooser.
func (c *Client) AccountPolicy() any { return c.policy }

// account returns the one that a call is made with.
func (c *Client) account(call *gateway.Call) (*account, error) {
	if call.Account < 0 || call.Account >= len(c.accounts) {
		return nil, &gateway.Error{
			Kind: wire.KindInternal, Phase: "connect", Message: "internal error",
			Cause: fmt.Errorf("choosing account %d of %d", call.Account, len(c.accounts)),
		}
	}
	return &c.accounts[call.Account], nil
}

// Interface guards.
var (
	_ gateway.Pooled         = (*Client)(nil)
	_ gateway.AccountChooser = (*Client)(nil)
)
