package limits

import (
	"context"
	"fmt"
	"time"
)

// maxLoans is how many chunks one question is about, so that none runs long.
const maxLoans = 50

// passenger is a chunk's place in a question.
type passenger struct {
	c             *chunk
	loan          Loan
	own, expected int64
	claim         int
}

// fetch takes what r still misses, asking the store for it. False says that
// there is no room; r.Decisions tell.
func (l *Leased) fetch(ctx context.Context, r *Reservation) (bool, error) {
	tickets := make([]int64, len(r.Claims))
	for {
		var mine []passenger
		var other *flight
		now := l.clock()
		for i := range r.Claims {
			claim, hold := &r.Claims[i], &r.Holds[i]
			if hold.Lease != notHeld {
				continue
			}
			c := l.chunk(claim)
			slot, ok := c.take(claim.Amount, now)
			switch {
			case ok:
				hold.Slot, hold.Lease = slot, inChunk
				r.Decisions[i] = c.decision(claim.Rule.amount(), now)
			case c.flight != nil:
				other = c.flight
				if c.waiting = Add(c.waiting, claim.Amount); tickets[i] == 0 {
					tickets[i] = c.flights + 2 // the one under way came too early
				}
			case tickets[i] > 0 && c.flights >= tickets[i] && c.over != 0 && !r.Force && !claim.Rule.Shadow && claim.Amount > Add(c.free, c.room):
				// What has just been asked need not be asked again.
				d := c.decision(claim.Rule.amount(), now)
				d.Over, d.Wait = true, c.wait(claim.Amount, d.Limit)
				r.Decisions[i] = d
				c.mu.Unlock()
				for j := range mine {
					l.cancel(&mine[j])
				}
				return !r.Refuse(), nil
			default:
				if tickets[i] > 0 {
					c.waiting = max(0, c.waiting-claim.Amount)
				}
				mine = append(mine, l.board(c, claim.Amount, now, &r.Holds[i]))
				mine[len(mine)-1].claim, mine[len(mine)-1].loan.Force = i, r.Force
			}
			c.mu.Unlock()
		}
		switch {
		case len(mine) > 0:
			granted, err := l.fly(ctx, mine, r)
			if err != nil {
				return false, err
			}
			if !granted {
				return !r.Refuse(), nil
			}
		case other == nil:
			return true, nil
		default:
			select {
			case <-other.done:
			case <-ctx.Done():
				return false, fmt.Errorf("waiting for room: %w: %w", ErrUnavailable, ctx.Err())
			}
			if other.err != nil {
				return false, other.err
			}
		}
	}
}

// wait is how long the last refusal says that room takes.
func (c *chunk) wait(amount, limit int64) time.Duration {
	if amount > limit {
		return Never
	}
	if c.over <= 0 {
		return Soon
	}
	return c.over
}

// board makes c's part of a question. c is locked.
func (l *Leased) board(c *chunk, amount int64, now time.Time, hold *Hold) passenger {
	lending := l.lendingTime(c.rule)
	p := passenger{c: c, claim: -1}
	p.loan, p.own, p.expected = c.depart(amount, lending, l.seq.Add(1), &l.terms, int64(max(1, l.lender.Instances())), l.ending.Load(), now)
	if c.generation == 0 && hold != nil {
		// Of an earlier chunk that has been given back.
		p.loan.Known, p.loan.Generation = hold.Known, hold.Generation
	}
	c.flight = &flight{done: make(chan struct{})}
	return p
}

// cancel is for a question that is not asked after all.
func (l *Leased) cancel(p *passenger) {
	c := p.c
	c.mu.Lock()
	c.room += p.own
	f := c.flight
	c.flight = nil
	c.mu.Unlock()
	close(f.done)
}

