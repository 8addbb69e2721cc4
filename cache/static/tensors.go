package static

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Bounds on what a file may claim.
const (
	maxHeader = 1 << 20
	maxTokens = 1 << 22
	maxDims   = 8192
)

// tensor is one of a safetensors file.
type tensor struct {
	Type    string    `json:"dtype"`
	Shape   []int64   `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`

	data []byte
}

// tensors reads a safetensors file: eight bytes with the length of a JSON
// object, the object, then the data to which its offsets point
// (github.com/huggingface/safetensors). The tensors share raw's memory.
func tensors(raw []byte) (map[string]tensor, error) {
	if len(raw) < 8 {
		return nil, errors.New("the file is too short")
	}
	n := binary.LittleEndian.Uint64(raw)
	if n > maxHeader || n > uint64(len(raw)-8) {
		return nil, fmt.Errorf("a header of %d bytes is longer than the file or 1 MiB", n)
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(raw[8:8+n], &header); err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	data := raw[8+n:]
	out := make(map[string]tensor, len(header))
	for name, described := range header {
		if name == "__metadata__" {
			continue
		}
		var t tensor
		if err := json.Unmarshal(described, &t); err != nil {
			return nil, fmt.Errorf("reading the header's %s: %w", name, err)
		}
		if t.Offsets[0] > t.Offsets[1] || t.Offsets[1] > uint64(len(data)) {
			return nil, fmt.Errorf("%s is not within the file", name)
		}
		t.data = data[t.Offsets[0]:t.Offsets[1]]
		out[name] = t
	}
	return out, nil
}

// sizes are the bytes of a number.
var sizes = map[string]int64{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I8": 1, "I64": 8, "I32": 4}

// extent returns a tensor's rows and columns: one column when it has one
// dimension. The data has exactly as many numbers.
func (t *tensor) extent() (rows, columns int, err error) {
	size := sizes[t.Type]
	if size == 0 {
		return 0, 0, fmt.Errorf("numbers of type %.20q are not supported", t.Type)
	}
	shape := t.Shape
	if len(shape) == 1 {
		shape = append(shape[:1:1], 1)
	}
	if len(shape) != 2 || shape[0] < 1 || shape[0] > maxTokens || shape[1] < 1 || shape[1] > maxDims {
		return 0, 0, fmt.Errorf("the shape %v is no table of at most %d × %d", t.Shape, maxTokens, maxDims)
	}
	if shape[0]*shape[1]*size != int64(len(t.data)) {
		return 0, 0, fmt.Errorf("%v numbers of type %s are not %d bytes", t.Shape, t.Type, len(t.data))
	}
	return int(shape[0]), int(shape[1]), nil
}

// floats reads a tensor of numbers. All must be finite.
func (t *tensor) floats() ([]float32, error) {
	size := int(sizes[t.Type])
	out := make([]float32, len(t.data)/size)
	for i := range out {
		at := t.data[i*size:]
		var v float32
		switch t.Type {
		case "F64":
			v = float32(math.Float64frombits(binary.LittleEndian.Uint64(at)))
		case "F32":
			v = math.Float32frombits(binary.LittleEndian.Uint32(at))
		case "F16":
			v = half(binary.LittleEndian.Uint16(at))
		case "BF16":
			v = math.Float32frombits(uint32(binary.LittleEndian.Uint16(at)) << 16)
		case "I8":
			v = float32(int8(at[0]))
		default:
			return nil, fmt.Errorf("numbers of type %s are not expected here", t.Type)
		}
		if v-v != 0 {
			return nil, errors.New("a number is not finite")
		}
		out[i] = v
	}
	return out, nil
}

// indices reads a tensor of whole numbers, each below limit.
func (t *tensor) indices(limit int) ([]int32, error) {
	size := int(sizes[t.Type])
	out := make([]int32, len(t.data)/size)
	for i := range out {
		at := t.data[i*size:]
		var v int64
		switch t.Type {
		case "I64":
			v = int64(binary.LittleEndian.Uint64(at))
		case "I32":
			v = int64(int32(binary.LittleEndian.Uint32(at)))
		default:
			return nil, fmt.Errorf("numbers of type %s are not expected here", t.Type)
		}
		if v < 0 || v >= int64(limit) {
			return nil, fmt.Errorf("%d is no row of the embeddings", v)
		}
		out[i] = int32(v)
	}
	return out, nil
}

// half is an IEEE half float.
func half(h uint16) float32 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(fraction, -24)
	case 31:
		return float32(math.Inf(1)) // or not a number: neither is taken
	default:
		v = math.Ldexp(1024+fraction, exponent-25)
	}
	if h>>15 == 1 {
		v = -v
	}
	return float32(v)
}
