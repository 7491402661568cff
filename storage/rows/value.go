package rows

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// packedFrom is the size from which a value is compressed. Below it a value
// costs more time than the bytes it saves.
const packedFrom = 2 << 10

// MaxValueBytes bounds what one packed value may unpack to, so that a damaged
// or planted row cannot exhaust the memory.
const MaxValueBytes = 256 << 20

// The first byte of a stored value says how the rest is to be read. Plain JSON
// text and plain output may begin with any byte, so the mark is always there.
const (
	markPlain = 'p'
	markZstd  = 'z'
)

var (
	encoder = must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true)))
	decoder = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(MaxValueBytes)))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("rows: zstd refuses its fixed options: " + err.Error())
	}
	return v
}

// Pack makes a value ready for its column: nil stays nil, a large one is
// compressed. Any bytes survive, NUL and broken UTF-8 included.
func Pack(value []byte) []byte {
	if value == nil {
		return nil
	}
	if len(value) >= packedFrom {
		if packed := compressed(value); packed != nil {
			return packed
		}
	}
	plain := make([]byte, 1+len(value))
	plain[0] = markPlain
	copy(plain[1:], value)
	return plain
}

// sample is how much of a large value is compressed first, to learn how much room
// the whole takes: growing the room on the way would cost the value's size
// several times over.
const sample = 64 << 10

// scratch holds room for the compressed form of a sample.
var scratch = sync.Pool{New: func() any {
	room := make([]byte, 0, sample+sample/8)
	return &room
}}

// compressed is a value in its compressed form, nil when that is no smaller.
func compressed(value []byte) []byte {
	room := scratch.Get().(*[]byte)
	defer scratch.Put(room)
	head := value[:min(len(value), sample)]
	packed := encoder.EncodeAll(head, append((*room)[:0], markZstd))
	*room = packed[:0]
	if len(packed) >= len(head)-len(head)/32 {
		return nil
	}
	if len(head) == len(value) {
		return bytes.Clone(packed)
	}
	size := int(float64(len(packed)) / float64(len(head)) * float64(len(value)) * 1.05)
	packed = encoder.EncodeAll(value, append(make([]byte, 0, size+sample/4), markZstd))
	if len(packed) >= len(value) {
		return nil
	}
	return packed
}

// Unpack reads what Pack wrote.
func Unpack(stored []byte) ([]byte, error) {
	if len(stored) == 0 {
		return nil, nil
	}
	switch stored[0] {
	case markPlain:
		return append([]byte{}, stored[1:]...), nil
	case markZstd:
		value, err := decoder.DecodeAll(stored[1:], nil)
		if err != nil {
			return nil, fmt.Errorf("a stored value cannot be unpacked: %w", err)
		}
		return value, nil
	}
	return nil, fmt.Errorf("a stored value has the unknown mark %q", stored[0])
}
