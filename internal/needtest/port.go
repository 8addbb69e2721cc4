package needtest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The ports that Port chooses from lie below those that systems give to whoever asks
// for any: the connections of other tests have such ones, and could take a port
// before the server that it is meant for listens. From 32768 on they are Linux's.
const (
	firstPort = 20000
	ports     = 12000
)

// Port returns a TCP port where nobody listens, for a server that has to be told one.
func Port(tb testing.TB) int {
	tb.Helper()
	for range ports {
		port := firstPort + rand.IntN(ports) //nolint:gosec // no secret
		if ln, err := net.Listen("tcp", ":"+strconv.Itoa(port)); err == nil {
			_ = ln.Close()
			return port
		}
	}
	tb.Fatal("no port is free")
	return 0
}
