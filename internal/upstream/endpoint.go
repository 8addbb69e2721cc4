package upstream

import "github.com/weirproxy/weir/gateway"

// Endpoint implements gateway.Located.
func (c *Client) Endpoint() string { return c.base.String() }

// Interface guard.
var _ gateway.Located = (*Client)(nil)
