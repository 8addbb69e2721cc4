package handlers

import (
	"strconv"
	"strings"

	"github.com/weirproxy/weir/wire"
)

// placeholder answers {http.ai.*}.
func (c *call) placeholder(key string) (value any, ok bool) {
	name, ok := strings.CutPrefix(key, "http.ai.")
	if !ok {
		return nil, false
	}
	seen := c.x.Seen()
	// The call may go on when its handler, whose log line this is for, has gone.
	c.x.Update(func() { value, ok = c.placeholderValue(name, &seen.Usage) })
	return value, ok
}

func (c *call) placeholderValue(name string, usage *wire.Usage) (any, bool) {
	switch name {
	case "request_id":
		return c.id, true
	case "model":
		return c.x.Model, true
	case "target.provider":
		return c.x.Target.Provider, true
	case "target.model":
		return c.x.Target.Model, true
	case "stream":
		return strconv.FormatBool(c.x.Stream), true
	case "attempts":
		return strconv.Itoa(c.x.Attempts), true
	case "key.name":
		return c.x.Principal.Key, true
	case "cache.status":
		return c.x.Cache, true
	case "usage.input_tokens":
		return strconv.FormatInt(usage.Input, 10), true
	case "usage.output_tokens":
		return strconv.FormatInt(usage.Output, 10), true
	case "time_to_first_token_ms":
		return strconv.FormatInt(c.x.Timings.FirstToken.Milliseconds(), 10), true
	default:
		return nil, false
	}
}
