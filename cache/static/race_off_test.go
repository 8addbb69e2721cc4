//go:build !race

package static

const racing = false
