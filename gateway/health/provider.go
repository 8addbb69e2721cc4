package health

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Provider is what a configuration says of a provider.
type Provider struct {
	Name string

	// Endpoint says where it is. When it changes, what was learned of the old
	// one is forgotten.
	Endpoint string

	// Accounts are the names of the credentials that it is called with. A name
	// stands for one credential: another has another name. None stands for one
	// account whose name is empty.
	Accounts []string
}

// provider is the state of one provider.
type provider struct {
	name     string
	tracker  *Tracker
	endpoint string // guarded by Tracker.mu

	mu    sync.Mutex // of writers
	creds atomic.Pointer[[]*credential]
}

// credential is the state of one account with all models.
type credential struct {
	name       string
	provider   *provider
	configured bool

	disabled atomic.Bool // written under mu

	mu      sync.Mutex
	changed time.Time // when it was disabled or enabled last
	retryAt time.Time
	trial   uint32 // the number of the call that tries it again; 0: none
	trials  uint32
	tried   time.Time // when that began
	gone    bool      // no configuration has it any more
}

func (p *provider) list() []*credential {
	if list := p.creds.Load(); list != nil {
		return *list
	}
	return nil
}

// active are the accounts of the configuration, or those that calls have made
// known while there is none. Calls of an earlier configuration may still add
// others behind them.
func (p *provider) active() []*credential {
	list := p.list()
	for i, c := range list {
		if i > 0 && !c.configured && list[0].configured {
			return list[:i]
		}
	}
	return list
}

func (p *provider) find(name string) *credential {
	for _, c := range p.list() {
		if c.name == name {
			return c
		}
	}
	return nil
}

// credential returns the account of that name, made if need be.
func (p *provider) credential(name string) *credential {
	if c := p.find(name); c != nil {
		return c
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.find(name); c != nil {
		return c
	}
	c := &credential{name: name, provider: p}
	if list := p.list(); len(list) < maxAccounts {
		list = append(slices.Clone(list), c)
		p.creds.Store(&list)
	}
	return c
}

// usable returns when the provider has an account that can be used for a
// target with these accounts: the zero time if it has one now.
func (p *provider) usable(now time.Time, accounts []*account) (at time.Time) {
	for _, c := range p.active() {
		var free time.Time
		if c.disabled.Load() {
			_, free = c.state()
			// One trial does not make it usable for everybody.
			free = later(free, now.Add(1))
		}
		for _, a := range accounts {
			if a.name == c.name && now.Before(a.coolUntil) {
				free = later(free, a.coolUntil)
			}
		}
		if free.IsZero() {
			return time.Time{}
		}
		if at.IsZero() || free.Before(at) {
			at = free
		}
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// configure replaces the accounts. Those that were there before keep their
// state, unless the provider has moved.
func (p *provider) configure(names []string, now time.Time, moved bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*credential, 0, len(names))
	kept := make(map[*credential]bool, len(names))
	for _, name := range names {
		c := p.find(name)
		if c == nil || !c.configured || moved {
			c = &credential{name: name, provider: p, configured: true}
		}
		kept[c] = true
		list = append(list, c)
	}
	for _, c := range p.list() {
		if kept[c] {
			continue
		}
		c.mu.Lock()
		c.enable(now, "configuration")
		c.gone = true
		c.mu.Unlock()
	}
	p.creds.Store(&list)
}
