package gateway

import "fmt"

// NameError is that a model names what it must not.
type NameError struct {
	// Model is the model's own name, or what else names, and Name what it names.
	Model, Name string

	text string
}

// Error implements error.
func (e *NameError) Error() string { return e.text }

// BadName is the error that model, or what else a configuration has, names what it
// must not.
func BadName(model, name, format string, args ...any) error {
	return &NameError{Model: model, Name: name, text: fmt.Sprintf(format, args...)}
}

// CheckNames checks what models name as [New] does, of a configuration whose
// providers have these names and of which nothing else is known yet. What is wrong
// with a name is a [NameError].
func CheckNames(providers []string, list []*Model) error {
	known := make(map[string]Provider, len(providers))
	for _, name := range providers {
		known[name] = nil
	}
	p := planner{models: newModels(list), providers: known}
	for _, model := range list {
		if err := p.prepare(model); err != nil {
			return err
		}
	}
	return p.checkCircles(list)
}
