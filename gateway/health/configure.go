package health

// Configure says what the configuration that runs from now on has. What is
// known of what it still has stays; what was learned of providers, endpoints
// and credentials that are gone is forgotten. Its targets are remembered
// whatever else is.
func (t *Tracker) Configure(providers []Provider, targets []Target) {
	now := t.clock.Now()
	accounts := make(map[string][]string, len(providers))
	moved := make(map[string]bool)
	for _, cfg := range providers {
		names := cfg.Accounts
		if len(names) == 0 {
			names = []string{""}
		}
		accounts[cfg.Name] = names
		p := t.provider(cfg.Name)
		t.mu.Lock()
		moved[cfg.Name] = p.endpoint != "" && p.endpoint != cfg.Endpoint
		p.endpoint = cfg.Endpoint
		t.mu.Unlock()
		p.configure(names, now, moved[cfg.Name])
	}
	pinned := make(map[Target]bool, len(targets))
	for _, key := range targets {
		pinned[key] = true
	}
	t.each(func(x *target) {
		x.pinned.Store(pinned[x.key])
		if names := accounts[x.key.Provider]; names == nil || moved[x.key.Provider] {
			t.remove(x)
		} else {
			x.keep(names)
		}
	})
	for _, p := range t.forget(accounts) {
		p.configure(nil, now, true) // its last calls tell nobody
	}
	for key := range pinned {
		p := t.provider(key.Provider)
		s := t.shard(key)
		s.mu.Lock()
		t.add(s, key, p, now, true).pinned.Store(true)
		s.mu.Unlock()
	}
}

// remove forgets a target. Calls in flight hold it to their end.
func (t *Tracker) remove(x *target) {
	s := t.shard(x.key)
	s.mu.Lock()
	if s.targets[x.key] == x {
		delete(s.targets, x.key)
		t.known.Add(-1)
	}
	s.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.open {
		// Nobody is to wait for the recovery of what is no more.
		x.shut(t.clock.Now())
		x.tell(Change{Kind: TargetHealthy, Target: x.key, Reason: "configuration"})
	}
	x.gone = true
}

// forget drops the providers that are not among these, and returns them.
func (t *Tracker) forget(accounts map[string][]string) (gone []*provider) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, p := range t.providers {
		if accounts[name] == nil {
			delete(t.providers, name)
			gone = append(gone, p)
		}
	}
	return gone
}
