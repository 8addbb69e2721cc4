package handlers

import "github.com/weirproxy/weir/gateway/batch"

// recycle gives back memory of a call that has settled, unless somebody besides its
// handler may still look at it: an attempt that has lost, those who follow it, a
// goroutine that the call has left to go on. What logs and placeholders ask for
// afterwards is in the exchange and stays.
func (c *call) recycle() {
	if c.x.Attempts > 1 || c.keeping != nil || c.out.rec != nil || c.out.left != nil || batch.Handles(c.route.Operation) {
		return
	}
	c.x.Update(func() { c.x.Envelope.Detach(c.x.Envelope.Body()) })
	if trip := c.way.trip; trip != nil {
		c.way, c.target = way{}, nil
		trip.Recycle()
	}
}
