//go:build race

package tokens

// raceEnabled says that the race detector has pools forget at random.
const raceEnabled = true
