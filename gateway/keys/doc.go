// Package keys is the domain of virtual keys: what Weir gives to its clients
// in place of its providers' credentials.
//
// A key's secret is shown once and kept nowhere. What is kept is a MAC of it
// (see [Hasher]), and [Set] finds the key that a credential belongs to without
// telling by its answer, its work or its time whether an id exists.
package keys
