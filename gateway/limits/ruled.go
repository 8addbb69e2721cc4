package limits

// Ruled are the rules of one bearer. What a request asks of them needs no keys made
// of words.
type Ruled struct {
	Scope, Name string
	Rules       []Rule

	// keys are those of the rules' counters.
	keys []string
}

// RulesOf returns the rules of the bearer name of a scope.
func RulesOf(scope, name string, rules []Rule) Ruled {
	b := Ruled{Scope: scope, Name: name, Rules: rules, keys: make([]string, len(rules))}
	for i := range rules {
		b.keys[i] = Key(scope, name, &rules[i])
	}
	return b
}

// Shares reports whether both rules count the same: those of one bearer share a
// counter then.
func (r *Rule) Shares(other *Rule) bool {
	switch {
	case r.Unit != other.Unit:
		return false
	case r.Unit == Concurrency:
		return true
	case r.Calendar != other.Calendar:
		return false
	case r.Calendar == Sliding:
		return r.Window == other.Window
	default:
		return r.zone().String() == other.zone().String()
	}
}

// ClaimRule adds a claim of rule i of b.
func (r *Reservation) ClaimRule(b *Ruled, i int, amount int64) {
	r.Claims = append(r.Claims, Claim{Key: b.keys[i], Rule: &b.Rules[i], Amount: amount, Scope: b.Scope, Name: b.Name})
}

// ClaimOf adds a claim whose counter has the key that [Key] makes, when NameKeys
// is called for all of them.
func (r *Reservation) ClaimOf(scope, name string, rule *Rule, amount int64) {
	r.Claims = append(r.Claims, Claim{Rule: rule, Amount: amount, Scope: scope, Name: name})
	r.names = append(append(append(append(r.names, scope...), ':'), name...), ':')
	r.names = rule.appendID(r.names)
	r.ends = append(r.ends, len(r.names))
}

// NameKeys gives the claims of ClaimOf their keys, parts of one string: a store that
// keeps one for longer than the reservation clones it.
func (r *Reservation) NameKeys() {
	if len(r.ends) == 0 {
		return
	}
	all, begin, n := string(r.names), 0, 0
	for i := range r.Claims {
		if r.Claims[i].Key == "" {
			r.Claims[i].Key, begin = all[begin:r.ends[n]], r.ends[n]
			n++
		}
	}
}

// Unite leaves of the claims on one counter the one whose rule refuses first: a key's
// own rules and the gateway's for it may count the same, and so may several handlers. It
// is counted once then, and while the store is away as the strictest of them says.
func (r *Reservation) Unite() {
	n := 0
next:
	for i := range r.Claims {
		for j := range n {
			if r.Claims[i].Key == r.Claims[j].Key {
				kept, other := &r.Claims[j], r.Claims[i]
				if other.Rule.tighter(kept.Rule) {
					*kept, other = other, *kept
				}
				if !other.Rule.Shadow && other.Rule.OnStoreError.stricter(kept.Rule.OnStoreError) {
					both := *kept.Rule
					both.OnStoreError = other.Rule.OnStoreError
					kept.Rule = &both
				}
				continue next
			}
		}
		if n != i {
			r.Claims[n] = r.Claims[i]
		}
		n++
	}
	clear(r.Claims[n:])
	r.Claims = r.Claims[:n]
}

// tighter reports whether r refuses before other, which counts the same.
func (r *Rule) tighter(other *Rule) bool {
	if r.Shadow != other.Shadow {
		return other.Shadow
	}
	return r.amount() < other.amount()
}

// stricter reports whether o admits less than other while the store is away.
func (o OnStoreError) stricter(other OnStoreError) bool {
	return o != other && (o == Deny || other == Allow)
}
