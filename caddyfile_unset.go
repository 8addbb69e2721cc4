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
		warnings = append(warnings, unsetIn(&scan, scan.Val())...)
	}
	return warnings
}

// unsetIn says it of one text, which stands where d does or is used there.
func unsetIn(d *caddyfile.Dispenser, text string) (warnings []string) {
	for {
		_, after, ok := strings.Cut(text, "{env.")
		if !ok {
			return warnings
		}
		name, behind, ok := strings.Cut(after, "}")
		if !ok {
			return warnings
		}
		text = behind
		if os.Getenv(name) == "" {
			warnings = append(warnings, fmt.Sprintf("%s:%d: {env.%s} is not set", d.File(), d.Line(), name))
		}
	}
}
