// Package leaktest fails a package's tests when goroutines outlive them.
//
// A gateway that leaks one goroutine per request dies within days; the check
// is cheap enough to run in every package.
package leaktest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience bounds how long goroutines that are already on their way out may
// take: net/http closes idle connections asynchronously.
const patience = 5 * time.Second

// Main runs m and exits with its code, or with 1 when goroutines other than
// the ones in ignore (substrings of a stack) are still alive afterwards.
func Main(m *testing.M, ignore ...string) {
	code := m.Run()
	if code == 0 {
		if left := Left(ignore...); left != "" {
			fmt.Fprintf(os.Stdout, "goroutines outlive the tests:\n\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

// Left waits until no foreign goroutine is left and returns the stacks of
// those that stay.
func Left(ignore ...string) string {
	deadline := time.Now().Add(patience)
	for {
		left := Leaked(ignore...)
		if left == "" || time.Now().After(deadline) {
			return left
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// standard are goroutines that the runtime, the test framework or a
// dependency's init keeps for the life of the process.
var standard = []string{
	"testing.Main(",
	"testing.(*M).",
	"testing.(*T).Run(",
	"testing.runFuzzing",
	"testing.tRunner",
	"os/signal.signal_recv",
	"os/signal.loop",
	"runtime.ensureSigM",
	"runtime/pprof",
	"internal/leaktest.",
	"go.opencensus.io/stats/view.(*worker).start",
	"github.com/golang/glog.",
}

// Leaked returns the stacks of goroutines that are neither standard nor named
// in ignore; empty when there are none.
func Leaked(ignore ...string) string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	var left []string
	for _, stack := range strings.Split(string(buf), "\n\n") {
		if strings.TrimSpace(stack) != "" && !contains(stack, standard) && !contains(stack, ignore) {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}

func contains(stack string, any []string) bool {
	for _, s := range any {
		if strings.Contains(stack, s) {
			return true
		}
	}
	return false
}
