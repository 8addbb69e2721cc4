package handlers

import (
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/gateway/batch"
	"github.com/weirproxy/weir/gateway/health"
	"github.com/weirproxy/weir/gateway/queue"
	"github.com/weirproxy/weir/internal/typo"
	"github.com/weirproxy/weir/internal/words"
	"github.com/weirproxy/weir/wire"
)

// BatchEmbeddings says how concurrent calls for embeddings become one.
type BatchEmbeddings struct {
	// How long a call may wait for others to go with it. Default: `5ms`.
	Wait caddy.Duration `json:"wait,omitempty"`

	// The most inputs of a call that is made of several; what the upstream takes
	// in one call bounds it too. Default: `256`.
	Max int64 `json:"max,omitempty"`

	// Whose calls may be made as one: those of the same `key`, of keys of the
	// same `team`, or all (`global`). Nothing of another's call shows in an
	// answer, but how long it takes may depend on what went with it.
	// Default: `key`.
	Scope string `json:"scope,omitempty"`
}

// Defaults and bounds of BatchEmbeddings.
const (
	defaultBatchWait = 5 * time.Millisecond
	defaultBatchMax  = 256
	maxBatchWait     = 10 * time.Second
)

func (b *BatchEmbeddings) batcher() *batch.Batcher {
	if b == nil {
		return nil
	}
	wait, most := time.Duration(b.Wait), int(b.Max)
	if wait == 0 {
		wait = defaultBatchWait
	}
	if most == 0 {
		most = defaultBatchMax
	}
	return batch.New(wait, most, queue.System{})
}

func (b *BatchEmbeddings) validate() error {
	switch {
	case b == nil:
		return nil
	case b.Wait < 0 || time.Duration(b.Wait) > maxBatchWait:
		return fmt.Errorf("batch_embeddings: wait must be between 0 and %s, got %s", maxBatchWait, time.Duration(b.Wait))
	case b.Max < 0:
		return fmt.Errorf("batch_embeddings: max must not be negative, got %d", b.Max)
	}
	switch b.Scope {
	case "", gateway.ScopeKey, gateway.ScopeTeam, gateway.ScopeGlobal:
		return nil
	default:
		return fmt.Errorf("batch_embeddings: scope must be 'key', 'team' or 'global', not '%s'", b.Scope)
	}
}

// of is the scope of a principal. Callers without a key are one, wherever they
// call from: unlike in [call.scope], nobody sees an answer to another.
func (b *BatchEmbeddings) of(p gateway.Principal) string {
	switch {
	case b == nil || b.Scope == gateway.ScopeGlobal:
		return ""
	case b.Scope == gateway.ScopeTeam && p.Team != "":
		return "team\x00" + p.Team
	default:
		return "key\x00" + p.Key + "\x00" + p.User
	}
}

// unmarshalBatch reads `batch_embeddings [on|off]` and its block.
func unmarshalBatch(d *caddyfile.Dispenser, into **BatchEmbeddings) error {
	on := false
	if err := words.Switch(d, &on); err != nil {
		return err
	}
	b, given := new(BatchEmbeddings), make(map[string]bool)
	if err := words.Options(d, given, func(option string) error { return b.unmarshalOption(d, option) }); err != nil {
		return err
	}
	if on {
		*into = b
	} else if len(given) > 0 {
		return d.Err("batch_embeddings is off and has options")
	}
	return nil
}

func (b *BatchEmbeddings) unmarshalOption(d *caddyfile.Dispenser, option string) error {
	switch option {
	case "wait":
		if err := words.Duration(d, &b.Wait); err != nil {
			return err
		}
		if b.Wait < 0 {
			return d.Err("wait: write 'batch_embeddings off' to make each call by itself")
		}
		return nil
	case "max":
		return words.Count(d, &b.Max)
	case "scope":
		return words.Choice(d, &b.Scope, gateway.ScopeKey, gateway.ScopeTeam, gateway.ScopeGlobal)
	default:
		return d.Errf("unrecognized batch_embeddings option '%s'%s", option, typo.Suggest(option, "wait", "max", "scope"))
	}
}

// send makes the attempt's call. Calls for embeddings may be made with others,
// or in parts where they have more inputs than the upstream takes.
func (a *attempt) send() (*http.Response, error) {
	if !batch.Handles(a.outgoing.Operation) || a.sent == nil {
		return a.route.Provider.Do(a.upstream, &a.outgoing)
	}
	c := a.call
	bounded, _ := a.route.Provider.(gateway.Bounded)
	var err error
	a.joint, err = c.proxy.batcher.Send(a.upstream, &batch.Call{
		Provider: a.route.Provider,
		Outgoing: &a.outgoing,
		Body:     a.sent.pieces[0], // see pack
		Target:   a.route.Target.Provider,
		Scope:    c.proxy.BatchEmbeddings.of(c.x.Principal),
		Tokens:   a.countTokens,
		Unpack:   unpack,
		// A call holds one place at its provider.
		Serial: bounded != nil && bounded.Bound().MaxInFlight > 0,
	})
	if a.joint.Taken && a.joint.Paid >= 0 {
		_, _ = a.told.Observe(func(seen *wire.Seen) (wire.Class, error) {
			seen.Usage, seen.Reported = wire.Usage{Input: a.joint.Paid}, true
			return 0, nil
		})
	}
	return a.joint.Response, err
}

// countTokens counts the prompt as the attempt's target does. The envelope may
// lose its body to a hedge that has won meanwhile.
func (a *attempt) countTokens() (n int64) {
	x, model := a.call.x, a.route.Target.Model
	if as := a.route.Provider.Traits().CountsAs; as != "" {
		model = as
	}
	x.Update(func() { n = int64(a.call.proxy.tokens.Prompt(model, x.Operation, &x.Envelope)) })
	return n
}

// verdict is what the end of the attempt says of its upstream. One call that
// was made for several says it once, or as many would fail as waited for it; one that
// was not made says nothing.
func (a *attempt) verdict(err error) health.Result {
	if a.joint.Unsent || a.joint.Follows && !a.pick.Health.Probing() {
		return health.Result{Class: health.Abandoned}
	}
	return verdict(err)
}

// anonymise takes out of an answer's header how the upstream names a call that
// was made for several: who compares it would learn whom they went with.
func anonymise(h http.Header) {
	for _, name := range upstreamIDs {
		h.Del(name)
	}
}
