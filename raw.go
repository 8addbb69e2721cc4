package weir

import "encoding/json"

// moduleOf is the name of a provider's module.
func moduleOf(raw json.RawMessage) string {
	var inline struct {
		Provider string `json:"provider"`
	}
	_ = json.Unmarshal(raw, &inline) // an error shows when the module is loaded
	return inline.Provider
}
