//go:build race

package keys

const race = true
