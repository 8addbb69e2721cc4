package weir

import (
	"fmt"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// unset says where an `ai` option asks for variables of the environment that are not
// set. They need not be where a Caddyfile is adapted, so that is no error before the
// configuration is loaded; but then nothing knows of files and lines any more.
func unset(d *caddyfile.Dispenser) (warnings []string) {
	for scan := *d; scan.Next(); {
		rest := scan.Val()
		for {
			_, after, ok := strings.Cut(rest, "{env.")
			if !ok {
				break
			}
			name, behind, ok := strings.Cut(after, "}")
			if !ok {
				break
			}
			rest = behind
			if value, ok := os.LookupEnv(name); !ok || value == "" {
				warnings = append(warnings, fmt.Sprintf("%s:%d: {env.%s} is not set", scan.File(), scan.Line(), name))
			}
		}
	}
	return warnings
}
