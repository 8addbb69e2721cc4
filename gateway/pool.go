package gateway

import "github.com/weirproxy/weir/gateway/balance"

// pool is the accounts of a provider and how one of them is chosen.
type pool struct {
	names  []string
	policy balance.Policy
}

// newPool makes the pool of a provider. Without a policy of its own, the
// account with the fewest calls under way is chosen.
func newPool(p Provider, random balance.Rand) *pool {
	made := &pool{names: []string{""}, policy: balance.NewLeastConn(random)}
	if pooled, ok := p.(Pooled); ok {
		made.names = pooled.Accounts()
	}
	if chooser, ok := p.(AccountChooser); ok {
		if module, ok := chooser.AccountPolicy().(interface{ Policy() balance.Policy }); ok {
			made.policy = module.Policy()
		}
	}
	return made
}
