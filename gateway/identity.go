package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
)

// Identity says which model a request is for, as far as answers depend on it:
// two requests with the same identity can have the same answer. It changes with
// the model's targets and with the settings of their providers, but not with
// who is up.
func (i *Itinerary) Identity() string {
	if i.own.plan.identity == "" { // a target that the client named itself
		return i.gateway.identities.of(i.own.routes[0].Target)
	}
	return i.own.plan.identity + i.ask.Model
}

// Own returns the routes to the model's own targets, whether they can be called
// now or not.
func (i *Itinerary) Own() []*Route { return i.own.routes }

// IsOwn reports whether route leads to one of the model's own targets, not to one
// that stands in for them.
func (i *Itinerary) IsOwn(route *Route) bool {
	return slices.ContainsFunc(i.own.routes, func(r *Route) bool { return r.Target == route.Target })
}

// identities are the versions of providers: whatever in their settings may change
// their answers.
type identities map[string]string

func (v identities) of(target Target) string {
	return "target " + Listed(target.Provider, target.Model, v[target.Provider])
}

// plan is the identity of a plan's own targets. Fallbacks are no part of it:
// their answers stand in for the model's.
func (v identities) plan(owner string, targets []Target) string {
	h := sha256.New()
	for _, target := range targets {
		h.Write([]byte(v.of(target)))
	}
	return "model " + Listed(owner) + hex.EncodeToString(h.Sum(nil)) + " "
}

// Listed is a list of texts as one: no two lists are the same, whatever the texts
// hold.
func Listed(texts ...string) string {
	var room [128]byte
	b := room[:0]
	for _, text := range texts {
		b = strconv.AppendInt(b, int64(len(text)), 10)
		b = append(append(b, ':'), text...)
	}
	return string(b)
}
