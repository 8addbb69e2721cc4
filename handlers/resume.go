package handlers

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"go.uber.org/zap"

	"github.com/weirproxy/weir/gateway"
	"github.com/weirproxy/weir/internal/inflight"
	"github.com/weirproxy/weir/internal/replay"
	"github.com/weirproxy/weir/wire"
	"github.com/weirproxy/weir/wire/doors"
)

// headerLastEvent names the last event that a client has got (WHATWG HTML,
// 9.2.4).
const headerLastEvent = "Last-Event-Id"

// resumes reports whether the client has come back to a stream.
func (c *call) resumes() bool {
	switch {
	case c.proxy.Resume <= 0, c.route.Operation == wire.ListModels, c.r.Header.Get(headerLastEvent) == "":
		return false
	default:
		return c.r.Method == http.MethodPost || c.r.Method == http.MethodGet
	}
}

// resume goes on with a stream that another request began. It calls no
// upstream, costs nothing and makes no record: all of that is the first request's.
func (c *call) resume() error {
	client, e := c.comeBack()
	if e != nil {
		return c.refuse(e)
	}
	defer client.Leave()
	// At exit the stream's own call is ended with a cause; what it says of that
	// is to reach the client.
	var flight inflight.Call
	inflight.Process.Add(&flight, onlooker{})
	defer flight.Done()

	c.identify()
	c.door, c.out.array = doors.Of(c.route.Operation), nil
	c.out.expectStream(c.door)
	setHeader(c.out.w.Header(), headerResume, "on")
	c.out.openStream()
	_ = c.out.write(nil, true)
	c.pulse.start(c, 0)
	err := c.play(client)
	c.pulse.stop()
	sent, _, _ := c.out.finish()
	c.addLog(zap.Dict("ai", zap.String("request_id", c.id), zap.Bool("resumed", true),
		zap.String("last_event_id", c.r.Header.Get(headerLastEvent)), zap.Int64("bytes_out", sent)))
	if err != nil {
		if errors.Is(err, replay.ErrBroken) {
			c.letRead()
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// comeBack finds the stream and takes its client's place.
func (c *call) comeBack() (*replay.Client, *gateway.Error) {
	if stranger := c.stranger(); stranger != nil {
		return nil, stranger
	}
	last, err := strconv.ParseUint(c.r.Header.Get(headerLastEvent), 10, 64)
	if err != nil {
		return nil, gateway.Invalid("", "the header 'Last-Event-ID' is not the id of an event; send that of the last event that came, or 0")
	}
	// net/http watches for clients that leave when there is nothing left to
	// read. The request may be the first one once more, with its body.
	n, err := io.Copy(io.Discard, io.LimitReader(c.r.Body, c.proxy.MaxBody+1))
	switch {
	case err != nil:
		return nil, gateway.AsError(c.readFailed(err))
	case n > c.proxy.MaxBody:
		return nil, gateway.AsError(tooLarge("body", "max_body", c.proxy.MaxBody, 0))
	}
	tape := replay.Process.Find(c.tapeKey())
	if tape == nil {
		return nil, errNoStream
	}
	c.out.number()
	client, err := tape.Attach(last, c.out.interrupt)
	switch {
	case err == nil:
		return client, nil
	case errors.Is(err, replay.ErrPast):
		return nil, gateway.Invalid("", "the events that follow %d are no longer available", last)
	case errors.Is(err, replay.ErrAhead):
		return nil, gateway.Invalid("", "the stream has no event %d", last)
	default:
		return nil, errNoStream
	}
}

// errNoStream does not say whether another caller has a stream of this name.
var errNoStream = &gateway.Error{Kind: wire.KindNotFound, Message: "there is no stream with this request id that can be resumed"}

// play passes the stream on to its end.
func (c *call) play(client *replay.Client) error {
	for {
		events, err := client.Next(c.r.Context().Done())
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.out.write(events, true); err != nil {
			return err
		}
	}
}

// onlooker is work that ends by itself and costs nothing.
type onlooker struct{}

func (onlooker) Cancel(error) {}

func (onlooker) Settle() {}
