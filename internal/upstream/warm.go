package upstream

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/weirproxy/weir/gateway"
)

const (
	maxWarm     = 256
	warmTimeout = 10 * time.Second
)

// warmth opens a client's first connections.
type warmth struct {
	connections int
	logger      *zap.Logger

	mu     sync.Mutex
	cancel context.CancelFunc
}

// Warm implements gateway.Warmer: it opens the connections that the
// configuration asks for, in the background. A failure is logged and no more.
func (c *Client) Warm() {
	if c.warmth.connections == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), warmTimeout)
	c.warmth.mu.Lock()
	defer c.warmth.mu.Unlock()
	if c.warmth.cancel != nil {
		cancel()
		return // warm already
	}
	c.warmth.cancel = cancel
	go func() {
		defer cancel()
		if err := c.warm(ctx, c.warmth.connections); err != nil && ctx.Err() == nil {
			c.warmth.logger.Warn("opening connections in advance", zap.String("upstream", c.base.Host), zap.Error(err))
		}
	}()
}

func (w *warmth) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel != nil {
		w.cancel()
	}
}

// warm opens n connections. net/http keeps only those that carried a request,
// so each carries a HEAD of the base URL, without the key: whatever the
// answer, the connection is there. None is sent before all have a connection,
// or a fast answer's would be used for the next.
func (c *Client) warm(ctx context.Context, n int) error {
	ready := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Add(n)
	go func() {
		waiting.Wait()
		close(ready)
	}()
	failed := make(chan error, n)
	for range n {
		go func() {
			arrived := sync.OnceFunc(waiting.Done)
			defer arrived() // also when there was no connection
			failed <- c.warmOne(ctx, func() {
				arrived()
				select {
				case <-ready:
				case <-ctx.Done():
				}
			})
		}()
	}
	var first error
	for range n {
		if err := <-failed; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (c *Client) warmOne(ctx context.Context, connected func()) error {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected() }})
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, c.base.String(), nil)
	if err != nil {
		return fmt.Errorf("building request: %w", err)
	}
	req.Header.Set("User-Agent", userAgent)
	res, err := c.transport.send(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Interface guard.
var _ gateway.Warmer = (*Client)(nil)
