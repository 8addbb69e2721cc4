package proc

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Machine is what all processors together have done since the start.
type Machine struct {
	Busy, Idle, Stolen time.Duration
}

// Machine reads /proc/stat.
func (fs FS) Machine() (Machine, error) {
	raw, err := fs.read("stat")
	if err != nil {
		return Machine{}, err
	}
	return parseMachine(string(raw))
}

// parseMachine reads the line of all processors. Time of guests is in user and
// nice already.
func parseMachine(text string) (m Machine, err error) {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return m, fmt.Errorf("reading stat: %w", errForm)
	}
	for i, s := range f[1:9] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return m, fmt.Errorf("reading stat: %w", errForm)
		}
		d := time.Duration(n) * tick
		switch i {
		case 3, 4: // idle, and waiting for a disk
			m.Idle += d
		case 7:
			m.Stolen += d
		default:
			m.Busy += d
		}
	}
	return m, nil
}

// Noise is what else went on while something was measured, as shares of all
// processors' time.
type Noise struct {
	Foreign float64 `json:"foreign"` // used by others
	Stolen  float64 `json:"stolen"`  // withheld by the host
}

// Noise says what happened since before, of which own was used by what was
// measured and by what measures.
func (m Machine) Noise(before Machine, own time.Duration) Noise {
	busy, stolen := m.Busy-before.Busy, m.Stolen-before.Stolen
	all := busy + stolen + m.Idle - before.Idle
	if all <= 0 {
		return Noise{}
	}
	return Noise{
		Foreign: max(float64(busy-own), 0) / float64(all),
		Stolen:  float64(stolen) / float64(all),
	}
}

// Load is the load average of the last minute.
func (fs FS) Load() (float64, error) {
	raw, err := fs.read("loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return strconv.ParseFloat(first, 64)
}

// Describe names the processor, how many there are, and the memory.
func (fs FS) Describe() (cpu string, cpus int, memory int64) {
	raw, _ := fs.read("cpuinfo")
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(name) {
		case "model name":
			cpu = strings.TrimSpace(value)
		case "processor":
			cpus++
		}
	}
	raw, _ = fs.read("meminfo")
	kb, _ := field(string(raw), "MemTotal:")
	return cpu, cpus, kb << 10
}