// fly asks the store, and takes what it was asked for r.
func (l *Leased) fly(ctx context.Context, all []passenger, r *Reservation) (bool, error) {
	loans := make([]Loan, len(all))
	for i := range all {
		loans[i] = all[i].loan
	}
	var news Reservation
	now := l.clock() // before the store's, so that its time is never thought earlier
	// Others wait for the answer too, whatever becomes of this client.
	granted, err := l.lender.Lend(context.WithoutCancel(ctx), l.terms.Percent, loans)
	for i := range all {
		p, loan := &all[i], &loans[i]
		c := p.c
		c.mu.Lock()
		if err != nil {
			c.room += p.own
		} else {
			c.arrive(loan, granted, p.own, p.expected, now)
			if p.claim >= 0 {
				p.decide(r, granted, now)
			} else {
				news.Claims = append(news.Claims, Claim{Key: c.key, Rule: c.rule})
				news.Decisions = append(news.Decisions, c.decision(c.rule.amount(), now))
			}
		}
		f := c.flight
		f.err = err
		c.flight, c.flights = nil, c.flights+1
		c.mu.Unlock()
		close(f.done)
	}
	if err == nil && len(loans) > 0 {
		l.heed(loans[0].Decision.Generation)
	}
	if local := l.local.Load(); local != nil && len(news.Claims) > 0 {
		(*local).Note(&news)
	}
	l.arm()
	return granted, err
}

// heed has all chunks reported at once when the store has begun a new life: it
// may lack what was lent and used, and gives it to others until it is told.
func (l *Leased) heed(generation int64) {
	if was := l.generation.Swap(generation); was != 0 && was != generation {
		l.spawn(0, func() { _ = l.Report(context.Background()) })
	}
}

// decide notes in r what the answer says of its claim. The chunk is locked.
func (p *passenger) decide(r *Reservation, granted bool, now time.Time) {
	c, claim, hold := p.c, &r.Claims[p.claim], &r.Holds[p.claim]
	if granted {
		hold.Slot, hold.Lease = c.use(claim.Amount, c.now), inChunk
	}
	d := c.decision(claim.Rule.amount(), now)
	if d.Wait = c.over; d.Wait != 0 {
		d.Over, d.Wait = true, c.wait(claim.Amount, d.Limit)
	}
	r.Decisions[p.claim] = d
}

// refill asks for room ahead of its use, and reports, in the background. The
// chunk is locked.
func (l *Leased) refill(c *chunk, now time.Time) {
	p := l.board(c, 0, now, nil)
	l.spawn(0, func() { _, _ = l.fly(context.Background(), []passenger{p}, nil) })
}

// Report reports on all chunks whose time it is, and forgets those of which
// there is nothing to say. It returns whether any are left.
func (l *Leased) Report(ctx context.Context) (more bool) {
	var due []passenger
	now := l.clock()
	shortest := l.terms.Time.Microseconds()
	fly := func() {
		if len(due) > 0 {
			_, _ = l.fly(ctx, due, nil)
			due = nil
		}
	}
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.RLock()
		chunks := make([]*chunk, 0, len(sh.chunks))
		for _, c := range sh.chunks {
			chunks = append(chunks, c)
		}
		sh.mu.RUnlock()
		for _, c := range chunks {
			c.mu.Lock()
			switch {
			case c.flight != nil:
				more = true
				if f := c.flight; l.ending.Load() {
					c.mu.Unlock()
					select {
					case <-f.done:
					case <-ctx.Done():
					}
					c.mu.Lock()
				}
			case c.idle() && !(c.knows() && c.outlived(l.generation.Load())):
				c.gone = true
			default:
				more = true
				shortest = min(shortest, l.lendingTime(c.rule))
				if c.at(now) >= c.due || l.ending.Load() || c.outlived(l.generation.Load()) {
					due = append(due, l.board(c, 0, now, nil))
				}
			}
			gone := c.gone
			c.mu.Unlock()
			if gone {
				sh.mu.Lock()
				if sh.chunks[c.key] == c {
					delete(sh.chunks, c.key)
				}
				sh.mu.Unlock()
			}
			if len(due) == maxLoans {
				fly()
			}
		}
	}
	fly()
	l.tick.Store(shortest / 16)
	return more
}
