// Package sdkgo runs the official Go SDKs of OpenAI and Anthropic against
// Weir. It is a module of its own, because they require newer versions of
// what Caddy pins.
package sdkgo
