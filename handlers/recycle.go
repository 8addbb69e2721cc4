package handlers

import "github.com/weirproxy/weir/gateway/batch"

// recycle gives back memory of a call that has settled, unless somebody besides its
// handler may still look at it: an attempt that has lost, those who follow it, who
// looks for what means the same, a goroutine that the call has left to go on. What
// logs and placeholders ask for afterwards is in the exchange and stays.
func (c *call) recycle() {
	k := c.keeping
	if c.x.Attempts > 1 || c.shared || k != nil && k.semantic != nil || c.out.rec != nil || c.out.left != nil || batch.Handles(c.route.Operation) {
		return
	}
	c.x.Update(func() { c.x.Envelope.Detach(c.x.Envelope.Body()) })
	if trip := c.way.trip; trip != nil {
		c.way, c.target = way{}, nil
		trip.Recycle()
	}
	if k != nil {
		c.keeping = nil
		k.release()
	}
}
