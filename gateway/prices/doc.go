// Package prices knows what models cost.
//
// Money is int64 nano-dollars (1e-9 USD): what a request costs is never a
// float, sums are exact, and everything saturates instead of wrapping. Rates
// are int64 nano-dollars per million units, because vendors quote USD per
// million tokens: 0.0375 USD per million is 37.5 nano-dollars a token, which
// has no whole number, and 37,500,000 per million, which is one.
//
// The catalogue is embedded in the binary. See internal/gen for how it is
// made, and docs/prices.md for its sources.
package prices
