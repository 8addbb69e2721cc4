package handlers

import "io"

// dispatch sends the call to its target and returns the answer as soon as
// it can be shown.
func (c *call) dispatch() (answer, error) {
	a, err := c.attempt(c.target)
	if err != nil {
		return nil, err
	}
	if c.x.Stream {
		c.out.expectStream(c.door)
	}
	c.pulse.start(c, c.limits(c.target).Total)
	a.told = c.x.Try("", "")
	c.upstreamStart = c.proxy.gateway.Now()
	c.current = a
	a.settled()
	answer, err := a.run()
	if err != nil {
		a.ended(err)
		return nil, err
	}
	return answer, nil
}

// discard closes an upstream's body that nobody will read.
func discard(body io.Closer) { _ = body.Close() }
