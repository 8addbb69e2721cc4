package handlers

import (
	"compress/gzip"
	"io"
	"net/http"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/wire"
)

// Upstreams are asked not to compress. One that does all the same is read up
// to this size and this ratio, beyond which it is a bomb.
const (
	maxUnpacked = 64 << 20
	maxRatio    = 100
)

// unpack returns the answer's body as it is meant.
func unpack(res *http.Response) (io.Reader, error) {
	switch coding(res.Header.Get("Content-Encoding")) {
	case "", "identity":
		return res.Body, nil
	case "gzip":
		packed := &counter{r: res.Body}
		r, err := gzip.NewReader(packed)
		if err != nil {
			return nil, &gateway.Error{Kind: wire.KindUpstream, Phase: "encoding", Message: "the upstream's answer is not valid gzip", Cause: err}
		}
		return &bounded{r: r, packed: packed}, nil
	default:
		return nil, &gateway.Error{Kind: wire.KindUpstream, Phase: "encoding", Message: "the upstream's answer is compressed in a way that was not asked for"}
	}
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// bounded stops a decompression that grows out of proportion.
type bounded struct {
	r      io.Reader
	packed *counter
	n      int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	// The first MiB may have any ratio: short texts of one letter are no bomb.
	if b.n > maxUnpacked || b.n > 1<<20 && b.n > maxRatio*b.packed.n {
		return 0, &gateway.Error{Kind: wire.KindUpstream, Phase: "encoding", Message: "the upstream's compressed answer unpacks to too much"}
	}
	return n, err
}
