package gateway

// Located is implemented by providers that can say where their upstream is.
// What is known of its health is forgotten when it moves.
type Located interface {
	// Endpoint is the upstream's base URL, or what else tells one from another.
	Endpoint() string
}
