// Command testcaddy is Caddy with Weir in it, built from this module alone:
// what the tests that need a process of their own run.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	// Caddy's own modules and Weir's.
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/weirproxy/weir"
)

func main() { caddycmd.Main() }
