// Package redis is the store of limits that a fleet shares: `ai.stores.redis`,
// for Redis 6.2 or later and Valkey; alone, behind Sentinel or as a Cluster.
//
// A decision is one script, which runs alone on the server and decides over
// all of a request's limits at once. For that all their keys must be on one
// shard of a Cluster, so every key has the same hash tag, the prefix in
// braces. The price is that one shard decides for everybody; a tag per tenant
// would spread the load, but then no limit that tenants share (a team's, a
// model's, the whole site's) could be decided in the same step. Redis
// decides thousands of requests per second on its one core; deployments that
// need more give each gateway fleet a prefix, or a server, of its own.
//
// It also keeps a fleet's answers, if it is asked to: see Cache.
package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/bits"
	"net/url"
	"time"

	"github.com/redis/rueidis"
)

// The defaults of Options.
const (
	DefaultPrefix   = "weir"
	DefaultDeadline = 50 * time.Millisecond
	DefaultPool     = 4
)

// dialTimeout is how long a connection may take to come up; nobody waits for
// it, since the breaker is open meanwhile.
const dialTimeout = 2 * time.Second

// Options say where the store is and how long it may take.
type Options struct {
	// URL is redis://, rediss://, valkey://, valkeys:// or unix://, as
	// redis://user:password@host:port/db. More addresses of a Cluster or of
	// Sentinels come as ?addr=host:port, the name that Sentinel watches as
	// ?master_set=name.
	URL string

	// TLS replaces what rediss:// implies: its own roots, client certificates.
	TLS *tls.Config

	// Prefix begins every key; fleets that share a server and not their
	// limits have different ones. Default: `weir`.
	Prefix string

	// Deadline bounds one decision. Default: `50ms`.
	Deadline time.Duration

	// Pool is how many connections commands are pipelined over, rounded up to
	// a power of two; at most 256. Default: `4`.
	Pool int
}

// client turns the options into rueidis's. Errors never quote the URL, which
// holds a password.
func (o *Options) client() (rueidis.ClientOption, error) {
	var none rueidis.ClientOption
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme == "" {
		return none, errors.New("the url cannot be read; write for example redis://user:password@host:6379/0")
	}
	if u.Query().Has("skip_verify") {
		return none, errors.New("the url has skip_verify: certificates are always verified; name your own authority in tls")
	}
	opt, err := rueidis.ParseURL(o.URL)
	if err != nil {
		return none, fmt.Errorf("the url with scheme '%s' cannot be used; schemes are redis, rediss, valkey, valkeys and unix, and the path is a database's number", u.Scheme)
	}
	if o.TLS != nil {
		name := ""
		if opt.TLSConfig != nil {
			name = opt.TLSConfig.ServerName
		}
		if opt.TLSConfig = o.TLS.Clone(); opt.TLSConfig.ServerName == "" {
			opt.TLSConfig.ServerName = name
		}
	}
	if opt.Sentinel.MasterSet != "" {
		opt.Sentinel.TLSConfig = opt.TLSConfig
	}
	opt.Dialer.Timeout = dialTimeout
	// A command that was sent may have been done: only this package knows
	// which of them may be sent again.
	opt.DisableRetry = true
	opt.DisableCache = true
	opt.ReadBufferEachConn, opt.WriteBufferEachConn = 64<<10, 64<<10
	opt.PipelineMultiplex = bits.Len(uint(max(o.Pool, 1) - 1))
	return opt, nil
}

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Deadline <= 0 {
		o.Deadline = DefaultDeadline
	}
	if o.Pool <= 0 {
		o.Pool = DefaultPool
	}
	o.Pool = min(o.Pool, 256)
	return o
}
