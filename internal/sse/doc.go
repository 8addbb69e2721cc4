// Package sse frames Server-Sent Events: a reader that accepts everything the
// WHATWG HTML standard §9.2 accepts and says which events are fit to be
// forwarded byte for byte, and a writer that emits only what every known client
// accepts.
//
// Unlike bufio.Scanner, whose 64 KB limit is the commonest streaming bug of Go
// gateways, the reader takes lines of many megabytes (images travel as one
// base64 data line), never looks at a byte twice, and holds no more than the
// event at hand.
package sse
