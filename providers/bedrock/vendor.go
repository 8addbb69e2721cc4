package bedrock

import (
	"mime"
	"net/http"
	"strings"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/eventstream"
	"github.com/weirproxy/weir/internal/upstream"
	"github.com/weirproxy/weir/wire"
)

// streamType is AWS's own framing of streams.
const streamType = "application/vnd.amazon.eventstream"

// vendor is what is known of Bedrock, but for where and how calls are
// authorized.
func vendor() upstream.Vendor {
	return upstream.Vendor{
		Operations: []*wire.Operation{wire.Converse, wire.InvokeEmbed},
		Prefixes: []string{
			"anthropic.", "amazon.", "meta.", "mistral.", "cohere.", "deepseek.", "openai.", "qwen.", "ai21.", "writer.",
			"us.", "eu.", "apac.", "jp.", "au.", "us-gov.", "global.", "arn:aws",
		},
		Path:       path,
		StreamType: streamType,
		Receive:    receive,
		Traits:     gateway.Traits{MaxInputs: 96}, // Cohere's; Titan takes one
	}
}

// endpoint is the address of a region.
func endpoint(region string) string {
	host := "https://bedrock-runtime." + region + ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		host += ".cn"
	}
	return host
}

// path encodes the whole name: an ARN's colons and slashes too.
func path(call *gateway.Call) string {
	p := "/model/" + upstream.Escape(call.Model) + call.Operation.Path
	if call.Stream && call.Operation == wire.Converse {
		p += "-stream"
	}
	return p
}

// receive makes a stream of AWS's frames one of server-sent events.
func receive(_ *gateway.Call, res *http.Response) {
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if mediaType != streamType {
		return
	}
	res.Body = eventstream.SSE(res.Body)
	res.ContentLength = -1
	res.Header.Del("Content-Length")
	res.Header.Set("Content-Type", "text/event-stream")
}
