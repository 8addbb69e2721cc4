// Package needtest decides what becomes of a test whose server or tool is not
// on this machine.
package needtest

import (
	"os"
	"testing"
)

// Program returns path. If that is empty, since what is not installed, the
// test is skipped; in CI, which has everything, it fails.
func Program(tb testing.TB, what, path string) string {
	tb.Helper()
	if path == "" {
		if os.Getenv("CI") != "" {
			tb.Fatal(what + " is not installed: CI needs it")
		}
		tb.Skip("NOT TESTED: " + what + " is not installed")
	}
	return path
}
