package limits

import (
	"context"
	"fmt"
)

// strictly is the part of r that the store itself decides on.
func (l *Leased) strictly(r *Reservation) *Reservation {
	if r.strict == nil {
		r.strict = &Reservation{}
	}
	s := r.strict
	s.Reset()
	s.Force = r.Force
	for i := range r.Claims {
		if r.Holds[i].Lease == inStore {
			s.Claims = append(s.Claims, r.Claims[i])
			s.Holds = append(s.Holds, Hold{Known: r.Holds[i].Known, Generation: r.Holds[i].Generation})
		}
	}
	return s
}

func (l *Leased) reserveStrictly(ctx context.Context, r *Reservation) (bool, error) {
	s := l.strictly(r)
	ok, err := l.lender.Reserve(ctx, s)
	if err != nil {
		return false, fmt.Errorf("deciding strictly: %w", err)
	}
	r.strictDecisions()
	if !ok {
		r.Refuse()
	}
	return ok, nil
}

// strictKnowledge brings what is known of the strict part's counters by now
// into it.
func (r *Reservation) strictKnowledge() {
	at := 0
	for i := range r.Claims {
		if h := &r.Holds[i]; h.Lease == inStore && at < len(r.strict.Holds) {
			r.strict.Holds[at].Known, r.strict.Holds[at].Generation = h.Known, h.Generation
			at++
		}
	}
}

// strictDecisions brings the decisions of r's strict part into r.
func (r *Reservation) strictDecisions() {
	at := 0
	for i := range r.Claims {
		if r.Holds[i].Lease == inStore && at < len(r.strict.Decisions) {
			r.Decisions[i] = r.strict.Decisions[at]
			at++
		}
	}
}

// strictly is the part of amounts that belongs to r's strict part.
func (r *Reservation) strictly(amounts []int64) []int64 {
	r.scaled = r.scaled[:0]
	for i := range min(len(amounts), len(r.Claims)) {
		if r.Holds[i].Lease == inStore {
			r.scaled = append(r.scaled, amounts[i])
		}
	}
	return r.scaled
}
