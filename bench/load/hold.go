package load

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/weirproxy/weir/bench/mark"
)

// Crowd is a number of streams that stay open.
type Crowd struct {
	addr string
	form *form
	num  *serial

	mu      sync.Mutex
	members []*member
	wg      sync.WaitGroup

	broken atomic.Int64
	open   atomic.Int64
	chunks atomic.Int64

	delayMu sync.Mutex
	delays  []int64
}

type member struct {
	c      conn
	opened chan error // has the outcome of the first chunk
	once   sync.Once
	faults mark.Faults

	leaving atomic.Bool // hung up by the crowd
}

func (m *member) leave() {
	m.leaving.Store(true)
	if m.c.nc != nil {
		_ = m.c.nc.Close()
	}
}

// NewCrowd prepares streams of q.
func NewCrowd(addr string, q Request) *Crowd {
	return &Crowd{addr: addr, form: q.form(addr), num: &serial{base: rand.Uint64()}}
}

// Grow opens streams until there are n, some at a time, and waits for the
// first chunk of each. It returns how many are open, which is less than n when
// some were refused, with the first error.
func (c *Crowd) Grow(n int) (int, error) {
	const together = 50
	var first error
	for c.size() < n {
		batch := make([]*member, 0, together)
		for range min(together, n-c.size()) {
			batch = append(batch, c.join())
		}
		for _, m := range batch {
			if err := <-m.opened; err != nil && first == nil {
				first = err
			}
		}
		if first != nil {
			break
		}
	}
	return int(c.open.Load()), first
}

func (c *Crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.members)
}

func (c *Crowd) join() *member {
	m := &member{c: conn{addr: c.addr}, opened: make(chan error, 1)}
	buf := slices.Clone(c.form.bytes)
	c.num.fill(buf, c.form)
	m.c.delay = func(ns int64) {
		m.once.Do(func() {
			c.open.Add(1)
			m.opened <- nil
		})
		c.chunks.Add(1)
		c.delayMu.Lock()
		c.delays = append(c.delays, ns)
		c.delayMu.Unlock()
	}
	err := m.c.dial()
	c.mu.Lock()
	c.members = append(c.members, m)
	c.mu.Unlock()
	if err != nil {
		c.broken.Add(1)
		m.opened <- err
		return m
	}
	c.wg.Go(func() {
		_, err := m.c.stay(buf)
		m.faults = m.c.check.Broken()
		if m.leaving.Load() && errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			err = errors.New("a stream ended that should not")
		}
		c.broken.Add(1)
		m.once.Do(func() { m.opened <- err })
	})
	return m
}

// stay sends a request and reads its answer without a deadline. The connection
// is left to the crowd, which may close it meanwhile.
func (c *conn) stay(request []byte) (a Answer, err error) {
	if _, err := c.nc.Write(request); err != nil {
		return a, err
	}
	c.check.Begin()
	if err := c.read(&a); err != nil {
		return a, err
	}
	if a.Status != 200 {
		return a, fmt.Errorf("status %d", a.Status)
	}
	return a, nil
}

// Broken is how many streams ended by themselves so far.
func (c *Crowd) Broken() int { return int(c.broken.Load()) }

// Chunks is how many chunks have come so far.
func (c *Crowd) Chunks() int64 { return c.chunks.Load() }

// Delays returns the sorted delays of the chunks since it was last called.
func (c *Crowd) Delays() []int64 {
	c.delayMu.Lock()
	defer c.delayMu.Unlock()
	d := c.delays
	c.delays = nil
	slices.Sort(d)
	return d
}

// Shrink hangs up streams until n are left.
func (c *Crowd) Shrink(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members[min(n, len(c.members)):] {
		m.leave()
	}
}

// Leave hangs up all streams at once and returns what was wrong with their
// chunks, when all their readers have ended.
func (c *Crowd) Leave() (f mark.Faults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		m.leave()
	}
	c.wg.Wait()
	for _, m := range c.members {
		f.Add(m.faults)
	}
	return f
}
