package integration

import (
	"fmt"
	"strings"

	"github.com/weirproxy/weir/gateway"
)

// strategy is a column of the matrix: what a model does about failures.
type strategy struct {
	name string

	// model is its block, where first and second are providers, and spare
	// is a model of the second. words are what the page says of it.
	targets, options string

	// mends says whether it makes a second call after m, and why that is made.
	mends  func(m *misfortune) bool
	reason string

	// outruns says whether the second call is made beside the first, which is
	// slow, and continues whether it goes on with what the client has seen.
	// Nil is never.
	outruns, continues func(m *misfortune) bool

	// second is which provider gets that: 1 or 2.
	second int
}

// races says whether the second call of a cell is made beside its first, and
// joins whether it goes on with what the client has seen.
func (s *strategy) races(m *misfortune) bool { return s.outruns != nil && s.outruns(m) }
func (s *strategy) joins(m *misfortune) bool { return s.continues != nil && s.continues(m) }

// anybodys are the failures that say nothing of the request.
func anybodys(m *misfortune) bool {
	switch m.class {
	case own, gateway.ClassContextLength, gateway.ClassContentPolicy:
		return false
	default:
		return true
	}
}

// spares says whether the client can be spared m at all: it has seen nothing.
func spares(m *misfortune) bool { return m.damage != committed }

// strategies are the columns of the matrix.
var strategies = []*strategy{
	{
		name: "none", targets: "first",
		mends: func(*misfortune) bool { return false },
	},
	{
		// The same again makes no sense where the key is not taken, and where
		// the upstream wants to be left alone for long.
		name: "retry", targets: "first", options: "lb_retries 1\nlb_try_interval 1ms",
		mends:  func(m *misfortune) bool { return spares(m) && anybodys(m) && !m.wait && m.class != gateway.ClassAuth },
		reason: gateway.ReasonRetry, second: 1,
	},
	{
		name: "failover", targets: "first second",
		mends:  func(m *misfortune) bool { return spares(m) && anybodys(m) },
		reason: gateway.ReasonFailover, second: 2,
	},
	{
		name: "fallback", targets: "first", options: "fallback spare",
		mends:  func(m *misfortune) bool { return spares(m) && anybodys(m) },
		reason: gateway.ReasonFallback, second: 2,
	},
	{
		name: "fallback_on", targets: "first", options: "fallback_on context_length content_policy spare",
		mends: func(m *misfortune) bool {
			return spares(m) && (m.class == gateway.ClassContextLength || m.class == gateway.ClassContentPolicy)
		},
		reason: gateway.ReasonFallback, second: 2,
	},
	{
		// What fails before the hedge is due is followed as without one, and
		// what has said something has won.
		name: "hedge", targets: "first second", options: "hedge 1m",
		mends:  func(m *misfortune) bool { return spares(m) && anybodys(m) },
		reason: gateway.ReasonFailover, second: 2,
		outruns: func(m *misfortune) bool { return spares(m) && m.class == gateway.ClassTimeout },
	},
	{
		name: "continuation", targets: "first second", options: "on_cut continue",
		mends:  func(m *misfortune) bool { return spares(m) && anybodys(m) },
		reason: gateway.ReasonFailover, second: 2,
		continues: func(m *misfortune) bool { return !spares(m) && anybodys(m) },
	},
}

// variants are the ways in which a model differs for the misfortunes that need
// it: nobody listens, or a timeout is short.
var variants = []string{"", "dead", "response_header_timeout", "first_token_timeout", "idle_timeout"}

// short is a timeout that healthy upstreams keep.
const short = "500ms"

// hedgedSoon is the delay of hedges against slow upstreams, long enough to have the
// first's prelude. Such models have no short timeout that could end the race.
const hedgedSoon = "hedge 200ms"

// modelOf is the beginning of the names of the models of a cell's kind.
func (s *strategy) modelOf(d *door, variant string) string {
	return strings.ReplaceAll("x-"+s.name+"-"+d.name+"-"+variant+"-", "_", "")
}

// config is the models of s for the clients of d.
func (s *strategy) config(d *door) string {
	var b strings.Builder
	for _, variant := range variants {
		first, options := d.name+"-1", s.options
		switch variant {
		case "":
		case "dead":
			first = d.name + "-dead"
		default:
			if s.outruns != nil && variant != "idle_timeout" {
				options = hedgedSoon
				break
			}
			options += "\n" + variant + " " + short
		}
		targets := strings.NewReplacer("first", first+"/"+d.model+"-*", "second", d.name+"-2/"+d.model+"-*").Replace(s.targets)
		fmt.Fprintf(&b, "model %s* %s {\n%s\n}\n", s.modelOf(d, variant), targets, strings.Replace(options, "spare", "spare-"+d.name, 1))
	}
	return b.String()
}

// variant is the kind of model that m needs.
func (m *misfortune) variant() string {
	if m.dead {
		return "dead"
	}
	return m.patience
}
