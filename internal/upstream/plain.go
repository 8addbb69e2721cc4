package upstream

import (
	"context"
	"net"
	"net/http"

	"github.com/weirproxy/weir/internal/http1"
)

// newPlain returns the client for http:// URLs of a transport that speaks
// HTTP/1.1 to them without a proxy. It has that one's settings and dials, but
// for the sizes of buffers, which it has no use for.
func newPlain(std *http.Transport) *http1.Transport {
	t := &http1.Transport{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return std.DialContext(ctx, network, address) // as it is then, see adopt
		},
		MaxIdlePerHost: std.MaxIdleConnsPerHost,
		MaxIdle:        std.MaxIdleConns,
		MaxPerHost:     std.MaxConnsPerHost,
		IdleTimeout:    std.IdleConnTimeout,
		HeaderTimeout:  std.ResponseHeaderTimeout,
		MaxHead:        int(std.MaxResponseHeaderBytes),
	}
	if std.DisableKeepAlives {
		t.MaxIdlePerHost = 0
	}
	return t
}
